# SPDX-License-Identifier: GPL-2.0-only
"""The early return for flagged ranges ("guard") in a notifier callback."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.locks.state import Exit, Summary

NORMAL, INVERTED, LATE = "normal", "inverted", "late"


class Guard(NamedTuple):
    """``kind`` is NORMAL, INVERTED, LATE or ""; ``exits`` are the early returns.

    NORMAL leaves without doing anything when the flag is set, INVERTED when it
    is not set.  LATE skips the rest after the counts were changed as for every
    other range: right only if the other callback undoes that.
    """

    kind: str
    exits: tuple[Exit, ...]


NONE = Guard("", ())


def guard_of(summary: Summary) -> Guard:
    """The guard of a callback, from its summary with nothing known."""
    flagged = [one for one in summary.exits if one.state.flagged is True]
    plain = [one for one in summary.exits if one.state.flagged is False]
    early = tuple(one for one in flagged if one.state.idle)
    same = {(one.state.counts, one.state.held) for one in plain if one.state.counts}
    if early and all((one.state.counts, one.state.held) in same for one in early):
        return Guard(LATE, early)
    if early and not all(one.state.idle for one in plain):
        return Guard(NORMAL, early)
    late = tuple(one for one in plain if one.state.idle)
    if late and flagged and not all(one.state.idle for one in flagged):
        return Guard(INVERTED, late)
    return Guard(NORMAL, early) if early else NONE
