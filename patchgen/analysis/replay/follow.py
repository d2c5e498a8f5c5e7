# SPDX-License-Identifier: GPL-2.0-only
"""A way that was found is gone again, with all that its branches ask for noted as terms.

The walk that found it knows ranges of single values.  Here each value is the term that the
code makes of what it began with, and each branch a condition on terms: together they say
which inputs take this way, if any does (:mod:`patchgen.analysis.replay.solve`).

What other code may write is forgotten where it runs, what a loop sets where the loop goes
round again: of both the walk has judged already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.node import CHOICE, FORK, LEAVE, PASS, STEP, SWITCH, Node
from patchgen.analysis.engine.checker import Trail
from patchgen.analysis.engine.walk import graph_of
from patchgen.analysis.replay.declared import PARAMETER, Declarations
from patchgen.analysis.replay.evaluate import Evaluator, Frame, moved
from patchgen.analysis.replay.memory import Global, Place, Pointee, Subscript, Variable
from patchgen.analysis.replay.terms import (
    ONE,
    ZERO,
    Address,
    Number,
    Term,
    Unclear,
    Unknown,
    binary,
    chosen,
    converted,
    leaves,
    truth,
    unary,
)
from patchgen.analysis.values.types import INT
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare

#: Nodes of one way; a longer one is not gone again.
_LONGEST = 50_000


class Lost(Exception):
    """The way cannot be gone again; says where."""


class Follower:
    """One way, gone again; ``conditions`` are what must not be zero on it."""

    def __init__(
        self, declarations: Declarations, is_quiet: Callable[[Expr], bool], choice: int = 0
    ) -> None:
        """``is_quiet`` tells of a call whose code is not at hand that it changes nothing.

        ``choice`` says which of several tables a pointer leads to; ``choices`` how many
        there were.
        """
        self.conditions: list[Term] = []
        self.choices = 1
        self._choice = choice
        self._declared = declarations
        self._is_quiet = is_quiet
        self._evaluator = Evaluator(declarations)
        self._memory = self._evaluator.memory
        self._frames = 0
        self._nodes = 0
        self._escaped: set[Hashable] = set()

    def go(self, trail: Trail, given: tuple[Term, ...] | None = None) -> Term:
        """Go a way through a function; what it returns.  Lost where that cannot be done."""
        frame = Frame(self._frames, trail.function)
        self._frames += 1
        self._bind(frame, given)
        left: deque[tuple[Event, Trail | None]] = deque()
        path = trail.path
        while path is not None:
            left.appendleft((path[1], path[3]))
            path = path[0]
        return self._through(trail, frame, left)

    def _bind(self, frame: Frame, given: tuple[Term, ...] | None) -> None:
        function = frame.function
        self._evaluator.path = function.path
        for number, param in enumerate(function.params):
            if given is not None and number < len(given):
                kind = self._declared.named(param.type, function.path)
                place = Place(Variable(frame.number, param.name, PARAMETER))
                self._memory.store(place, converted(given[number], kind))

    def _through(self, trail: Trail, frame: Frame, left: deque[tuple[Event, Trail | None]]) -> Term:
        graph = graph_of(trail.function)
        number, visited = graph.entry, dict[int, int]()
        while True:
            self._nodes += 1
            if self._nodes > _LONGEST:
                raise Lost("it is too long")
            node = graph.nodes[number]
            if number in visited:
                self._memory.forget(visited[number])
            visited[number] = self._memory.length
            if trail.last is not None and not left and trail.last.node == number:
                return self._enter_last(trail, frame)
            if node.shape == PASS:
                number = node.next
            elif node.shape == STEP:
                self._step(node, number, frame, left)
                number = node.next
            elif node.shape in (FORK, CHOICE, SWITCH):
                number = self._branch(node, number, frame, left)
            elif node.shape == LEAVE:
                return self._returned(node, frame)
            else:
                raise Lost("it ends before its end")

    def _enter_last(self, trail: Trail, frame: Frame) -> Term:
        """The event at which the way stops, or goes on in a callee."""
        call = trail.last.expr if trail.last is not None else None
        if trail.inner is not None and call is not None:
            self.go(trail.inner, self._arguments(call, frame))
        return ONE

    def _returned(self, node: Node, frame: Frame) -> Term:
        event = node.event
        if event is None or event.expr is None:
            return Unclear("no value is returned")
        value = self._evaluator.value(event.expr, frame)
        function = frame.function
        return converted(value, self._declared.named(function.result, function.path))

    # -- branches -----------------------------------------------------------

    def _branch(
        self, node: Node, number: int, frame: Frame, left: deque[tuple[Event, Trail | None]]
    ) -> int:
        if not left or left[0][0].node != number:
            raise Lost(f"line {node.event.line if node.event else frame.function.line}")
        event = left.popleft()[0]
        if node.shape == SWITCH:
            return self._case(node, event, frame)
        assert node.no is not None
        if node.shape == CHOICE:
            for cursor in node.loops:
                place = self._evaluator.place(cursor, frame)
                if place is not None:
                    self._memory.fill(place, zero=False)
        elif event.expr is not None:
            test = self._evaluator.value(event.expr, frame)
            self._must(truth(test) if event.polarity else unary("!", test))
        return node.next if event.polarity else node.no[1]

    def _must(self, condition: Term) -> None:
        if condition != ONE:
            self.conditions.append(condition)

    def _case(self, node: Node, event: Event, frame: Frame) -> int:
        """A switch: its value is that of the case, or none of the others'."""
        tests = [self._matches(case[1], frame) for case in node.cases]
        for (constant, one, target), test in zip(node.cases, tests, strict=True):
            if one.opaque == event.opaque and one.line == event.line and one.expr == event.expr:
                if constant is None:
                    for other in tests:
                        if other is not None:
                            self._must(unary("!", other))
                elif test is not None:
                    self._must(test)
                return target
        raise Lost(f"line {event.line}")

    def _matches(self, case: Event, frame: Frame) -> Term | None:
        if case.opaque or case.expr is None:
            return None
        value, wanted = case.expr.args
        term = self._evaluator.value(value, frame)
        if wanted.kind == "binary" and wanted.name == "...":
            low, high = (self._evaluator.value(part, frame) for part in wanted.args)
            return chosen(binary("<=", low, term), binary("<=", term, high), ZERO)
        return binary("==", term, self._evaluator.value(wanted, frame))

    # -- steps ----------------------------------------------------------------

    def _step(
        self, node: Node, number: int, frame: Frame, left: deque[tuple[Event, Trail | None]]
    ) -> None:
        event = node.event
        if event is None:
            return
        inner = None
        if left and left[0][0].node == number:
            inner = left.popleft()[1]
        if event.kind == events.CALL and event.expr is not None:
            self._call(event.expr, frame, inner)
        elif event.kind == events.ASSIGN and event.expr is not None:
            self._assigned(event.expr, frame)
        elif event.kind == events.DECL:
            self._declares(event, frame)
        elif event.kind == events.DEREF and event.expr is not None:
            pointer = self._evaluator.value(event.expr, frame)
            if isinstance(pointer, Unknown):  # no NULL, and no error
                self._must(binary(">", converted(pointer, None), Number(0)))
        elif event.kind in (events.ASM, events.UNKNOWN):
            self._others()

    def _assigned(self, expr: Expr, frame: Frame) -> None:
        left = bare(expr.args[0])
        place = self._evaluator.place(left, frame)
        if place is None:
            return
        kind = self._declared.type_of(left, frame.function)
        if expr.kind == "assign" and expr.name == "=":
            self._set(place, left, expr.args[1], frame)
            return
        before = self._memory.load(place, kind)
        by = ONE if expr.kind != "assign" else self._evaluator.value(expr.args[1], frame)
        operator = expr.name[:-1] if expr.kind == "assign" else expr.name[0]
        made = moved(operator, before, by) or binary(operator, before, by)
        self._memory.store(place, converted(made, kind))

    def _set(self, place: Place, left: Expr, right: Expr, frame: Frame) -> None:
        """A store to an object, a structure included."""
        plain = bare(right)
        written = self._declared.written(left, frame.function)
        kind = self._declared.named(written, frame.function.path)
        if plain.kind in ("init", "compound"):
            init = plain if plain.kind == "init" else plain.args[0]
            path = frame.function.path
            self._filled(place, init, self._declared.struct_of(written, path), path, frame)
            return
        source = self._evaluator.place(plain, frame) if kind is None else None
        value = self._evaluator.value(right, frame)
        if source is not None and "*" not in written:
            self._memory.copy(place, source)
        elif kind is None and "*" not in written:
            self._memory.fill(place, zero=False)
        self._memory.store(place, converted(value, kind))

    def _filled(self, place: Place, init: Expr, struct: str, path: str, frame: Frame) -> None:
        """A structure's initialiser: what it does not name is zero."""
        members = self._declared.members(struct, path)
        plain = not init.args or (len(init.args) == 1 and _is_zero(init.args[0]))
        positional = any(part.kind != "field" for part in init.args)
        self._memory.fill(place, zero=plain or not positional or bool(members))
        if not struct and not plain and all(part.kind != "field" for part in init.args):
            self._elements(place, init, path, frame)
            return
        at = 0
        for part in () if plain else init.args:
            words = part.name.split(".") if part.kind == "field" else [*members[at : at + 1]]
            if not words or not all(word.isidentifier() for word in words):
                self._memory.fill(place, zero=False)
                return
            at = members.index(words[0]) + 1 if words[0] in members else len(members)
            self._field(place, words, part, (struct, path), frame)

    def _elements(self, place: Place, init: Expr, path: str, frame: Frame) -> None:
        """An array's initialiser: what it does not have is zero."""
        self._memory.fill(place, zero=True)
        for number, part in enumerate(init.args):
            element = place.below(Subscript(Number(number, INT)))
            if bare(part).kind == "init":
                self._filled(element, bare(part), "", path, frame)
            else:
                self._memory.store(element, self._evaluator.value(part, frame))

    def _field(
        self, place: Place, words: list[str], part: Expr, where: tuple[str, str], frame: Frame
    ) -> None:
        struct, path = where
        value = part.args[0] if part.kind == "field" else part
        if bare(value).kind != "init":
            inner, written = struct, ""
            for word in words:
                written = self._declared.member(inner, word, path)
                inner = self._declared.struct(inner, word, path)
            kind = self._declared.named(written, path)
            value_of = self._evaluator.value(value, frame)
            self._memory.store(place.below(*words), converted(value_of, kind))
            return
        for word in words:
            struct = self._declared.struct(struct, word, path)
        self._filled(place.below(*words), bare(value), struct, path, frame)

    def _declares(self, event: Event, frame: Frame) -> None:
        name = Expr("name", event.name, (), event.span, event.line)
        place = self._evaluator.place(name, frame)
        if place is None:
            return
        if event.expr is None:
            self._memory.fill(place, zero=False)
        else:
            self._set(place, name, event.expr, frame)

    # -- calls ------------------------------------------------------------------

    def _arguments(self, call: Expr, frame: Frame) -> tuple[Term, ...]:
        return tuple(self._evaluator.value(part, frame) for part in call.args[1:])

    def _call(self, call: Expr, frame: Frame, inner: Trail | None) -> None:
        if inner is not None:
            self._through_pointer(call, inner.function, frame)
            result = self.go(inner, self._arguments(call, frame))
            self._evaluator.path = frame.function.path
        elif (known := self._evaluator.computed(call, frame)) is not None:
            result = known
        elif call.name in names("evaluation", "fills", "functions") and len(call.args) > 3:
            result = self._fills(call, frame)
        elif self._is_quiet(call):
            result = self._evaluator.called(call, frame)
        else:
            result = self._elsewhere(call, frame)
        frame.results[id(call)] = (call, result)

    def _through_pointer(self, call: Expr, function: Function, frame: Frame) -> None:
        """A call through a member of a table enters what the table was initialised with.

        So the table is one of those that have this function there, where no code sets the
        member to it.
        """
        callee = bare(call.args[0])
        if call.name or callee.kind not in ("arrow", "member"):
            return
        place = self._evaluator.place(callee, frame)
        held = self._declared.holders(callee.name, function.name, function.path)
        if place is None or not held:
            return
        found = self._memory.load(place, None)
        if isinstance(found, Address):
            self._must(binary("==", found, Address(Global(function.name), ())))
        elif isinstance(place.base, Pointee) and len(place.path) == 1:
            self.choices = max(self.choices, len(held))
            chosen_one = held[min(self._choice, len(held) - 1)]
            self._evaluator.leads_to[place.base.pointer] = Place(Global(chosen_one))

    def _fills(self, call: Expr, frame: Frame) -> Term:
        """memset(), memcpy(): what an argument points to is set."""
        to, what = self._arguments(call, frame)[:2]
        if call.name == "memset":
            zero = binary("==", what, ZERO) == ONE
            self._memory.fill(self._evaluator.place_at(to), zero)
        else:
            there = self._evaluator.place_at
            self._memory.copy(there(to), there(what))
        return to

    def _elsewhere(self, call: Expr, frame: Frame) -> Term:
        """Code that is not at hand: it may write what it is given, and all that is shared."""
        for argument in self._arguments(call, frame):
            for part in (argument, *leaves(argument)):
                if isinstance(part, Address) and isinstance(part.base, Variable):
                    self._escaped.add(part.base)
        self._others()
        written = self._declared.written(call, frame.function)
        kind = self._declared.named(written, frame.function.path)
        return Unknown(("result", self._memory.length, id(call)), kind)

    def _others(self) -> None:
        self._memory.others(frozenset(self._escaped))
        self._evaluator.moment = self._memory.length


def _is_zero(expr: Expr) -> bool:
    return expr.kind == "const" and expr.name == "0"
