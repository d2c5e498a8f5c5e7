# SPDX-License-Identifier: GPL-2.0-only
"""Whether the changes in a section lie inside the bounds of its range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.extent.beyond import Beyond
from patchgen.analysis.extent.bounds import Sum, bounds_of
from patchgen.analysis.extent.changes import Change, change_of, changes_of
from patchgen.analysis.extent.reach import Reached
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.ranges import Ranges
from patchgen.analysis.sections.sites import INIT, arguments, initialisers, range_of, role
from patchgen.analysis.sections.state import OPEN, Range
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Place
from patchgen.model.code import Block, Expr, ExprStmt, For, Function, If, Return
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, statements, subexpressions, substitute, text

_ADJUSTED = "adjusted"
_MASKS = {"PAGE_SIZE": " & PAGE_MASK", "HPAGE_PMD_SIZE": " & HPAGE_PMD_MASK",
          "HPAGE_PUD_SIZE": " & HPAGE_PUD_MASK"}  # fmt: skip


class Narrow(msgspec.Struct, frozen=True):
    """A change that its section does not cover."""

    event: Event
    message: str
    steps: tuple[Step, ...]


class Widths(Observer):
    """Holds the changes of one function against the ranges that are open."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.program = ranges.program
        self.ranges = ranges
        self.function = function
        self.bounds = bounds_of(function)
        self.naming = ranges.naming(function)
        self.beyond = Beyond(ranges, function)
        self.inits: dict[int, Expr] = {}
        self.found: dict[tuple[Place, str], Narrow] = {}
        self.open_questions: dict[Place, str] = {}

    def watches(self, call: Expr) -> bool:
        name = call.name
        if name in initialisers() or name in load("ranges")["changes"]:
            return True
        if name in names("ranges", "adjust", "functions"):
            return True
        if name in names("ranges", "unshares", "functions"):
            return True
        if role(call) or not name:
            return False
        changes, unshares = self._callee(name)
        return unshares or bool(changes) or self.beyond.of(call) != Reached()

    def call(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> frozenset[str]:
        call = event.expr
        assert call is not None
        if role(call) == INIT:
            target = range_of(call)
            if target is None:
                return notes
            key = self.naming.key(target)
            self.inits[call.span.start] = call
            kept = {note for note in notes if not note.startswith(f"{key}@")}
            return frozenset(kept | {f"{key}@{call.span.start}"})
        if call.name in names("ranges", "adjust", "functions"):
            return notes | {_ADJUSTED}
        opened = dict(self._open(notes, ranges))
        self._as_far(call, event, here, opened)
        covering = {key: arguments(init) if init else {} for key, init in opened.items()}
        if covering and _ADJUSTED not in notes and not self._adjusted_for_hugetlb(call):
            self._held_against(call, event, here, covering)
        return notes

    def _open(
        self, notes: frozenset[str], ranges: Mapping[str, Range]
    ) -> Iterator[tuple[str, Expr | None]]:
        """Open ranges with their initialisation (None if unknown)."""
        for key, known in ranges.items():
            if known.state == OPEN:
                at = next((n for n in notes if n.startswith(f"{key}@")), "")
                offset = at.rpartition("@")[2]
                yield key, self.inits.get(int(offset)) if offset else None

    def leaves(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> None:
        """An entry for the caller to change, and a section that does not cover all it maps."""
        size = self._handed_out(event)
        for key, init in self._open(notes, ranges) if size else ():
            given = arguments(init) if init is not None else {}
            if "start" not in given or not key.startswith("*"):
                continue
            length = self.bounds.sum(given["end"]).minus(self.bounds.sum(given["start"])).number
            if length is not None and 0 < length < int(load("ranges")["sizes"][size]):
                message = (
                    f"the caller gets an entry that maps {size}, and the range from "
                    f"{text(given['start'])} to {text(given['end'])} for it"
                )
                self._add(event, message, here)

    def _handed_out(self, event: Event) -> str:
        """The size that an entry maps which is stored for the caller just above a return."""
        maps: dict[str, str] = {f"{kind} **": size for kind, size in load("ranges")["maps"].items()}
        types = {param.name: param.type for param in self.function.params}
        for block in statements(self.function.body):
            body = block.body if isinstance(block, Block) else ()
            if not any(isinstance(s, Return) and s.span.start <= event.span.start < s.span.end
                       for s in body):  # fmt: skip
                continue
            for stmt in body:
                stored = bare(stmt.expr) if isinstance(stmt, ExprStmt) else None
                if stored is None or stored.kind != "assign":
                    continue
                left = bare(stored.args[0])
                if left.kind == "unary" and left.name == "*" and stmt.span.start < event.span.start:
                    return maps.get(types.get(bare(left.args[0]).name, ""), "")
        return ""

    def _as_far(
        self, call: Expr, event: Event, here: Here, opened: Mapping[str, Expr | None]
    ) -> None:
        """A call that goes further than every open range, also where they are adjusted.

        Adjusting covers shared tables; where none can be shared, the bounds stay.
        """
        said = ""
        for key, init in opened.items():
            said = self.beyond.message(call, key, init) if init is not None else ""
            if not said:
                break
        if said:
            self._add(event, said, here)
        elif opened and self.beyond.of(call).open:
            why = f"how far {call.name}() goes: {self.beyond.of(call).open}"
            self.open_questions.setdefault(event.place, why)

    def _held_against(
        self, call: Expr, event: Event, here: Here, covering: dict[str, dict[str, Expr]]
    ) -> None:
        if call.name in names("ranges", "unshares", "functions"):
            if self._steps_by_tables(call):
                return
            if all(given and not self._by_tables(given) for given in covering.values()):
                message = (
                    f"{call.name}() unmaps a whole shared table, and the range of the section "
                    "was not adjusted for that"
                )
                self._add(event, message, here)
            return
        direct = change_of(call)
        for one in (direct,) if direct is not None else self._substituted(call):
            if all(self._outside(one, key, given) for key, given in covering.items()):
                first = next(iter(covering.values()))
                shown = f"{text(first['start'])} to {text(first['end'])}"
                message = f"{one.call.name}() at {text(one.address)} reaches beyond {shown}"
                self._add(event, message, here)
        whole = any(self._by_tables(given) for given in covering.values())
        if direct is not None:
            return
        if self._callee(call.name)[1] and not whole:
            why = f"{call.name}() may unmap shared huge page tables beyond the range"
            self.open_questions.setdefault(event.place, why)
        for callee in self.program.named(call.name, self.function.path):
            why = changes_of(self.program).changes(callee).open
            if why:
                self.open_questions.setdefault(event.place, why)

    def _add(self, event: Event, message: str, here: Here) -> None:
        if (event.place, message) not in self.found:
            self.found[event.place, message] = Narrow(event, message, here.steps(event))

    def _adjusted_for_hugetlb(self, call: Expr) -> bool:
        """Whether the function adjusts a range above, if the mapping is hugetlb's.

        The test is asked again where it matters, on an object that calls in between
        get the address of members of: that counts as the same answer.
        """
        adjusts = names("ranges", "adjust", "functions")
        tests = names("ranges", "unshares", "tests")
        return any(
            isinstance(stmt, If)
            and stmt.span.start < call.span.start
            and any(part.name in tests for part in subexpressions(stmt.test))
            and any(part.kind == "call" and part.name in adjusts for part in every(stmt.then))
            for stmt in statements(self.function.body)
        )

    def _steps_by_tables(self, call: Expr) -> bool:
        """Whether a loop around the call goes from table to table: ``+= PUD_SIZE``."""
        return any(
            isinstance(stmt, For)
            and call.span.start in stmt.span
            and stmt.step is not None
            and stmt.step.kind == "assign"
            and stmt.step.name == "+="
            and bare(stmt.step.args[1]).name == "PUD_SIZE"
            for stmt in statements(self.function.body)
        )

    def _by_tables(self, given: dict[str, Expr]) -> bool:
        """Whether the bounds are those of whole tables, or of a whole mm."""
        return all(name in given and self._is_table_bound(given[name]) for name in ("start", "end"))

    def _is_table_bound(self, bound: Expr) -> bool:
        """Written with PUD_SIZE or PUD_MASK, here or where every caller computes it."""
        resolved = bare(self.bounds.resolved(bound))
        shown = text(resolved)
        if "PUD_" in shown or shown in ("0", "-1UL", "ULONG_MAX"):
            return True
        params = [param.name for param in self.function.params]
        if resolved.kind != "name" or resolved.name not in params:
            return False
        position = params.index(resolved.name) + 1
        found = [
            "PUD_" in text(bounds_of(caller).resolved(call.args[position]))
            for caller in self.ranges.callers(self.function.name)
            for call in self.program.calls(caller)
            if call.name == self.function.name and position < len(call.args)
        ]
        return bool(found) and all(found)

    def _outside(self, one: Change, key: str, given: dict[str, Expr]) -> bool:
        """Whether the change certainly leaves the range; False where it is open."""
        if "start" not in given:
            return False
        start, end = given["start"], given["end"]
        members = {f"{key}.start": start, f"{key}.end": end}
        address = _members_replaced(one.address, members)
        if not all(self.bounds.steady(part) for part in (address, start, end)):
            return False
        mask = _MASKS.get(one.size, "")
        at, low, high = (_aligned(self.bounds.sum(e), mask) for e in (address, start, end))
        below = at.minus(low).number
        above = high.minus(at.plus(int(load("ranges")["sizes"][one.size]))).number
        return (below is not None and below < 0) or (above is not None and above < 0)

    # -- what callees change ---------------------------------------------------

    def _callee(self, name: str) -> tuple[tuple[Change, ...], bool]:
        """What functions of this name change, and whether they may unmap shared tables."""
        named = self.program.named(name, self.function.path)
        of = changes_of(self.program)
        return (
            tuple(one for callee in named for one in of.changes(callee).found),
            any(map(of.unshares, named)),
        )

    def _substituted(self, call: Expr) -> Iterator[Change]:
        for callee in self.program.named(call.name, self.function.path)[:1]:
            values = {p.name: a for p, a in zip(callee.params, call.args[1:], strict=False)}
            for one in self._callee(call.name)[0]:
                yield Change(one.call, substitute(one.address, values), one.size)


def _members_replaced(expr: Expr, members: dict[str, Expr]) -> Expr:
    """``expr`` with ``range.start`` replaced by what the range was initialised with."""
    given = members.get(text(expr)) if expr.kind in ("member", "arrow") else None
    if given is not None:
        return given
    if not expr.args:
        return expr
    args = tuple(_members_replaced(arg, members) for arg in expr.args)
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)


def _aligned(address: Sum, mask: str) -> Sum:
    """The sum with ``X & mask`` taken for X: a primitive acts on the whole page of X."""
    terms: dict[str, int] = {}
    for term, factor in address.terms:
        plain = term.removesuffix(mask)
        if plain != term and plain.startswith("(") and plain.endswith(")"):
            plain = plain[1:-1]
        terms[plain] = terms.get(plain, 0) + factor
    return Sum(tuple(sorted((t, n) for t, n in terms.items() if n)), address.size)
