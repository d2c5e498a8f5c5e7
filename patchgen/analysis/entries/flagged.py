# SPDX-License-Identifier: GPL-2.0-only
"""Sections whose range says that change_pte() covers it, and what speaks against it.

MMU_NOTIFIER_USE_CHANGE_PTE (the mmu-notifier-v05 API) tells users of the notifier to
leave their tables alone at the start, since set_pte_at_notify() will bring every change
of the one page.  :mod:`patchgen.analysis.entries.entries` follows the entries of such a section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import walk
from patchgen.analysis.entries.entries import (
    MAYBE,
    OLD,
    READ_ONLY,
    WRITABLE,
    EntryWalk,
    Transition,
    Witness,
    read_only_at_callers,
)
from patchgen.analysis.extent.bounds import Bounds
from patchgen.analysis.extent.walks import is_walk
from patchgen.analysis.sections.sites import END, INIT, NONBLOCK, START, arguments, range_of, role
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, subexpressions, text

FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"

#: A change without a notification; a range or an address that does not fit one page; a
#: transition that change_pte() cannot follow.
UNTOLD, MISFIT, FORBIDDEN = "untold", "misfit", "forbidden"

_NO_PAGE = "the new entry maps no page (it is empty, or a swap or migration entry)"

#: Constants by the kernel's habit: capitals and numbers.
_CONSTANT = re.compile(r"[A-Z0-9_ *<()]+|\d+[uUlL]* \* [A-Z_]+")


class Flagged(msgspec.Struct, frozen=True):
    """A range that is initialised with the flag; ``unclear`` says why it is not followed."""

    function: Function
    init: Expr
    name: str
    start: Expr | None = None
    end: Expr | None = None
    unclear: str = ""


class SectionFault(msgspec.Struct, frozen=True):
    """What is wrong with a flagged section: where, the path, and whether it is certain."""

    kind: str
    where: Expr
    text: str
    steps: tuple[Step, ...] = ()
    sure: bool = True


def flagged(program: Program, function: Function) -> Iterator[Flagged]:
    """Ranges of ``function`` that carry the flag, in source order."""
    calls = program.calls(function)
    inits = [call for call in calls if role(call) == INIT]
    for init in inits:
        given = arguments(init)
        target = range_of(init)
        if target is None or not _carries(given.get("flags")):
            continue
        name = text(target).lstrip("*")
        same = [other for other in inits if _name(other) == name]
        starts = [c for c in calls if role(c) in (START, NONBLOCK) and _name(c) == name]
        ends = [c for c in calls if role(c) == END and _name(c) == name]
        unclear = ""
        if len(same) > 1:
            unclear = f"{name} is initialised more than once"
        elif not starts or not ends:
            unclear = f"the section of {name} goes across functions"
        yield Flagged(function, init, name, given.get("start"), given.get("end"), unclear)


def _name(call: Expr) -> str:
    target = range_of(call)
    return text(target).lstrip("*") if target is not None else ""


def _carries(flags: Expr | None) -> bool:
    return flags is not None and any(part.name == FLAG for part in subexpressions(flags))


def faults(
    section: Flagged, program: Program, known: Mapping[str, Function]
) -> tuple[SectionFault, ...]:
    """What speaks against the flag of ``section``; ``known`` are its file's functions."""
    checker = EntryWalk(known, section.name)
    result = walk(section.function, checker)
    found = [*_misfits(section, checker)]
    if not checker.transitions and not _notified(program, section.function):
        reason = "set_pte_at_notify() is never called in this section"
        found.append(SectionFault(UNTOLD, section.init, reason))
    else:
        found += _untold(section, checker)
        if not result.complete:
            reason = result.bounded or "a statement in the section was not understood"
            found.append(SectionFault(UNTOLD, section.init, reason, sure=False))
    for transition in sorted(checker.transitions):
        one = _forbidden(section, transition, checker.witnesses[transition], known)
        if one is not None:
            found.append(one)
    return tuple(found)


def pageless(function: Function, known: Mapping[str, Function]) -> tuple[SectionFault, ...]:
    """Notified changes of ``function`` after which the entry maps no page, flag or not.

    Not sure where only some of the paths to the notification have such an entry.
    """
    checker = EntryWalk(known)
    complete = walk(function, checker).complete
    found = []
    for transition in sorted(checker.transitions):
        if not transition.page:
            same = [t for t in checker.transitions if t.line == transition.line]
            witness = checker.witnesses[transition]
            assert witness.event.expr is not None
            sure = complete and not any(other.page for other in same)
            reason = _NO_PAGE if sure else f"on some path {_NO_PAGE}"
            found.append(SectionFault(FORBIDDEN, witness.event.expr, reason, witness.steps, sure))
    return tuple(found)


def never_told(section: Flagged, program: Program) -> SectionFault | None:
    """For a section that is not followed: that nobody who can have it open tells of a change.

    These are the function itself, its callers that give it a range, and where a page table
    walk calls it, the other callbacks of the walk.  None where one tells, or none is known.
    """
    function = section.function
    calls = program.calls(function)
    own = any(role(c) == END and _name(c) == section.name for c in calls)
    holders = [*_callers(section, program), *_beside(function, program)]
    if not holders and not (own and section.name not in {p.name for p in function.params}):
        return None
    if any(_notified(program, one) for one in (function, *holders)):
        return None
    reason = "set_pte_at_notify() is never called in this section"
    return SectionFault(UNTOLD, section.init, reason)


def _callers(section: Flagged, program: Program) -> Iterator[Function]:
    """Functions that give the section's function the range that it initialises."""
    params = [param.name for param in section.function.params]
    if section.name not in params:
        return
    place = params.index(section.name) + 1
    for caller in program.functions:
        given = (
            text(call.args[place])
            for call in program.calls(caller)
            if call.name == section.function.name and len(call.args) > place
        )
        if any(argument != "NULL" for argument in given):
            yield caller


def _beside(function: Function, program: Program) -> Iterator[Function]:
    """The other callbacks of the page table walks that call the function."""
    for table in program.tables:
        members = {entry.function for entry in table.entries}
        if is_walk(table) and table.path == function.path and function.name in members:
            for name in sorted(members - {function.name, ""}):
                yield from program.named(name, function.path)


# -- changes without a notification ------------------------------------------


def notifies(program: Program, function: Function) -> bool:
    """Whether the function itself calls set_pte_at_notify()."""
    return any(call.name in names("entries", "notifies") for call in program.calls(function))


def _notified(program: Program, function: Function) -> bool:
    """Whether the function, or what it calls, has a call of set_pte_at_notify()."""
    return any(notifies(program, one) for one in program.reachable((function,), 4))


def _untold(section: Flagged, checker: EntryWalk) -> Iterator[SectionFault]:
    for silent in sorted(checker.silent | checker.unknown):
        witness = checker.witnesses[silent]
        where = witness.event.expr or section.init
        yield SectionFault(UNTOLD, where, silent.reason, witness.steps, witness.sure)


# -- one page ----------------------------------------------------------------


def _misfits(section: Flagged, checker: EntryWalk) -> Iterator[SectionFault]:
    start, end = section.start, section.end
    if start is None or end is None:
        return
    bounds = Bounds(section.function)
    page = int(load("ranges")["sizes"]["PAGE_SIZE"])
    width = bounds.sum(end).minus(bounds.sum(start))
    if width.number != page:
        sure = all(factor > 0 and _multiple(term) for term, factor in width.terms)
        shown = f"the flagged range goes from {text(start)} to {text(end)}"
        more = "not one page" if sure else "which may be several pages"
        yield SectionFault(MISFIT, section.init, f"{shown}, {more}", sure=sure)
    first = bounds.sum(_unmasked(start))
    for transition in sorted(checker.transitions):
        witness = checker.witnesses[transition]
        assert witness.event.expr is not None
        address = witness.event.expr.args[2]
        distance = bounds.sum(_unmasked(address)).minus(first).number
        if distance is None:
            reason = f"the notified address {text(address)} may lie outside the flagged range"
            yield SectionFault(MISFIT, witness.event.expr, reason, witness.steps, False)
        elif not 0 <= distance < page:
            reason = f"the notified address {text(address)} lies outside the flagged range"
            yield SectionFault(MISFIT, witness.event.expr, reason, witness.steps)


def _multiple(term: str) -> bool:
    """Whether a term is a constant of the kernel's, or such a multiple of one."""
    return bool(_CONSTANT.fullmatch(term)) and "PAGE_SHIFT" not in term


def _unmasked(address: Expr) -> Expr:
    """``address`` for ``address & PAGE_MASK``: the same page."""
    plain = bare(address)
    if plain.kind == "binary" and plain.name == "&" and bare(plain.args[1]).name == "PAGE_MASK":
        return bare(plain.args[0])
    return address


# -- transitions -------------------------------------------------------------


def _forbidden(
    section: Flagged, found: Transition, witness: Witness, known: Mapping[str, Function]
) -> SectionFault | None:
    """Why change_pte() cannot follow a transition, or None."""
    where = witness.event.expr
    assert where is not None

    def fault(reason: str, sure: bool, *more: Step) -> SectionFault:
        return SectionFault(FORBIDDEN, where, reason, (*witness.steps, *more), sure)

    if not found.page:
        return fault(_NO_PAGE, True)
    if found.frame == OLD:
        return None  # the permission of one and the same page changes
    if found.write not in (READ_ONLY, WRITABLE, MAYBE):
        return fault("whether the new entry may be written through is not known", False)
    if found.old_write == READ_ONLY:
        return None
    if not found.need:
        reason = "the old entry may be writable, and another page takes its place"
        return fault(reason, witness.sure)
    above = read_only_at_callers(section.function, found.need, known)
    if above is None:
        return None
    sure = above.text.endswith("is not known to be read-only here")
    reason = f"{found.need} may be writable, and another page takes its place"
    return fault(reason, sure, Step(above.place, above.text))
