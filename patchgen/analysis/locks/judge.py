# SPDX-License-Identifier: GPL-2.0-only
"""The questions that rules ask: is what is taken dropped, and is a lock taken twice?"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from patchgen.analysis.locks.state import Exit, Sleep, Summary, Take
from patchgen.analysis.replay.confirm import Confirm
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


#: Ways to one fault that are gone again before it is undecided.
_WAYS = 16


def imbalances(
    summary: Summary, excused: Callable[[Exit, str, str, int], bool], confirm: Confirm
) -> tuple[Imbalance, ...]:
    """What a function leaves held, or drops without holding it, on each way out.

    One for each way out, kind and key: one that a path shows goes before one that is
    undecided.  ``excused`` tells of what is meant to be so; ``confirm`` whether a way can
    be taken.
    """
    found: dict[tuple[object, str, str, bool], list[Imbalance]] = {}
    for leaving in summary.exits:
        for kind, key, n in sorted(leaving.state.held):
            if not excused(leaving, kind, key, n):
                one = Imbalance(leaving, kind, key, n, _doubt(leaving, kind, key))
                found.setdefault((leaving.place, kind, key, n > 0), []).append(one)
    return tuple(_surest(ways, confirm) for ways in found.values())


def _surest(ways: list[Imbalance], confirm: Confirm) -> Imbalance:
    """The first that can be taken; else the first, and why it is undecided."""
    shown = [one for one in ways if not one.undecided]
    vague = [
        one for one in ways if one.undecided == one.leaving.state.doubt and one.leaving.state.vague
    ]
    why = ""
    for one in (*shown[:_WAYS], *vague[:_WAYS]):
        doubt = confirm.doubt(one.leaving.trail, exact=one.undecided != "")
        if not doubt:
            return msgspec.structs.replace(one, undecided="")
        why = why or doubt
    first = (shown or ways)[0]
    return msgspec.structs.replace(first, undecided=first.undecided or why)


def _doubt(leaving: Exit, kind: str, key: str) -> str:
    if key.endswith("'"):
        lock = key.rstrip("'")
        return f"{leaving.place}: {lock} ({kind}) names another lock here than where it was taken"
    if kind in transferable() and leaving.state.passed:
        return f"{leaving.state.passed} may take over the {kind} that is held"
    return leaving.state.doubt


def doubt_of(one: Exit | Sleep | Take, confirm: Confirm) -> str:
    """Why it is undecided whether this way is taken; "" where values are found for it."""
    if isinstance(one, Exit):
        vague = one.state.vague
        if one.state.doubt and not (vague and not confirm.doubt(one.trail, exact=True)):
            return one.state.doubt
        return "" if vague else confirm.doubt(one.trail)
    return one.doubt or confirm.doubt(one.trail)


def taken_twice(summary: Summary) -> tuple[Take, ...]:
    """Locks that are taken while they are held, those that a path shows first."""
    found = [take for take in summary.takes if take.twice]
    return tuple(sorted(found, key=lambda take: bool(take.doubt)))
