# SPDX-License-Identifier: GPL-2.0-only
"""Sections whose range says that change_pte() covers it.

MMU_NOTIFIER_USE_CHANGE_PTE (the mmu-notifier-v05 API) tells users of the notifier to
leave their tables alone at the start, since set_pte_at_notify() will bring every change
of the one page.  :mod:`patchgen.analysis.entries.covered` says what speaks against that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import walk
from patchgen.analysis.entries.covered import PAGELESS, Coverage, Section, coverage_of, section_of
from patchgen.analysis.entries.entries import EntryWalk
from patchgen.analysis.entries.objection import NO_PAGE, UNTOLD, Objection
from patchgen.analysis.extent.walks import is_walk
from patchgen.analysis.sections.sites import END, INIT, arguments, name_of, role
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import subexpressions, text

FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
_NEVER = "set_pte_at_notify() is never called in this section"


def flagged(program: Program, function: Function) -> Iterator[Section]:
    """Ranges of ``function`` that carry the flag, in source order."""
    for init in program.calls(function):
        if role(init) == INIT and _carries(arguments(init).get("flags")) and name_of(init):
            yield section_of(function, init)


def _carries(flags: Expr | None) -> bool:
    return flags is not None and any(part.name == FLAG for part in subexpressions(flags))


def judged(section: Section, program: Program, known: Mapping[str, Function]) -> Coverage:
    """The judgement of a flagged section, in a program; ``known`` are its file's functions.

    Where nothing in reach tells of a change, that alone is the answer.
    """
    found = coverage_of(section, known)
    if section.unclear:
        silent = never_told(section, program)
        return found if silent is None else msgspec.structs.replace(found, objections=(silent,))
    if found.transitions or _notified(program, section.function):
        return found
    kept = tuple(one for one in found.objections if one.code != UNTOLD)
    return msgspec.structs.replace(found, objections=(*kept, _never(section)))


def _never(section: Section) -> Objection:
    line = section.init.line if section.init is not None else section.function.line
    place = Place(section.function.path, line)
    return Objection(UNTOLD, place, _NEVER, section.init, sure=True)


def pageless(function: Function, known: Mapping[str, Function]) -> tuple[Objection, ...]:
    """Notified changes of ``function`` after which the entry maps no page, flag or not.

    Not sure where only some of the paths to the notification have such an entry.
    """
    checker = EntryWalk(known)
    complete = walk(function, checker).complete
    found = []
    for transition in sorted(checker.transitions):
        if not transition.page:
            same = [t for t in checker.transitions if t.line == transition.line]
            seen = checker.witnesses[transition]
            sure = complete and not any(other.page for other in same)
            reason = PAGELESS if sure else f"on some path {PAGELESS}"
            place = Place(function.path, transition.line)
            found.append(Objection(NO_PAGE, place, reason, seen.event.expr, seen.steps, sure))
    return tuple(found)


def never_told(section: Section, program: Program) -> Objection | None:
    """For a section that is not followed: that nobody who can have it open tells of a change.

    These are the function itself, its callers that give it a range, and where a page table
    walk calls it, the other callbacks of the walk.  None where one tells, or none is known.
    """
    function = section.function
    calls = program.calls(function)
    own = any(role(c) == END and name_of(c) == section.name for c in calls)
    holders = [*_callers(section, program), *_beside(function, program)]
    if not holders and not (own and section.name not in {p.name for p in function.params}):
        return None
    if any(_notified(program, one) for one in (function, *holders)):
        return None
    return _never(section)


def _callers(section: Section, program: Program) -> Iterator[Function]:
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


def notifies(program: Program, function: Function) -> bool:
    """Whether the function itself calls set_pte_at_notify()."""
    return any(call.name in names("entries", "notifies") for call in program.calls(function))


def _notified(program: Program, function: Function) -> bool:
    """Whether the function, or what it calls, has a call of set_pte_at_notify()."""
    return any(notifies(program, one) for one in program.reachable((function,), 4))
