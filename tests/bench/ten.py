# SPDX-License-Identifier: GPL-2.0-only
"""A series of ten patches on a kernel tree, to time `verify` with.

    python -m tests.bench.ten 5.10 > ten.mbox

Nine put a statement before a range's start, in a source each; the tenth puts a
definition into the API's header, so that its users are asked for, too.
"""

from __future__ import annotations

import difflib
import re
import sys
from pathlib import Path

from patchgen.source.tree.registry import resolve

SOURCES = ("mm/huge_memory.c", "mm/madvise.c", "mm/mremap.c", "mm/mprotect.c", "mm/ksm.c",
           "mm/rmap.c", "mm/migrate.c", "mm/khugepaged.c", "kernel/events/uprobes.c")  # fmt: skip
HEADER = "include/linux/mmu_notifier.h"
_START = re.compile(r"^\t+(?=mmu_notifier_invalidate_range_start\()", re.MULTILINE)
_MAIL = """\
From {sha:040x} Mon Sep 17 00:00:00 2001
From: A U Thor <author@example.org>
Date: Tue, 14 Nov 2023 22:{number:02}:20 +0100
Subject: [PATCH {number:02}/10] {path}: put a statement before a range

The statement does nothing, and is there to be looked at.

Signed-off-by: A U Thor <author@example.org>
---
{diff}--{blank}
2.39.5

"""


def ten_patches(root: Path) -> str:
    """The series as an mbox, for the tree at ``root`` (5.0 or later)."""
    mails = []
    for number, path in enumerate((*SOURCES, HEADER), 1):
        old = (root / path).read_text()
        if path == HEADER:
            place = "\n#ifdef CONFIG_MMU_NOTIFIER\n"
            new = old.replace(place, f"\n#define MMU_NOTIFIER_BENCH 1\n{place}", 1)
        else:
            new = _START.sub(lambda match: match[0] + "barrier();\n" + match[0], old, count=1)
        if new == old:
            sys.exit(f"{path}: no place for a statement in this tree")
        names = (f"a/{path}", f"b/{path}")
        rows = difflib.unified_diff(old.splitlines(True), new.splitlines(True), *names)
        diff = f"diff --git {names[0]} {names[1]}\n" + "".join(rows)
        mails.append(_MAIL.format(sha=number, number=number, path=path, diff=diff, blank=" "))
    return "".join(mails)


if __name__ == "__main__":
    sys.stdout.write(ten_patches(resolve(sys.argv[1]).path))
