# SPDX-License-Identifier: GPL-2.0-only
"""Pairs of callbacks of which one opens a section and the other closes it.

Nobody calls them by name: a page table walk does, through its table (pre_vma and
post_vma of struct mm_walk_ops, include/linux/pagewalk.h).  The walk calls the
second one when the first returned 0.  Two such functions of one file belong
together when they handle the same member.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.paths import RangeExit, RangeFault
from patchgen.analysis.sections.ranges import Ranges
from patchgen.analysis.sections.sites import INIT, range_of, role
from patchgen.analysis.sections.state import DONE, LEAK, OPEN, READY, SPURIOUS, UNINITIALISED
from patchgen.analysis.values.value import compare
from patchgen.model.code import Function


def pair_faults(ranges: Ranges) -> Iterator[RangeFault]:
    """Sections that no callback closes, or that none opened."""
    alone = [
        f
        for f in ranges.handlers
        if f.static and not ranges.callers(f.name) and not ranges.of(f).incomplete
    ]
    openers = [f for f in alone if any(_opens(one) for one in ranges.of(f).exits)]
    for opener in openers:
        yield from _raw(ranges, opener)
    closers = [f for f in alone if any(_closes(one) for one in ranges.of(f).exits)]
    for opener in openers:
        partners = [c for c in closers if _match(ranges, opener, c)]
        if partners:
            yield from _unbalanced(ranges, opener, partners)
        else:
            first = next(one for one in ranges.of(opener).exits if _opens(one))
            message = (
                f"{opener.name}() leaves the section of {_names(_opens(first))} open, "
                "and nothing in the file closes it"
            )
            yield RangeFault(LEAK, message, first.event, opener, first.steps)
    for closer in closers:
        if not any(_match(ranges, opener, closer) for opener in openers):
            first = next(one for one in ranges.of(closer).exits if _closes(one))
            message = (
                f"{closer.name}() ends the section of {_names(_closes(first))}, "
                "and nothing in the file opens it"
            )
            yield RangeFault(SPURIOUS, message, first.event, closer, first.steps)


def _raw(ranges: Ranges, opener: Function) -> Iterator[RangeFault]:
    """A callback that starts a range which nothing in its file initialises."""
    initialised = {
        _member(ranges.naming(function).key(target))
        for function in ranges.program.functions
        if function.path == opener.path
        for call in ranges.program.calls(function)
        if role(call) == INIT
        for target in (range_of(call),)
        if target is not None
    }
    for one in ranges.of(opener).exits:
        for key, known in sorted(one.ranges):
            if known.state == OPEN and known.needs == READY and _member(key) not in initialised:
                message = f"{key} is started, and nothing in the file initialises it"
                yield RangeFault(UNINITIALISED, message, one.event, opener, one.steps)


def _unbalanced(ranges: Ranges, opener: Function, partners: list[Function]) -> Iterator[RangeFault]:
    always = True
    for closer in partners:
        for one in ranges.of(closer).exits:
            if not _closes(one):
                always = False
                message = (
                    f"{closer.name}() returns without ending the section that "
                    f"{opener.name}() opened"
                )
                yield RangeFault(LEAK, message, one.event, closer, one.steps)
    for one in ranges.of(opener).exits:
        if always and not _opens(one) and compare(one.value, "==", 0) is True:
            message = (
                f"{opener.name}() returns 0 without a section, and {partners[0].name}() ends one"
            )
            yield RangeFault(SPURIOUS, message, one.event, opener, one.steps)


def _match(ranges: Ranges, opener: Function, closer: Function) -> bool:
    if opener.path != closer.path:
        return False
    opened = {_member(key) for one in ranges.of(opener).exits for key in _opens(one)}
    closed = {_member(key) for one in ranges.of(closer).exits for key in _closes(one)}
    return bool(opened & closed)


def _opens(one: RangeExit) -> tuple[str, ...]:
    return tuple(sorted(k for k, r in one.ranges if r.state == OPEN and r.needs != OPEN))


def _closes(one: RangeExit) -> tuple[str, ...]:
    return tuple(sorted(k for k, r in one.ranges if r.state == DONE and r.needs == OPEN))


def _member(key: str) -> str:
    return key.rpartition("->")[2].rpartition(".")[2].lstrip("*")


def _names(keys: tuple[str, ...]) -> str:
    return " and ".join(key.lstrip("*") for key in keys)
