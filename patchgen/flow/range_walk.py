# SPDX-License-Identifier: GPL-2.0-only
"""Sections of notifier ranges, followed along every path and across calls.

Each function that handles a range is walked; what it does to ranges of its caller
(a helper that opens a section, or closes it) is a summary that the callers' walks
apply.  Summaries depend on which pointers a call gives as NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from patchgen.flow import events
from patchgen.flow.events import Event
from patchgen.flow.knowledge import names
from patchgen.flow.naming import Naming
from patchgen.flow.program import Program, declared_type
from patchgen.flow.range_guards import guards
from patchgen.flow.range_sites import END, INIT, NONBLOCK, START, initialisers, range_of, role
from patchgen.flow.range_state import (
    DONE,
    FOREIGN,
    IGNORED,
    LEAK,
    LOST,
    OPEN,
    RAW,
    READY,
    Answer,
    Fault,
    Range,
    assigned,
    ended,
    handed_back,
    initialised,
    refused,
    started,
)
from patchgen.flow.text import bare, root, statements, text
from patchgen.flow.value import ANY, NEGATIVE, ZERO, Known
from patchgen.flow.walk import Checker, Here, Outcome, WalkResult, walk
from patchgen.model import Expr, ExprStmt, Function, Place, Step

#: Callees entered below one function, and steps of one walk.
DEPTH = 16
STEPS = 120_000


class _State(msgspec.Struct, frozen=True):
    """The ranges that the path has touched, by canonical text; decided guards."""

    ranges: frozenset[tuple[str, Range]] = frozenset()
    decided: frozenset[tuple[str, bool]] = frozenset()
    notes: frozenset[str] = frozenset()

    def get(self, key: str) -> Range | None:
        return next((known for name, known in self.ranges if name == key), None)

    def put(self, key: str, after: Range) -> _State:
        kept = {entry for entry in self.ranges if entry[0] != key}
        return msgspec.structs.replace(self, ranges=frozenset(kept | {(key, after)}))


class Observer:
    """A rule's own question, asked along the walk of one function.

    It keeps notes (strings) for each path; paths with different notes do not meet.
    """

    def watches(self, call: Expr) -> bool:
        """Whether :meth:`call` wants to see this call."""
        return False

    def call(
        self,
        notes: frozenset[str],
        ranges: Mapping[str, Range],
        event: Event,
        here: Here,
    ) -> frozenset[str] | tuple[tuple[frozenset[str], Known | None], ...]:
        """The notes after the call, asked before it takes effect on ``ranges``.

        Several, each with what the call evaluates to, split the path.
        """
        return notes

    def leaves(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> None:
        """The path leaves the function."""


class RangeExit(msgspec.Struct, frozen=True):
    """One way out: the caller's ranges that were touched, the value, the witness."""

    ranges: frozenset[tuple[str, Range]]
    value: Known
    event: Event
    steps: tuple[Step, ...]


class RangeFault(NamedTuple):
    """A misuse of a range, with its witness."""

    kind: str
    message: str
    event: Event
    function: Function
    steps: tuple[Step, ...]


class RangeSummary(msgspec.Struct, frozen=True):
    """What one function does to ranges; ``incomplete`` says why silence means nothing."""

    exits: tuple[RangeExit, ...] = ()
    faults: tuple[RangeFault, ...] = ()
    incomplete: str = ""


class Ranges:
    """Summaries of all functions of a program that handle ranges."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._done: dict[tuple[int, frozenset[tuple[str, bool]]], RangeSummary] = {}
        self._active: set[int] = set()
        self._namings: dict[int, Naming] = {}

    @cached_property
    def handlers(self) -> tuple[Function, ...]:
        """Functions that start or end a range, or call one that does so for them."""
        found = [f for f in self.program.functions if f.name not in initialisers()]
        direct = [f for f in found if any(role(c) for c in self.program.calls(f))]
        known = {id(f): f for f in direct}
        openers = {f.name for f in direct if self._exports(f)}
        todo = list(openers)
        while todo:
            name = todo.pop()
            for caller in self.callers(name):
                if id(caller) not in known:
                    known[id(caller)] = caller
                if caller.name not in openers and self._exports(caller):
                    openers.add(caller.name)
                    todo.append(caller.name)
        return tuple(f for f in found if id(f) in known)

    def _exports(self, function: Function) -> bool:
        """Whether the function, called with nothing known, touches a caller's range."""
        return any(one.ranges for one in self.of(function).exits)

    @cached_property
    def _callers(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for function in self.program.functions:
            for callee in {call.name for call in self.program.calls(function)} - {""}:
                found.setdefault(callee, []).append(function)
        return found

    def callers(self, name: str) -> list[Function]:
        """Functions with a call of ``name``."""
        return self._callers.get(name, [])

    def observe(self, function: Function, observer: Observer) -> str:
        """Walk ``function`` for an observer; why the walk is incomplete, or ""."""
        checker = _Checker(self, function, frozenset(), observer)
        return checker.summary(walk(function, checker, limit=STEPS)).incomplete

    def naming(self, function: Function) -> Naming:
        """How expressions of ``function`` read in terms of its parameters."""
        found = self._namings.get(id(function))
        if found is None:
            found = self._namings[id(function)] = Naming(function)
        return found

    def of(
        self, function: Function, given: frozenset[tuple[str, bool]] = frozenset()
    ) -> RangeSummary:
        """The summary; ``given`` are parameters known to be set (or NULL)."""
        key = (id(function), given)
        found = self._done.get(key)
        if found is not None:
            return found
        if id(function) in self._active or len(self._active) >= DEPTH:
            return RangeSummary()
        self._active.add(id(function))
        try:
            checker = _Checker(self, function, given)
            result = walk(function, checker, limit=STEPS)
        finally:
            self._active.discard(id(function))
        found = self._done[key] = checker.summary(result)
        return found


_known: WeakKeyDictionary[Program, Ranges] = WeakKeyDictionary()


def ranges_of(program: Program) -> Ranges:
    """The summaries of a program, shared by everyone who asks."""
    found = _known.get(program)
    if found is None:
        found = _known[program] = Ranges(program)
    return found


class _Checker(Checker[_State]):
    kinds = frozenset({events.CALL, events.ASSIGN, events.BRANCH, events.DECL})

    def __init__(
        self,
        ranges: Ranges,
        function: Function,
        given: frozenset[tuple[str, bool]],
        observer: Observer | None = None,
    ) -> None:
        self.observer = observer
        self.ranges = ranges
        self.function = function
        self.given = dict(given)
        self.naming = ranges.naming(function)
        self.exits: dict[tuple[frozenset[tuple[str, Range]], Known], RangeExit] = {}
        self.faults: dict[tuple[str, Place, str], RangeFault] = {}
        self.incomplete = ""
        self.locals: dict[str, bool] = {}
        self.ignored = _ignored(function)
        self.used = self._used()
        self.guards = guards(function)

    def _used(self) -> frozenset[str]:
        """The ranges that the function itself starts or ends."""
        calls = self.ranges.program.calls(self.function)
        targets = [range_of(call) for call in calls if role(call)]
        return frozenset(self._key(target) for target in targets if target is not None)

    def initial(self, function: Function) -> _State:
        return _State()

    def watches(self, event: Event) -> bool:
        expr = event.expr
        if event.kind == events.DECL:
            return self._is_range(event.name) and self._is_local(event.name)
        if event.kind == events.BRANCH:
            if event.opaque or expr is None:
                return False
            return bool(self.given) or text(expr) in self.guards
        if expr is None:
            return False
        if event.kind == events.ASSIGN:
            return bare(expr.args[0]).kind in ("member", "arrow", "name")
        if self.observer is not None and self.observer.watches(expr):
            return True
        return self._matters(expr)

    def _matters(self, call: Expr) -> bool:
        if role(call) or self._callees(call) or _passes_bounds(call):
            return True
        return bool(self._given_away(call))

    def _given_away(self, call: Expr) -> tuple[str, ...]:
        """The function's ranges that go to a callee which is not at hand."""
        if call.name.startswith("mmu_notifier_") or call.name in names(
            "evaluation", "preserves", "functions"
        ):
            return ()
        found = []
        for argument in call.args[1:]:
            given = bare(argument)
            if given.kind == "unary" and given.name == "&":
                key = self._key(given.args[0])
            elif given.kind == "name":
                key = self._key(Expr("unary", "*", (given,), given.span, given.line))
            else:
                continue
            if key in self.used and not self.ranges.program.targets(call, self.function):
                found.append(key)
        return tuple(found)

    def event(
        self, state: _State, event: Event, here: Here
    ) -> _State | Outcome[_State] | tuple[_State | Outcome[_State], ...]:
        if event.kind == events.DECL:
            return self._declared(state, event, here)
        assert event.expr is not None
        if event.kind == events.BRANCH:
            return self._branch(state, event)
        if event.kind == events.ASSIGN:
            return self._assign(state, event.expr)
        if self.observer is not None and self.observer.watches(event.expr):
            answer = self.observer.call(state.notes, dict(state.ranges), event, here)
            if isinstance(answer, tuple):
                return tuple(
                    Outcome(msgspec.structs.replace(state, notes=notes), value)
                    for notes, value in answer
                )
            state = msgspec.structs.replace(state, notes=answer)
            if not self._matters(event.expr):
                return state
        what = role(event.expr)
        if what:
            return self._primitive(state, event, here, what)
        if _passes_bounds(event.expr):
            return self._bounds(state, event.expr)
        away = self._given_away(event.expr)
        if away:
            for key in away:
                state = state.put(key, Range(LOST))
            return state
        return self._enter(state, event, here)

    # -- declarations, branches and assignments -------------------------------

    def _declared(self, state: _State, event: Event, here: Here) -> _State:
        """A range's life begins, in a loop's body once a round."""
        before = state.get(event.name)
        if before is not None and before.state == OPEN:
            message = (
                f"the section of {event.name} from line {before.line} is still open when "
                "the next round begins"
            )
            self._fault(Fault(LEAK, message), event, here)
        if before is None and event.expr is None:
            return state
        return state.put(event.name, Range(RAW if event.expr is None else READY))

    def _branch(self, state: _State, event: Event) -> _State | tuple[_State, ...]:
        assert event.expr is not None
        known = _known_pointer(event.expr, self.given) if self.given else None
        shown = text(event.expr) if self.guards else ""
        if shown in self.guards:
            if (shown, not event.polarity) in state.decided:
                return ()
            decided = state.decided | {(shown, event.polarity)}
            return msgspec.structs.replace(state, decided=decided)
        return state if known is None or known == event.polarity else ()

    def _assign(self, state: _State, expr: Expr) -> _State:
        left = bare(expr.args[0])
        if left.kind == "name":
            for key, _ in state.ranges:
                if key == left.name:  # a whole structure was copied in
                    return state.put(key, Range(READY))
                if key == f"*{left.name}" or key.startswith(f"{left.name}->"):
                    state = state.put(key, Range(LOST))
            return state
        holder = left.args[0]
        if left.kind == "arrow":
            holder = Expr("unary", "*", (holder,), left.span, left.line)
        key = self._key(holder)
        before = state.get(key)
        if before is None and not self._is_range(key) and key not in self.used:
            return state
        before = before or self._fresh(key)
        restores = expr.name == "=" and self._is_saved(expr.args[1], key, left.name)
        return state.put(key, assigned(before, left.name, expr.line, restores))

    def _is_saved(self, value: Expr, key: str, member: str) -> bool:
        """Whether the value is a variable that holds what the member was before."""
        value = bare(value)
        if value.kind != "name":
            return False
        resolved = self.naming.locals.get(value.name)
        if resolved is None:
            return False
        resolved = bare(resolved)
        return resolved.name == member and text(resolved) in (f"{key}.{member}",
                                                              f"{key[1:]}->{member}")  # fmt: skip

    def _is_range(self, key: str) -> bool:
        variable = key.lstrip("*")
        return "struct mmu_notifier_range" in declared_type(self.function, variable)

    def _bounds(self, state: _State, call: Expr) -> _State:
        """A call that may move bounds that it gets the addresses of."""
        for argument in call.args[1:]:
            target = bare(argument)
            if target.kind == "unary" and target.name == "&":
                member = bare(target.args[0])
                if member.kind not in ("member", "arrow") or member.name not in ("start", "end"):
                    continue
                holder = member.args[0]
                if member.kind == "arrow":
                    holder = Expr("unary", "*", (holder,), member.span, member.line)
                before = state.get(self._key(holder))
                if before is not None and before.state == OPEN:
                    after = assigned(before, member.name, call.line, False)
                    state = state.put(self._key(holder), after)
        return state

    # -- the API's own calls --------------------------------------------------

    def _key(self, expr: Expr) -> str:
        return self.naming.key(expr)

    def _fresh(self, key: str) -> Range:
        """A range on its first use."""
        if self._is_local(key):
            return Range(RAW)
        variable = root_of(key)
        if variable in self.naming.params or not declared_type(self.function, variable):
            return Range(FOREIGN)
        return Range(LOST)

    def _is_local(self, key: str) -> bool:
        """Whether the range lies in a variable of this function."""
        found = self.locals.get(key)
        if found is None:
            variable = root_of(key)
            kind = declared_type(self.function, variable)
            found = bool(kind) and "*" not in kind and variable not in self.naming.params
            self.locals[key] = found
        return found

    def _primitive(
        self, state: _State, event: Event, here: Here, what: str
    ) -> _State | tuple[Outcome[_State], ...]:
        assert event.expr is not None
        target = range_of(event.expr)
        if target is None:
            return state
        key = self._key(target)
        before = state.get(key) or self._fresh(key)
        if before.state == LOST:
            why = f"{self.function.path}:{event.line}: the state of {_shown(key)} is not known"
            self.incomplete = self.incomplete or why
            return state
        name = _shown(key)
        if what == INIT:
            return self._after(state, event, here, key, initialised(before, event.line))
        if what == END:
            return self._after(state, event, here, key, ended(before, name))
        opened = self._after(state, event, here, key, started(before, name, event.line))
        if what == START:
            return opened
        if event.expr.span.start in self.ignored:
            message = f"the result is ignored: if the start fails, {name} is not open"
            self._fault(Fault(IGNORED, message), event, here)
            return opened
        return (Outcome(opened, ZERO), Outcome(state.put(key, refused(before)), NEGATIVE))

    def _after(self, state: _State, event: Event, here: Here, key: str, answer: Answer) -> _State:
        after, fault = answer
        if fault is not None:
            self._fault(fault, event, here)
        return state.put(key, after)

    def _fault(self, fault: Fault, event: Event, here: Here) -> None:
        found = (fault.kind, event.place, fault.message)
        if found not in self.faults:
            steps = here.steps(event)
            self.faults[found] = RangeFault(fault.kind, fault.message, event, self.function, steps)

    # -- calls ----------------------------------------------------------------

    def _callees(self, call: Expr) -> tuple[Function, ...]:
        if not any(_may_lead_to_range(argument) for argument in call.args[1:]):
            return ()
        found = self.ranges.program.targets(call, self.function)
        return tuple(f for f in found if _takes_range(f) and f.name not in initialisers())

    def _enter(
        self, state: _State, event: Event, here: Here
    ) -> _State | tuple[_State | Outcome[_State], ...]:
        assert event.expr is not None
        outcomes: dict[tuple[_State, Known], Outcome[_State]] = {}
        for callee in self._callees(event.expr):
            summary = self.ranges.of(callee, self._given(event.expr, callee, here))
            self.incomplete = self.incomplete or summary.incomplete
            for one in summary.exits:
                after = self._returned(state, event, here, callee, one)
                steps = () if after == state else one.steps
                if (after, one.value) not in outcomes:
                    outcomes[after, one.value] = Outcome(after, one.value, steps)
        if all(one.state == state for one in outcomes.values()):
            return state
        return tuple(outcomes.values())

    def _given(self, call: Expr, callee: Function, here: Here) -> frozenset[tuple[str, bool]]:
        found: dict[str, bool] = {}
        for param, argument in zip(callee.params, call.args[1:], strict=False):
            if "*" not in param.type:
                continue
            known = _known_pointer(argument, self.given)
            if known is not None:
                found[param.name] = known
        return frozenset(found.items())

    def _returned(
        self, state: _State, event: Event, here: Here, callee: Function, one: RangeExit
    ) -> _State:
        assert event.expr is not None
        rename = self.ranges.naming(callee).renamer(event.expr, self.naming)
        for key, after in sorted(one.ranges):
            mine = rename(key)
            if root_of(mine) in ("", "NULL") or (mine == key and key not in self.naming.exprs):
                continue
            before = state.get(mine) or self._fresh(mine)
            if before.state == LOST:
                continue
            result, fault = handed_back(before, after, _shown(mine))
            if fault is not None:
                message = f"{callee.name}(): {fault.message}"
                self._fault(Fault(fault.kind, message), event, here)
            state = state.put(mine, result)
        return state

    # -- the end --------------------------------------------------------------

    def at_exit(self, state: _State, event: Event, here: Here) -> None:
        if self.observer is not None:
            self.observer.leaves(state.notes, dict(state.ranges), event, here)
        value = here.value(event.expr) if event.expr is not None else ANY
        theirs = []
        for key, known in sorted(state.ranges):
            if not self._is_local(key):
                if known.state not in (LOST, FOREIGN):
                    theirs.append((key, msgspec.structs.replace(known, changed=())))
            elif known.state == OPEN:
                message = (
                    f"{self.function.name}() returns with the section of {_shown(key)} open, "
                    f"started at line {known.line}"
                )
                self._fault(Fault(LEAK, message), event, here)
        found = (frozenset(theirs), value)
        if found not in self.exits:
            self.exits[found] = RangeExit(found[0], value, event, here.steps(event))

    def summary(self, result: WalkResult) -> RangeSummary:
        """What the walk found."""
        incomplete = self.incomplete or result.bounded
        if result.unknown:
            first = result.unknown[0]
            incomplete = incomplete or f"{first.place}: not understood ({first.name})"
        return RangeSummary(tuple(self.exits.values()), tuple(self.faults.values()), incomplete)


def root_of(key: str) -> str:
    """The variable that a key starts at."""
    name = key.lstrip("*(")
    for stop in ("->", ".", "[", ")"):
        name = name.partition(stop)[0]
    return name if name.isidentifier() else ""


def _shown(key: str) -> str:
    """A key for messages: the pointer's name for what a pointer means."""
    return key[1:] if key.startswith("*") else key


def _known_pointer(expr: Expr, given: dict[str, bool]) -> bool | None:
    """Whether a pointer expression (or a test of one) is set; None if open."""
    expr = bare(expr)
    if expr.kind == "name":
        return False if expr.name == "NULL" else given.get(expr.name)
    if expr.kind == "unary" and expr.name == "&":
        return True
    if expr.kind == "unary" and expr.name == "!":
        inner = _known_pointer(expr.args[0], given)
        return None if inner is None else not inner
    if expr.kind == "binary" and expr.name in ("==", "!="):
        left, right = (bare(arg) for arg in expr.args)
        if right.name in ("NULL", "0") and left.kind == "name" and left.name in given:
            return given[left.name] == (expr.name == "!=")
    return None


def _may_lead_to_range(argument: Expr) -> bool:
    argument = bare(argument)
    if argument.kind == "unary" and argument.name == "&":
        return True
    return argument.kind in ("name", "arrow", "member") and argument.name != "NULL"


def _takes_range(function: Function) -> bool:
    return any("struct" in param.type and "*" in param.type for param in function.params)


def _passes_bounds(call: Expr) -> bool:
    """Whether a call gets the address of a member ``start`` or ``end``."""
    return any(
        target.kind == "unary"
        and target.name == "&"
        and bare(target.args[0]).kind in ("member", "arrow")
        and bare(target.args[0]).name in ("start", "end")
        for target in map(bare, call.args[1:])
    )


def _ignored(function: Function) -> frozenset[int]:
    """Where a non-blocking start stands as a statement of its own."""
    return frozenset(
        bare(stmt.expr).span.start
        for stmt in statements(function.body)
        if isinstance(stmt, ExprStmt) and role(bare(stmt.expr)) == NONBLOCK
    )


def all_faults(ranges: Ranges) -> Iterator[tuple[Function, RangeSummary]]:
    """Every function that handles ranges, with its summary."""
    for function in ranges.handlers:
        yield function, ranges.of(function)


__all__ = ["DONE", "RangeExit", "RangeFault", "RangeSummary", "Ranges", "all_faults", "ranges_of",
           "root", "root_of"]  # fmt: skip
