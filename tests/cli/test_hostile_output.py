# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a tree and a mail hold, no command's output moves a cursor or reverses a line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_terminal import controls

MINI = Path(__file__).parents[2] / "kernel-tree/mini"
ODD = "\x1b[31m\u202e\x9b"
USE = f"""#include <linux/mmu_notifier.h>
void f(struct mm_struct *mm) {{ struct mmu_notifier_range range;
mmu_notifier_range_init(&range, /*{ODD}*/ 0, 0, 0, mm, 0, 4096);
mmu_notifier_invalidate_range_start(&range); }}
"""
MAIL = f"""From: {ODD} <a@b>
Subject: [PATCH] s{ODD}ub

b{ODD}
---
diff --git a/mm/{ODD}.c b/mm/{ODD}.c
--- a/mm/{ODD}.c
+++ b/mm/{ODD}.c
@@ -1 +1 @@
-a
+b
"""
COMMANDS = [
    "lint", "lint --format gcc", "lint --format github", "lint --format sarif", "lint --json",
    "inspect", "inspect --json", "plan kvm-change-pte", "verify MAIL", "am MAIL", "api check",
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(MINI, folder / "tree")
    for name in ("f.c", f"e{ODD}\nx.c"):
        (folder / "tree/mm" / name).write_text(USE)
    makefile = folder / "tree/Makefile"
    makefile.write_text(makefile.read_text().replace("EXTRAVERSION =", f"EXTRAVERSION = {ODD}", 1))
    (folder / "MAIL").write_text(MAIL)
    return folder


@pytest.mark.parametrize("words", COMMANDS)
def test_output_holds_nothing_that_a_terminal_obeys(hostile, words):
    command = [sys.executable, "-m", "patchgen", *words.split(), "--tree", "tree"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=hostile, env=environment, capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode()
    assert text and not controls(text.replace("\n", ""))
    assert "Traceback" not in text and "internal error" not in text
