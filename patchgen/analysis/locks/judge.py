# SPDX-License-Identifier: GPL-2.0-only
"""The questions that rules ask: is what is taken dropped, and is a lock taken twice?"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from patchgen.analysis.locks.state import Exit, Summary, Take
from patchgen.kernel.locks import transferable


class Imbalance(msgspec.Struct, frozen=True):
    """A way out that leaves ``n`` more of a kind held than there was.

    ``undecided`` says why perhaps not; "" where the path shows it.
    """

    leaving: Exit
    kind: str
    key: str
    n: int
    undecided: str = ""


def imbalances(
    summary: Summary, excused: Callable[[Exit, str, str, int], bool]
) -> tuple[Imbalance, ...]:
    """What a function leaves held, or drops without holding it, on each way out.

    One for each way out, kind and key: one that a path shows goes before one that is
    undecided.  ``excused`` tells of what is meant to be so.
    """
    found: dict[tuple[object, str, str, bool], Imbalance] = {}
    for leaving in summary.exits:
        for kind, key, n in sorted(leaving.state.held):
            if excused(leaving, kind, key, n):
                continue
            one = Imbalance(leaving, kind, key, n, _doubt(leaving, kind, key))
            place = (leaving.place, kind, key, n > 0)
            known = found.get(place)
            if known is None or (known.undecided and not one.undecided):
                found[place] = one
    return tuple(found.values())


def _doubt(leaving: Exit, kind: str, key: str) -> str:
    if leaving.state.doubt:
        return leaving.state.doubt
    if key.endswith("'"):
        lock = key.rstrip("'")
        return f"{leaving.place}: {lock} ({kind}) names another lock here than where it was taken"
    if kind in transferable() and leaving.state.passed:
        return f"{leaving.state.passed} may take over the {kind} that is held"
    return ""


def taken_twice(summary: Summary) -> tuple[Take, ...]:
    """Locks that are taken while they are held, those that a path shows first."""
    found = [take for take in summary.takes if take.twice]
    return tuple(sorted(found, key=lambda take: bool(take.doubt)))
