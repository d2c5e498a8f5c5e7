# SPDX-License-Identifier: GPL-2.0-only
"""The state of a notifier range on a path, and what a call does to it.

A range is raw, ready (initialised), open, done or failed.  One that the caller
gave, or that lies in the caller's objects, is foreign until it is touched; what
the function needed of it then is kept for the caller to be held against.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

RAW, READY, OPEN, DONE, FAILED = "raw", "ready", "open", "done", "failed"
#: The caller's range, not touched; and one that is no longer followed.
FOREIGN, LOST = "foreign", "lost"


class Range(msgspec.Struct, frozen=True):
    """One range on one path.

    ``line`` is where the section was opened; ``needs`` the state that the caller
    must have given it in (READY or OPEN; "" for any), ``changed`` the bounds that
    differ from those of the start, with the line, ``members`` those that were
    assigned one by one.
    """

    state: str
    line: int = 0
    needs: str = ""
    changed: tuple[tuple[str, int], ...] = ()
    members: frozenset[str] = frozenset()


class Fault(msgspec.Struct, frozen=True):
    """A misuse: its kind (a constant below) and what to say."""

    kind: str
    message: str


LEAK, SPURIOUS, AFTER_FAILURE, UNINITIALISED, ALTERED, IGNORED = (
    "leak", "spurious", "after failure", "uninitialised", "altered", "ignored",
)  # fmt: skip

Answer: TypeAlias = tuple[Range, Fault | None]

#: Members without which a start means nothing: include/linux/mmu_notifier.h.
_NEEDED = frozenset({"mm", "start", "end"})


def initialised(before: Range, line: int) -> Answer:
    """mmu_notifier_range_init() and its relatives."""
    after = Range(READY, needs=before.needs)
    if before.state == OPEN:
        changed = (("start", line), ("end", line))
        return msgspec.structs.replace(before, changed=changed), None
    return after, None


def started(before: Range, name: str, line: int) -> Answer:
    """A start that opens the section."""
    state = before.state
    after = Range(OPEN, line, before.needs)
    if state == FOREIGN:
        return Range(OPEN, line, READY), None
    if state == RAW and not before.members >= _NEEDED:
        return after, Fault(UNINITIALISED, f"{name} is started without being initialised")
    if state == OPEN:
        message = f"{name} is started again, and its section from line {before.line} never ends"
        return after, Fault(LEAK, message)
    return after, None


def refused(before: Range) -> Range:
    """A non-blocking start that failed."""
    return Range(FAILED, needs=before.needs or (READY if before.state == FOREIGN else ""))


def ended(before: Range, name: str) -> Answer:
    """An end of either kind."""
    state = before.state
    after = Range(DONE, before.line, OPEN if state == FOREIGN else before.needs)
    if state == FOREIGN and not before.changed:
        return Range(DONE, 0, OPEN), None
    if state in (RAW, READY):
        return after, Fault(SPURIOUS, f"{name} is ended, and was not started on this path")
    if state == DONE:
        return after, Fault(SPURIOUS, f"{name} is ended a second time")
    if state == FAILED:
        message = f"{name} is ended after its start failed: no notifier has it open"
        return after, Fault(AFTER_FAILURE, message)
    if before.changed:
        members = " and ".join(f"{member} (line {at})" for member, at in before.changed)
        message = f"{name} is ended with another {members} than it was started with"
        return after, Fault(ALTERED, message)
    return after, None


def assigned(before: Range, member: str, line: int, restores: bool) -> Range:
    """``range.member = value``; ``restores`` where the value is the one at the start."""
    if before.state == RAW:
        return msgspec.structs.replace(before, members=before.members | {member})
    if before.state not in (OPEN, FOREIGN) or member not in ("start", "end", "mm"):
        return before
    changed = tuple(entry for entry in before.changed if entry[0] != member)
    if not restores:
        changed = (*changed, (member, line))
    return msgspec.structs.replace(before, changed=changed)


def handed_back(before: Range, after: Range, name: str) -> Answer:
    """A callee left the range as ``after``; held against what the caller gave it."""
    fault: Fault | None = None
    if after.needs == OPEN:
        before, fault = ended(before, name)
    elif after.needs == READY:
        before, fault = started(before, name, after.line)
    if after.state == FOREIGN:
        return before, fault
    needs = before.needs if before.needs else ""
    return msgspec.structs.replace(after, needs=needs), fault
