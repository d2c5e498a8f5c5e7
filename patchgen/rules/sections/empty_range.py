# SPDX-License-Identifier: GPL-2.0-only
"""A range is empty, or its end lies before its start.

KVM warns about such ranges (6.1 on) and others walk nothing: the entries that the
section changes are not invalidated.

Bad::

    mmu_notifier_range_init(&range, mm, address, address);

Bad (swapped)::

    mmu_notifier_range_init(&range, mm, vma->vm_end, vma->vm_start);

Good::

    mmu_notifier_range_init(&range, mm, address, address + PAGE_SIZE);

Bad (both rounded inward, which leaves nothing of a small area)::

    start = ALIGN(vma->vm_start, PUD_SIZE);
    end = ALIGN_DOWN(vma->vm_end, PUD_SIZE);
    mmu_notifier_range_init(&range, mm, start, end);

Good::

    if (start >= end)
        return;
    mmu_notifier_range_init(&range, mm, start, end);

A length that comes from outside and is never tested stays undecided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.analysis.extent.bounds import Bounds, Sum, bounds_of
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.sites import RangeInit, inits
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided
from patchgen.source.c.text import bare, subexpressions, text

RULE = Rule(
    "MN005",
    "empty-range",
    ERROR,
    "a range is initialised empty, or with its end before its start",
)

#: Addresses are unsigned long.
_ADDRESSES = 1 << 64


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Initialisations whose end is not above the start."""
    for site in inits(tree.program, CORE):
        if "start" not in site.arguments:
            continue  # MN010
        function = site.function
        bounds = bounds_of(function)
        start, end = site.arguments["start"], site.arguments["end"]
        first, last = (_address(bounds.sum(bound)) for bound in (start, end))
        length = last.minus(first)
        message = "" if last.number is not None and length.terms else _fault(length, start, end)
        if message:
            yield tree.finding(RULE, site.call, message, path=function.path, function=function.name)
            continue
        inward = _rounded_inward(site, bounds, tree)
        if inward:
            shown = f"the range from {text(start)} to {text(end)}"
            message = f"{shown} may be empty or inverted: {inward} its start up and its end down"
            yield tree.finding(RULE, site.call, message, path=function.path, function=function.name)
        elif _untested(length, bounds, site):
            name = length.terms[0][0]
            yield undecided(RULE, site.place, f"{name} may be 0, nothing tests it before")


def _address(found: Sum) -> Sum:
    """An absolute address as the unsigned number it is: -1UL is the last one."""
    number = found.number
    return Sum((), number + _ADDRESSES) if number is not None and number < 0 else found


def _fault(length: Sum, first: Expr, last: Expr) -> str:
    start, end = text(first), text(last)
    number = length.number
    if number is not None:
        if number > 0:
            return ""
        return f"the range from {start} to {end} " + ("is empty" if number == 0 else "is inverted")
    if _is_end(first) and not _is_end(last) and length.size <= 0:
        return f"the range from {start} to {end} is inverted: the bounds are swapped"
    if len(length.terms) == 1 and length.terms[0][1] == -1 and length.size <= 0:
        return f"the range from {start} to {end} ends {length.terms[0][0]} before its start"
    return ""


def _is_end(bound: Expr) -> bool:
    """Whether a bound is named as an end: ``end``, ``vm_end``, ``old_end``."""
    words = {word for name in re.findall(r"\w+", text(bound)) for word in name.split("_")}
    return "end" in words


def _rounded_inward(site: RangeInit, bounds: Bounds, tree: Context) -> str:
    """Who rounds the start up and the end down, and nobody compares the two; or ""."""
    pair = (site.arguments["start"], site.arguments["end"])
    if _compared(pair, bounds, site.call.span.start):
        return ""
    if _inward(pair, bounds):
        return "it rounds"
    params = [param.name for param in site.function.params]
    if not all(bound.kind == "name" and bound.name in params for bound in pair):
        return ""
    places = [params.index(bound.name) + 1 for bound in pair]
    for caller in _callers(site.function, tree):
        above = bounds_of(caller)
        for call in tree.program.calls(caller):
            if call.name == site.function.name and len(call.args) > max(places):
                given = (call.args[places[0]], call.args[places[1]])
                if _inward(given, above) and not _compared(given, above, call.span.start):
                    return f"{caller.name}() rounds"
    return ""


def _callers(function: Function, tree: Context) -> list[Function]:
    """Callers at hand; the whole file is only parsed where something in it rounds down."""
    source = tree.read(function.path) or b""
    if any(way.encode() in source for way in names("ranges", "arithmetic", "down")):
        return ranges_of(tree.program).all_callers(function)
    return ranges_of(tree.program).callers(function.name)


def _inward(pair: tuple[Expr, Expr], bounds: Bounds) -> bool:
    first, last = (bare(bounds.resolved(bound)) for bound in pair)
    up, down = (names("ranges", "arithmetic", way) for way in ("up", "down"))
    return first.kind == last.kind == "call" and first.name in up and last.name in down


def _compared(pair: tuple[Expr, Expr], bounds: Bounds, before: int) -> bool:
    """Whether a condition above asks about a variable of the bounds."""
    used = {part.name for bound in pair for part in subexpressions(bound) if part.kind == "name"}
    return any(bounds.tested(name, before) for name in used)


def _untested(length: Sum, bounds: Bounds, site: RangeInit) -> bool:
    if len(length.terms) != 1 or length.terms[0][1] != 1 or length.size:
        return False
    name = length.terms[0][0]
    params = {param.name for param in site.function.params}
    return name in params and not bounds.tested(name, site.call.span.start)
