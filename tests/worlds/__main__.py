# SPDX-License-Identifier: GPL-2.0-only
"""``make tree-mutants``: all edits of the miniature kernel, and what the series makes of them.

Exit status 0: nothing wrong was planned, and nothing that keeps the meaning was refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.worlds import told
from tests.worlds.edit import Answer, Edit, answer, stopped

TABLES = (told,)
MINI = Path(__file__).resolve().parents[2] / "kernel-tree" / "mini"


def refused(edit: Edit, found: Answer) -> str:
    """Why an edit that keeps the meaning is not planned, or ""."""
    return "" if found.planned else found.text


def main() -> int:
    """Try all, print those that go wrong and the sums."""
    bad = 0
    for name, judged in (("WRONG", stopped), ("KEPT", refused)):
        edits = [edit for table in TABLES for edit in getattr(table, name)]
        odd = 0
        for edit in edits:
            said = judged(edit, answer(MINI, edit))
            if said:
                odd += 1
                print(f"{edit.path}: {edit.why}: {said}")
        verb = "stopped" if name == "WRONG" else "planned"
        print(f"{name.lower()}: {len(edits) - odd} of {len(edits)} {verb}")
        bad += odd
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
