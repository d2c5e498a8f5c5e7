# SPDX-License-Identifier: GPL-2.0-only
"""How far the code of a function goes with its changes of page table entries.

A change in a loop over addresses reaches to the bound of the loop, a call as far as the
callee goes with the bounds that it is given, a page table walk as far as it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.extent.addresses import choices, highest, once
from patchgen.analysis.extent.rounds import Reach, all_rounds
from patchgen.analysis.extent.walks import (
    address_of,
    alters,
    walk_arguments,
    walk_callbacks,
    walk_forms,
)
from patchgen.analysis.sections.sites import role
from patchgen.analysis.values.local_values import Loop, Values
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Decl, Expr, Function, While
from patchgen.source.c.text import bare, every, root, statements, subexpressions, substitute, text

#: Stands for an end that is as far away as the page is long that a walk is for.
_WHOLE_PAGE = "the end of its page"


class Reached(msgspec.Struct, frozen=True):
    """How far a function, or a call, goes; ``open`` says why it may go further, or ""."""

    reaches: tuple[Reach, ...] = ()
    open: str = ""


def entered(program: Program, function: Function, call: Expr) -> tuple[Function, ...]:
    """The functions that a call, or the page table walk that it is, enters."""
    if not call.name:
        return ()
    if call.name in walk_forms():
        return tuple(walk_callbacks(program, function, call))
    return program.named(call.name, function.path)[:1]


class _Alters:
    """Whether a function, or what it calls, changes entries without a section."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        for call in self.program.calls(node.function):
            for callee in entered(self.program, node.function, call):
                yield Node(callee, None)

    def start(self, node: Node[None]) -> bool:
        return False

    def compute(self, node: Node[None], ask: Callable[[Node[None]], bool]) -> bool:
        calls = self.program.calls(node.function)
        if any(role(call) for call in calls):
            return False
        return any(map(alters, calls)) or any(map(ask, self.callees(node)))

    def same(self, before: bool, after: bool) -> bool:
        return before == after

    def unsettled(self, node: Node[None], first: bool) -> bool:
        raise AssertionError("yes and no settle")


class Reaches:
    """The reaches of a program's functions, each found once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._values: dict[int, Values] = {}
        self._summaries = Summaries(self)
        self._alters = Summaries(_Alters(program))
        self._walkers: dict[int, list[Function]] | None = None
        self._files: dict[str, dict[str, list[Expr]]] = {}

    def values(self, function: Function) -> Values:
        """The variables of a function."""
        found = self._values.get(id(function))
        if found is None:
            found = self._values[id(function)] = Values(function)
        return found

    def may_alter(self, function: Function) -> bool:
        """Whether the function, or what it calls, changes entries without a section."""
        return self._alters.of(Node(function, None))

    def walkers(self, callback: Function) -> list[Function]:
        """Functions that start a page table walk which calls ``callback``."""
        if self._walkers is None:
            self._walkers = {}
            for function in self.program.functions:
                for call in self.program.calls(function):
                    for called in walk_callbacks(self.program, function, call):
                        self._walkers.setdefault(id(called), []).append(function)
        return self._walkers.get(id(callback), [])

    def walk_alters(self, function: Function, call: Expr) -> bool:
        """Whether a callback of a page table walk changes entries.

        Under any configuration: options that no notifier depends on are not turned for it.
        """
        callbacks = tuple(walk_callbacks(self.program, function, call))
        if any(map(self.may_alter, callbacks)):
            return True
        whole = self._whole(function.path) if callbacks else {}
        seen: set[str] = set()
        todo = [callback.name for callback in callbacks]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                for called in whole.get(name, ()):
                    if alters(called):
                        return True
                    todo.append(called.name)
        return False

    def _whole(self, path: str) -> dict[str, list[Expr]]:
        """The calls of a file's functions by name, of all configurations."""
        if path not in self._files:
            found: dict[str, list[Expr]] = {}
            for function in self.program.whole(path):
                found.setdefault(function.name, []).extend(self.program.calls(function))
            self._files[path] = found
        return self._files[path]

    def of_call(self, function: Function, call: Expr) -> Reached:
        """How far one call goes, the loops around it counted, in values at the call."""
        return self._of_call(function, call, self._summaries.of)

    def of(self, function: Function) -> Reached:
        """How far a function goes between addresses that its caller gives."""
        return self._summaries.of(Node(function, None))

    def _of_call(
        self, function: Function, call: Expr, ask: Callable[[Node[None]], Reached]
    ) -> Reached:
        values = self.values(function)
        at = float(call.span.start)
        found: list[Reach] = []
        why = ""
        if alters(call):
            address = address_of(call)
            if address is not None:
                shown = values.at(address, at)
                found += self._rounds(function, call, Reach((shown,), (shown,)))
                found.append(Reach((shown,), (shown,)))
        elif call.name in walk_forms():
            given = walk_arguments(call)
            if given and self.walk_alters(function, call):
                start, end = given["start"], given["end"]
                low = choices(values.at(start, at), "highest")
                found.append(Reach(low, highest(values.at(end, at), low)))
        else:
            for callee in entered(self.program, function, call):
                inner = ask(Node(callee, None)) if self.may_alter(callee) else Reached()
                why = why or inner.open
                found += _given(values, callee, call, inner)
        found += [wider for one in tuple(found) for wider in self._widened(values, call, one)]
        return Reached(tuple(found), why)

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        """What the function calls, where that changes entries."""
        for call in self.program.calls(node.function) if self.may_alter(node.function) else ():
            if not alters(call) and call.name not in walk_forms():
                for callee in entered(self.program, node.function, call):
                    if self.may_alter(callee):
                        yield Node(callee, None)

    def start(self, node: Node[None]) -> Reached:
        """Before the first round, a function of a circle goes nowhere."""
        return Reached()

    def compute(self, node: Node[None], ask: Callable[[Node[None]], Reached]) -> Reached:
        """How far a function goes, in terms of its parameters."""
        known: dict[tuple[str, ...], Reach] = {}
        why = ""
        if self.may_alter(node.function):
            params = {param.name for param in node.function.params}
            for call in self.program.calls(node.function):
                reached = self._of_call(node.function, call, ask)
                why = why or reached.open
                for one in reached.reaches:
                    inner = _in_terms_of(one, params)
                    if inner is not None:
                        known.setdefault(_shown(inner), inner)
        return Reached(tuple(known.values()), why)

    def same(self, before: Reached, after: Reached) -> bool:
        """Whether both go as far."""
        return (set(map(_shown, before.reaches)), bool(before.open)) == (
            set(map(_shown, after.reaches)), bool(after.open),
        )  # fmt: skip

    def unsettled(self, node: Node[None], first: Reached) -> Reached:
        """A function that calls itself with bounds that move on goes as far as nobody knows."""
        why = f"{node.function.name}() at {node.place} calls itself with other bounds"
        return msgspec.structs.replace(first, open=why)

    # -- loops ------------------------------------------------------------------

    def _widened(self, values: Values, call: Expr, one: Reach) -> Iterator[Reach]:
        """The reach with the rounds of each loop around the call, inner loops first."""
        for loop in reversed(values.loops):
            if not loop.span.start < call.span.start < loop.span.end:
                continue
            wider = all_rounds(values, loop, one)
            if wider is not None:
                yield wider
                one = wider

    def _rounds(self, function: Function, call: Expr, one: Reach) -> Iterator[Reach]:
        """Rounds of a walk of all entries that map a page, from its start address on."""
        values = self.values(function)
        for loop in values.loops:
            if not isinstance(loop, While) or call.span.start not in loop.body.span:
                continue
            for part in subexpressions(loop.test):
                if part.name not in names("ranges", "rounds", "functions") or len(part.args) < 2:
                    continue
                walk = bare(part.args[1])
                by_address = walk.kind == "unary" and walk.name == "&"
                name = root(walk.args[0] if by_address else walk)
                entry = values.at(call.args[-1], float(call.span.start))
                if not name or root(entry).partition("#")[0] != name:
                    continue
                start = _member(values, walk, name, by_address, loop)
                if start is not None:
                    whole = Expr("name", _WHOLE_PAGE, (), call.span, call.line)
                    yield Reach((start,), (whole,), (loop,))


def _member(values: Values, walk: Expr, name: str, by_address: bool, loop: Loop) -> Expr | None:
    """What the walk's member ``address`` holds when the loop begins."""
    at = float(loop.span.start)
    if not by_address:
        return values.at(Expr("arrow", "address", (walk,), walk.span, walk.line), at)
    for stmt in statements(values.function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.name == name and variable.init is not None:
                for field in variable.init.args:
                    if field.kind == "field" and field.name == "address" and field.args:
                        return values.at(field.args[0], float(variable.span.end))
    for part in every(values.function.body):
        places = load("ranges")["rounds"]["declare"].get(part.name) if part.kind == "call" else None
        if places and len(part.args) > max(places) + 1 and text(part.args[places[0] + 1]) == name:
            return values.at(part.args[places[1] + 1], float(part.span.start))
    return None


def _given(values: Values, callee: Function, call: Expr, inner: Reached) -> Iterator[Reach]:
    """How far a callee goes, with the bounds that the call gives it."""
    at = float(call.span.start)
    given = {p.name: a for p, a in zip(callee.params, call.args[1:], strict=False)}
    for one in inner.reaches:
        low = tuple(values.at(substitute(e, given), at) for e in one.low)
        low = tuple(part for e in low for part in choices(e, "highest"))
        high = tuple(values.at(substitute(e, given), at) for e in one.high)
        yield Reach(low, tuple(p for e in high for p in highest(e, low)))


def _shown(one: Reach) -> tuple[str, ...]:
    return (*map(text, one.low), "", *map(text, one.high))


def _in_terms_of(one: Reach, params: set[str]) -> Reach | None:
    """The reach in terms of parameters; None where a part of its end is not."""
    low = tuple(expr for expr in one.low if _only(expr, params))
    if not low or not all(_only(expr, params) for expr in one.high):
        return None
    return Reach(once(low), once(one.high))


def _only(expr: Expr, params: set[str]) -> bool:
    return all(
        part.name in params or part.name.isupper() or part.name == _WHOLE_PAGE
        for part in subexpressions(expr)
        if part.kind == "name"
    )


def reaches_of(program: Program) -> Reaches:
    """The reaches of a program, shared by everyone who asks."""
    return program.once(Reaches)
