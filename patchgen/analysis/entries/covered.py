# SPDX-License-Identifier: GPL-2.0-only
"""Whether change_pte() covers everything that a notifier section changes.

The one judge of the change_pte flag: a single-page section in which every change of
the page-table entry reaches set_pte_at_notify(), and every transition is one that
change_pte() can follow: read-only to read-write (same or new frame), read-write to
read-only (same frame), read-only to read-only (new frame), never to an entry that
maps no page.  Recipes set the flag where nothing speaks against it; rules report what
certainly does in a section that has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import walk
from patchgen.analysis.entries.beside import beside, hidden, moved
from patchgen.analysis.entries.early_release import released_early
from patchgen.analysis.entries.entries import (
    MAYBE,
    OLD,
    READ_ONLY,
    WRITABLE,
    EntryWalk,
    Transition,
    read_only_at_callers,
)
from patchgen.analysis.entries.objection import (
    FORBIDDEN,
    LET_GO,
    MISFIT,
    NO_PAGE,
    UNCLEAR,
    UNTOLD,
    Objection,
)
from patchgen.analysis.extent.bounds import bounds_of
from patchgen.analysis.sections.sites import END, INIT, NONBLOCK, START, arguments, name_of, role
from patchgen.kernel.knowledge import load
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls

#: Constants by the kernel's habit: capitals and numbers.
_CONSTANT = re.compile(r"[A-Z0-9_ *<()]+|\d+[uUlL]* \* [A-Z_]+")

PAGELESS = "the new entry maps no page (it is empty, or a swap or migration entry)"


class Section(msgspec.Struct, frozen=True):
    """The section of one range in one function.

    ``init`` is the call that initialises the range ``name`` from ``start`` to ``end``; None,
    with an empty name, means that a caller holds the section open all the time.  ``unclear``
    says why the section is not followed, or "".
    """

    function: Function
    name: str = ""
    init: Expr | None = None
    start: Expr | None = None
    end: Expr | None = None
    unclear: str = ""


def section_of(function: Function, init: Expr) -> Section:
    """The section of the range that the call ``init`` in ``function`` initialises."""
    name, given = name_of(init), arguments(init)
    about = [call for call in calls(function.body) if role(call) and name_of(call) == name]
    roles = [role(call) for call in about]
    unclear = ""
    if roles.count(INIT) > 1:
        unclear = f"{name} is initialised more than once"
    elif END not in roles or not {START, NONBLOCK} & {*roles}:
        unclear = f"the section of {name} goes across functions"
    elif "start" not in given:
        unclear = f"{name} is initialised in a way that is not known"
    return Section(function, name, init, given.get("start"), given.get("end"), unclear)


class Coverage(msgspec.Struct, frozen=True):
    """The answer for one section: yes where ``objections`` is empty.

    ``transitions`` are those that happen, in words; ``relied_on`` what a yes depends on
    outside the function.
    """

    section: Section
    objections: tuple[Objection, ...]
    transitions: tuple[str, ...]
    relied_on: tuple[Evidence, ...] = ()

    @property
    def covered(self) -> bool:
        """Whether change_pte() is told of all that happens in the section."""
        return not self.objections


def coverage_of(section: Section, known: Mapping[str, Function]) -> Coverage:
    """Examine a section; ``known`` are the functions of its file by name."""
    if section.unclear:
        line = section.init.line if section.init is not None else section.function.line
        place = Place(section.function.path, line)
        return Coverage(section, (Objection(UNCLEAR, place, section.unclear, section.init),), ())
    judge = _Judge(section, known)
    found = tuple(dict.fromkeys(judge.objections()))
    # What is certain of a line is not said again as a doubt.
    certain = {one.place for one in found if one.sure and one.code == UNTOLD}
    kept = tuple(o for o in found if o.sure or o.code != UNTOLD or o.place not in certain)
    words = sorted({_words(one) for one in judge.transitions if one.page})
    return Coverage(section, kept, tuple(words), tuple(judge.relied))


class _Judge:
    def __init__(self, section: Section, known: Mapping[str, Function]) -> None:
        self.section = section
        self.function = section.function
        self.known = known
        self.relied: list[Evidence] = []
        self.walk = EntryWalk(known, section.name)
        self.result = walk(section.function, self.walk)
        self.transitions = sorted(self.walk.transitions)

    def objections(self) -> Iterator[Objection]:
        """In this order: what is changed and not told, what does not fit, what goes too far."""
        yield from self._pageless()
        yield from self._untold()
        yield from self._misfits()
        if not self.transitions:
            reason = "set_pte_at_notify() is not reached in it"
            yield self._at(UNTOLD, self.function.line, reason)
        for found in self.transitions:
            yield from self._forbidden(found)
        yield from self._let_go()

    def _let_go(self) -> Iterator[Objection]:
        """Without the flag range_start() takes the guest off the page; with it change_pte()."""
        for one in released_early(Program(self._beneath()), self.function):
            call = one.event.expr
            assert call is not None
            verb = "may let" if one.unsure else "lets"
            reason = f"{call.name}() {verb} {one.page} go before change_pte() is told"
            yield Objection(LET_GO, one.event.place, reason, call, one.steps, not one.unsure)

    def _beneath(self) -> tuple[Function, ...]:
        """The section's function, and those of its file that it reaches by name."""
        found = {self.function.name: self.function}
        ahead = [self.function]
        while ahead:
            names = {call.name for call in calls(ahead.pop().body) if call.name}
            for name in sorted(names - found.keys()):
                callee = self.known.get(name)
                if callee is not None:
                    found[name] = callee
                    ahead.append(callee)
        return tuple(found.values())

    def _at(self, code: str, line: int, reason: str) -> Objection:
        return Objection(code, Place(self.function.path, line), reason)

    def _seen(self, found: Transition, code: str, reason: str, sure: bool, *more: Step
              ) -> Objection:  # fmt: skip
        witness = self.walk.witnesses[found]
        place = Place(self.function.path, found.line)
        steps = (*witness.steps, *more)
        return Objection(code, place, reason, witness.event.expr, steps, sure)

    def _pageless(self) -> Iterator[Objection]:
        for found in self.transitions:
            if not found.page:
                yield self._seen(found, NO_PAGE, PAGELESS, True)

    def _untold(self) -> Iterator[Objection]:
        for silent in (*sorted(self.walk.silent), *sorted(self.walk.unknown)):
            seen = self.walk.witnesses[silent]
            place = Place(self.function.path, silent.line)
            where = seen.event.expr or self.section.init
            yield Objection(UNTOLD, place, silent.reason, where, seen.steps, seen.sure)
        if not self.result.complete:
            reason = self.result.bounded or "a statement in it was not understood"
            yield self._at(UNTOLD, self.function.line, reason)

    # -- one page ----------------------------------------------------------------

    def _misfits(self) -> Iterator[Objection]:
        section = self.section
        init, start, end = section.init, section.start, section.end
        if init is None or start is None or end is None:
            return
        yield from beside(self.function, section.name, start)
        if isinstance(self.known, Definitions):
            yield from hidden(self.function, section.name, self.known.macros)
        bounds = bounds_of(self.function)
        if bounds.resolved(start) is not start:
            yield from moved(self.function, _unmasked(bounds.resolved(start)))
        page = int(load("ranges")["sizes"]["PAGE_SIZE"])
        width = bounds.sum(end).minus(bounds.sum(start))
        if width.number != page:
            place = Place(self.function.path, init.line)
            sure = all(factor > 0 and _multiple(term) for term, factor in width.terms)
            shown = f"{text(start)} to {text(end)}"
            verb = "spans" if sure else "may span"
            reason = f"the section {verb} several pages ({shown})"
            if width.number is not None and width.number < page:
                reason = f"the section is shorter than a page ({shown})"
            yield Objection(MISFIT, place, reason, init, (), sure)
        first = bounds.sum(_unmasked(bounds.resolved(start)))
        for found in self.transitions:
            call = self.walk.witnesses[found].event.expr
            assert call is not None
            told = _unmasked(bounds.resolved(call.args[2]))
            distance = bounds.sum(told).minus(first).number
            if distance is None:
                reason = f"the notified address {found.address} may lie outside"
                yield self._seen(found, MISFIT, reason, False)
            elif not 0 <= distance < page:
                reason = f"the notified address {found.address} lies outside"
                yield self._seen(found, MISFIT, reason, True)

    # -- transitions -------------------------------------------------------------

    def _forbidden(self, found: Transition) -> Iterator[Objection]:
        """Why a transition is none that change_pte() can follow."""
        if not found.page or (found.frame == OLD and found.write == READ_ONLY):
            return
        if found.write not in (READ_ONLY, WRITABLE, MAYBE):
            reason = "the new entry's write permission is not known"
            yield self._seen(found, FORBIDDEN, reason, False)
        elif found.old_write == READ_ONLY:
            return
        elif not found.need:
            sure = found.frame != OLD and self.walk.witnesses[found].sure
            reason = "the old entry is not known to be read-only"
            if sure:
                reason = "the old entry may be writable, and another page takes its place"
            yield self._seen(found, FORBIDDEN, reason, sure)
        else:
            yield from self._above(found)

    def _above(self, found: Transition) -> Iterator[Objection]:
        """A transition that is allowed if the callers give a read-only entry."""
        above = read_only_at_callers(self.function, found.need, self.known)
        if above is None:
            place = Place(self.function.path, self.function.line)
            self.relied.append(Evidence(place, f"{found.need} is read-only"))
            return
        shown = Step(above.place, above.text)
        sure = found.frame != OLD and above.text.endswith("is not known to be read-only here")
        inside = above.place.path == self.function.path and (
            self.function.line <= above.place.line <= self.function.end_line
        )
        reason = above.text if inside else f"{above.place}: {above.text}"
        if sure:
            reason = f"{found.need} may be writable, and another page takes its place"
        yield self._seen(found, FORBIDDEN, reason, sure, shown)


def _words(found: Transition) -> str:
    frame = "same page" if found.frame == OLD else "another page"
    target = {READ_ONLY: "read-only", WRITABLE: "read-write", MAYBE: "read-write"}.get(
        found.write, "unknown"
    )
    if found.frame == OLD and found.write == READ_ONLY:
        return f"read-write to read-only, {frame}"
    return f"read-only to {target}, {frame}"


def _multiple(term: str) -> bool:
    """Whether a term is a constant of the kernel's, or such a multiple of one."""
    return bool(_CONSTANT.fullmatch(term)) and "PAGE_SHIFT" not in term


def _unmasked(address: Expr) -> Expr:
    """``address`` for ``address & PAGE_MASK``: the same page."""
    plain = bare(address)
    if plain.kind == "binary" and plain.name == "&" and bare(plain.args[1]).name == "PAGE_MASK":
        return bare(plain.args[0])
    return address
