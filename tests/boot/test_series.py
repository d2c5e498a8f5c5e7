# SPDX-License-Identifier: GPL-2.0-only
"""Which files the patched kernel is built with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from patchgen.cli.boot import series_files
from patchgen.model.outcome import UserError

_PATCH = """\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A Person <a@example.org>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH {number}/2] mm: change

A change.

Signed-off-by: A Person <a@example.org>
---
 mm/ksm.c | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

diff --git a/mm/ksm.c b/mm/ksm.c
--- a/mm/ksm.c
+++ b/mm/ksm.c
@@ -1,2 +1,2 @@
 one
-{old}
+{new}
--{blank}
2.30.0
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "mm").mkdir(parents=True)
    (root / "mm/ksm.c").write_text("one\ntwo\n")
    (root / "Makefile").write_text("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 1\n")
    return root


@pytest.fixture
def series(tmp_path: Path) -> Path:
    folder = tmp_path / "series"
    folder.mkdir()
    for number, old, new in ((1, "two", "three"), (2, "three", "four")):
        text = _PATCH.format(number=number, old=old, new=new, blank=" ")
        (folder / f"000{number}-x.patch").write_text(text)
    return folder


def test_the_state_after_the_last_patch(tree: Path, series: Path) -> None:
    assert series_files(series, tree) == {"mm/ksm.c": b"one\nfour\n"}
    assert (tree / "mm/ksm.c").read_text() == "one\ntwo\n"


def test_a_patch_that_does_not_apply_is_named(tree: Path, series: Path) -> None:
    (tree / "mm/ksm.c").write_text("one\nother\n")
    with pytest.raises(UserError, match=r"0001-x\.patch.*does not apply: mm/ksm\.c:2"):
        series_files(series, tree)


def test_a_change_that_is_not_committed_is_refused(tree: Path, series: Path) -> None:
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "base"]):
        user = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *user, *words], cwd=tree, check=True)
    assert series_files(series, tree) == {"mm/ksm.c": b"one\nfour\n"}
    (tree / "mm/ksm.c").write_text("one\ntwo\nlocal\n")
    with pytest.raises(UserError, match="differs from the tree's HEAD"):
        series_files(series, tree)
