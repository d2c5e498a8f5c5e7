# SPDX-License-Identifier: GPL-2.0-only
"""``git range-diff`` of two versions of a series, in a scratch repository."""

from __future__ import annotations

from pathlib import Path

import msgspec

from patchgen.commits.patchset import Series
from patchgen.commits.scratch import Scratch
from patchgen.commits.source import TreeSource, describe
from patchgen.verify.apply import apply_in


def range_diff(root: Path, old: Series, new: Series) -> tuple[str, str]:
    """The range-diff from ``old`` to ``new``, and a note why there is none.

    One of the two is "".  The old version goes on its own base commit where the
    tree has that, else on the tree as it is.
    """
    source = describe(root)
    with Scratch(source) as scratch:
        ranges = []
        for series in (old, new):
            base, tip, reason = _commits(scratch, source, series)
            if reason:
                return "", f"no range-diff: v{series.version} does not apply: {reason}"
            ranges.append(f"{base}..{tip}")
        options = ("--no-color", "--no-notes", "--creation-factor=60")
        out = scratch.git.run("range-diff", *options, *ranges, config=("core.abbrev=12",))
    return out.decode(errors="replace").rstrip("\n"), ""


def _commits(scratch: Scratch, source: TreeSource, series: Series) -> tuple[str, str, str]:
    """Base and tip of the series' commits, and why there are none."""
    head = source.head
    if source.is_git and series.base:
        name = f"{series.base}^{{commit}}"
        status, out, _ = scratch.git.result("rev-parse", "-q", "--verify", name, ok=(0, 1, 128))
        head = out.decode().strip() if status == 0 else head
    scratch.source = msgspec.structs.replace(source, head=head)
    scratch.index.unlink(missing_ok=True)
    applied = apply_in(scratch, series)
    for patch in applied.patches:
        if patch.misfits:
            return "", "", str(patch.misfits[0])
    count = len(applied.patches)
    tip = applied.patches[-1].sha
    base = scratch.git.run("rev-parse", f"{tip}~{count}").decode().strip()
    return base, tip, ""
