# SPDX-License-Identifier: GPL-2.0-only
"""``make tree-mutants``: all edits of the miniature kernel and of 5.10, and what becomes of them.

Exit status 0: nothing wrong was planned, and nothing that keeps the meaning was refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

from patchgen.source.tree import registry
from tests.worlds import guests, handlers, keeping, real, sites, subscribed, told, walks
from tests.worlds.edit import Answer, Edit, answer, proved, stopped

TABLES = (told, handlers, sites, guests, walks, subscribed, keeping)
#: What the proof of the tree as it is has to stop by itself.
PROVED = (guests, walks, subscribed, keeping)
MINI = Path(__file__).resolve().parents[2] / "kernel-tree" / "mini"


def refused(edit: Edit, found: Answer) -> str:
    """Why an edit that keeps the meaning is not planned, or ""."""
    return "" if found.planned else found.text


def _of_linux(edit: Edit, name: str, root: Path) -> str:
    """What the judges say of 5.10 with an edit that is not as it should be, or ""."""
    found = real.faults(root, edit)
    if name == "KEPT":
        return "; ".join(found)
    told = any(one.startswith((edit.path, edit.told_in or edit.path)) for one in found)
    return "" if told else f"not seen there: {found}"


def main() -> int:
    """Try all, print those that go wrong and the sums."""
    root, bad = registry.location("5.10"), 0
    if root is None:
        print("5.10 is not here: its edits are left out (patchgen tree add 5.10)")
    for name, judged in (("WRONG", stopped), ("KEPT", refused)):
        edits = [edit for table in TABLES for edit in getattr(table, name)]
        edits += [*keeping.PLANNED] if name == "WRONG" else []
        said = [(edit, judged(edit, answer(MINI, edit))) for edit in edits]
        alone = [edit for table in PROVED for edit in getattr(table, name)]
        alone += [*walks.UNMAPPED, *keeping.RANGES] if name == "WRONG" else [*keeping.SWITCHED]
        said += [(edit, judged(edit, proved(MINI, edit))) for edit in alone]
        edits += alone
        said += [(edit, _of_linux(edit, name, root)) for edit in getattr(real, name) if root]
        edits += list(getattr(real, name)) if root else []
        odd = sum(bool(text) for _, text in said)
        for edit, text in said:
            if text:
                print(f"{edit.path}: {edit.why}: {text}")
        verb = "stopped" if name == "WRONG" else "planned"
        print(f"{name.lower()}: {len(edits) - odd} of {len(edits)} {verb}")
        bad += odd
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
