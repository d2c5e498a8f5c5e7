# SPDX-License-Identifier: GPL-2.0-only
"""The paths of one function: what each takes, drops, counts and waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Checker, Clobber, Here, Outcome, WalkResult, graph_of
from patchgen.analysis.locks.calls import (
    changes,
    handed,
    may_sleep,
    pointee,
    reschedules,
    taken_for,
)
from patchgen.analysis.locks.counters import change
from patchgen.analysis.locks.entering import Arguments
from patchgen.analysis.locks.held import Balance, add, conflict, renamed
from patchgen.analysis.locks.source import Source
from patchgen.analysis.locks.state import Context, Exit, Sleep, State, Summary, Take, Touch
from patchgen.analysis.locks.visible import (
    as_the_caller_has_it,
    found_in_memory,
    in_callers_terms,
    tested,
    visible,
)
from patchgen.analysis.locks.writes import Writes, is_known
from patchgen.analysis.values.naming import Naming, meaning
from patchgen.analysis.values.subjects import Operand, is_pure
from patchgen.analysis.values.value import ANY, NONZERO, ZERO, Known, meet
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import ALWAYS, IF_TRUE, LockCall, atomic_kinds, primitives, transferable
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, root, subexpressions, text

#: States in which one call may leave its caller; more are not followed, and said so.
STATES = 64
#: Different ways out of a callee; beyond it, what they return is forgotten.
OUTCOMES = 24

Outcomes: TypeAlias = tuple[Outcome[State], ...]

_HARMLESS = frozenset(
    {"container_of", "mmu_notifier_to_kvm", "pr_debug", "might_sleep", "lockdep_assert_held"}
)


class Summaries(Protocol):
    """Where the summaries of callees come from."""

    program: Program
    counters: frozenset[str]
    writes: Writes
    source: Source
    asked: frozenset[str]

    def of(self, function: Function, context: Context = ...) -> Summary:
        """The summary of a function in a context."""
        ...

    def naming(self, function: Function) -> Naming:
        """How a function's expressions read in terms of its parameters."""
        ...


class LockChecker(Checker[State]):
    """Follows one function in one context; :meth:`summary` says what was found."""

    kinds = frozenset({events.CALL, events.ASSIGN, events.DECL, events.BRANCH, events.UNKNOWN})

    def __init__(self, summaries: Summaries, function: Function, context: Context) -> None:
        self.summaries = summaries
        self.function = function
        self.context = context
        self.roles = dict(context.roles)
        self.naming = summaries.naming(function)
        self.arguments = Arguments(summaries.program, function, self.naming, self.roles)
        self.visible = visible(graph_of(function), summaries.asked)
        self.tested = {} if function.result == "void" else tested(graph_of(function))
        self.found = found_in_memory(graph_of(function))
        self.exits: dict[tuple[object, ...], Exit] = {}
        self._set = {
            root(part.args[0])
            for part in every(function.body)
            if part.kind in ("assign", "postfix") and bare(part.args[0]).kind == "name"
        }
        self.sleeps: dict[tuple[Place, bool | None, bool], Sleep] = {}
        self.touches: dict[tuple[Place, tuple[str, ...]], Touch] = {}
        self.takes: dict[tuple[Place, str, str], Take] = {}
        self.incomplete = ""
        self._named, self._given = _mentioned(function)

    def initial(self, function: Function) -> State:
        return State(blockable=self.context.blockable, flagged=self.context.flagged)

    strict = True

    def keeps(self, condition: str) -> bool:
        return condition in self.visible or condition in self.tested or condition in self.found

    def clobbers(self, event: Event) -> Clobber:
        assert event.expr is not None
        return self.summaries.writes.by(event.expr, self.function, self._targets(event.expr))

    def doubtful(self, state: State, event: Event) -> State:
        why = f"{event.place}: whether {event.describe()} depends on what other code writes"
        return doubted(state, why)

    def watches(self, event: Event) -> bool:
        if event.kind in (events.ASSIGN, events.DECL):
            return (
                self._counter(event.expr) is not None
                or bool(self._set_by(event))
                or self._gives_away(event)
            )
        if event.kind == events.BRANCH:
            return bool(self._set_by(event)) or (
                not event.opaque and meaning(event.expr, self.roles) != ""
            )
        return True

    def event(
        self, state: State, event: Event, here: Here
    ) -> State | Outcome[State] | tuple[State | Outcome[State], ...]:
        if event.kind == events.UNKNOWN:
            return doubted(state, f"{event.place}: not understood ({event.name})")
        if event.kind == events.CALL:
            return self._call(state, event, here)
        changed = self._set_by(event)
        if changed and state.held:
            held = renamed(state.held, changed)
            state = state if held == state.held else msgspec.structs.replace(state, held=held)
        if event.kind == events.BRANCH:
            return state if event.opaque else self._branch(state, event)
        if self._gives_away(event):
            state = self._passed(state, f"{event.place}: {event.describe()}")
        counter = self._counter(event.expr)
        return state if counter is None else self._touched(state, event, here, *counter)

    def _set_by(self, event: Event) -> frozenset[str]:
        """Variables that the event sets, of those that lead to what calls are given."""
        if event.kind == events.DECL:
            return self._named & {event.name}
        if event.expr is None:
            return frozenset()
        if event.kind == events.BRANCH:
            if not event.opaque or event.expr.kind != "call" or not event.polarity:
                return frozenset()
            return self._named & {arg.name for arg in event.expr.args[1:] if arg.kind == "name"}
        left = bare(event.expr.args[0]) if event.expr.args else event.expr
        return self._named & {left.name} if left.kind == "name" else frozenset()

    # -- branches ---------------------------------------------------------

    def _branch(self, state: State, event: Event) -> State | tuple[State, ...]:
        what = meaning(event.expr, self.roles)
        holds = event.polarity
        if what.startswith("="):
            idle = names("kvm", "null", "functions")
            functions = what[1:].split("|")
            if len(functions) > 1:
                return state
            return state if holds == (functions[0] in idle) else ()
        if what in ("true", "false"):
            return state if holds == (what == "true") else ()
        if what.startswith("!"):
            what, holds = what[1:], not holds
        if what not in ("blockable", "flagged"):
            return state
        known = state.blockable if what == "blockable" else state.flagged
        if known is not None and known != holds:
            return ()
        if what == "blockable":
            return msgspec.structs.replace(state, blockable=holds)
        return msgspec.structs.replace(state, flagged=holds, idle=True)

    # -- counters and references ------------------------------------------

    def _counter(self, expr: Expr | None) -> tuple[str, int] | None:
        """``x->count++`` and the like on a paired counter: (key, by how much)."""
        if expr is None:
            return None
        by = change(expr)
        if not by:
            return None
        left = bare(expr.args[1] if expr.kind == "call" else expr.args[0])
        if expr.kind == "call" and left.kind == "unary" and left.name == "&":
            left = bare(left.args[0])
        if left.kind not in ("arrow", "member") or left.name not in self.summaries.counters:
            return None
        return self.naming.key(left), by

    def _touched(self, state: State, event: Event, here: Here, key: str, by: int) -> State:
        held = self._atomic(state)
        if (event.place, held) not in self.touches:
            self.touches[event.place, held] = Touch(
                member_of(key), by, event, self.function.name, held, here.steps(event)
            )
        return _counted(state, key, by)

    def _gives_away(self, event: Event) -> bool:
        """Whether a store to shared memory may keep a reference that is held."""
        if not self._given or event.kind != events.ASSIGN or event.expr is None:
            return False
        if event.expr.kind != "assign" or bare(event.expr.args[0]).kind == "name":
            return False
        return text(bare(event.expr.args[1])) in self._given

    @staticmethod
    def _passed(state: State, where: str) -> State:
        if state.passed or not any(k in transferable() and n > 0 for k, _, n in state.held):
            return state
        return msgspec.structs.replace(state, passed=where)

    # -- calls ------------------------------------------------------------

    def _call(
        self, state: State, event: Event, here: Here
    ) -> State | Outcome[State] | tuple[State | Outcome[State], ...]:
        call = event.expr
        assert call is not None
        own = self._own(call.name)
        primitive = None if own else primitives().get(call.name)
        if not own and (may_sleep(call) or (reschedules(call) and self._atomic(state))):
            self._slept(call.name, event, state, here.steps(event), self.function.name)
        if primitive is not None:
            return self._lock(state, event, call, primitive, here)
        counter = self._counter(call)
        if counter is not None:
            return self._touched(state, event, here, *counter)
        if not own and call.name in names("evaluation", "pure", "functions"):
            return state
        given = None if own else handed(call)
        targets = self._targets(given or call)
        if given is not None and targets:
            return self._perhaps(state, event, given, targets, here)
        if not targets:
            return self._elsewhere(state, event, call)
        return self._enter(state, event, targets, here)

    def _own(self, name: str) -> bool:
        """Whether the file defines this function itself: then knowledge of it is none."""
        return name != "" and any(
            found.path == self.function.path
            for found in self.summaries.program.named(name, self.function.path)
        )

    def _targets(self, call: Expr) -> tuple[Function, ...]:
        callee = bare(call.args[0])
        if callee.kind == "unary" and callee.name == "*":
            callee = bare(callee.args[0])
        bound = self.roles.get(text(callee), "") if self.roles else ""
        program = self.summaries.program
        if bound.startswith("="):
            near = self.function.path
            return tuple(f for name in bound[1:].split("|") for f in program.named(name, near))
        found = program.targets(call, self.function)
        if not found and call.name and not is_known(call.name):
            found = self.summaries.source.inline(call.name, self.function.path)
        return found

    def _elsewhere(self, state: State, event: Event, call: Expr) -> State:
        """A call whose code is not at hand: it leaves locks as it found them.

        Unless it is given a lock that is held, which is then unclear.
        """
        if call.name in _HARMLESS or call.name in names("evaluation", "prints", "functions"):
            return state
        state = self._passed(busy(state), f"{event.place}: {call.name or text(call.args[0])}()")
        held = {key for kind, key, n in state.held if n > 0 and kind != "count"}
        for argument in call.args[1:] if held else ():
            argument = bare(argument)
            given = argument.kind == "unary" and argument.name == "&"
            if given and self.naming.key(pointee(argument)) in held:
                why = f"{event.place}: {call.name}() gets a lock that is held, and is not seen"
                return doubted(state, why)
        return state

    def _slept(
        self, name: str, event: Event, state: State, steps: tuple[Step, ...], function: str
    ) -> None:
        held = self._atomic(state)
        found = Sleep(
            name, event, function, state.blockable, held, steps, event.line, state.doubt
        )  # fmt: skip
        self._noted(found)

    def _noted(self, sleep: Sleep) -> None:
        key = (sleep.event.place, sleep.blockable, bool(sleep.held))
        known = self.sleeps.get(key)
        if known is None or (known.doubt and not sleep.doubt):
            self.sleeps[key] = sleep

    def _lock(
        self, state: State, event: Event, call: Expr, primitive: LockCall, here: Here
    ) -> State | Outcomes:
        held = state.held
        for kind, lock, by in changes(call, primitive):
            key = kind if lock is None else self._key(lock, here)
            if by > 0 and primitive.when != IF_TRUE:
                self._taken(state, held, event, kind, key, here)
            held = add(held, kind, key, by)
        idle = state.idle and not primitive.acquires
        after = msgspec.structs.replace(state, held=held, idle=idle)
        if primitive.when == ALWAYS:
            return after
        taken, missed = (NONZERO, ZERO) if primitive.when == IF_TRUE else (ZERO, Known(hi=-1))
        if primitive.thrice:
            return (Outcome(after, Known(1, 1)), Outcome(state, ZERO), Outcome(state, Known(2, 2)))
        return (Outcome(after, taken), Outcome(state, missed))

    def _key(self, lock: Expr, here: Here) -> str:
        """The lock's name; through a variable that holds an address, what that is of."""
        if lock.kind == "unary" and lock.name == "*" and bare(lock.args[0]).kind == "name":
            address = here.address(lock.args[0])
            if address is not None:
                return self.naming.key(pointee(address))
        return self.naming.key(lock)

    def _taken(
        self, state: State, held: Balance, event: Event, kind: str, key: str, here: Here
    ) -> None:
        """Note that a lock is taken: twice, or for the callers to judge."""
        twice = conflict(held, kind, key)
        if not twice and any(name == key and n < 0 for _, name, n in held):
            return  # the caller's own, dropped before
        place = (event.place, kind, key)
        known = self.takes.get(place)
        if known is None or (twice and not known.twice) or (known.doubt and not state.doubt):
            if known is not None and known.twice and not twice:
                return
            steps = here.steps(event)
            name = self.function.name
            self.takes[place] = Take(kind, key, event, name, twice, steps, state.doubt)

    def _perhaps(
        self, state: State, event: Event, given: Expr, targets: tuple[Function, ...], here: Here
    ) -> Outcomes:
        """A function that the call of another one enters, or not."""
        assert event.expr is not None
        before = state
        taking = taken_for(event.expr)
        if taking is not None:
            primitive = primitives()[taking.name]
            locked = self._lock(state, event, taking, primitive, here)
            assert isinstance(locked, State)
            before = locked
        entered = self._enter(before, msgspec.structs.replace(event, expr=given), targets, here)
        return (
            Outcome(busy(state), ZERO),
            *(Outcome(one.state, NONZERO, one.steps) for one in entered),
        )

    def _enter(
        self, state: State, event: Event, targets: tuple[Function, ...], here: Here
    ) -> Outcomes:
        outcomes: dict[tuple[object, ...], Outcome[State]] = {}
        assert event.expr is not None
        for callee in targets:
            summary = self.summaries.of(callee, self._context(state, event, callee, here))
            self.incomplete = self.incomplete or summary.incomplete
            self._inner(state, event, callee, summary, here)
            for one in summary.exits:
                also = self._known_of(event.expr, callee, one, here)
                if also is None:
                    continue  # the arguments are such that it does not end this way
                after = self._returned(state, event, callee, one)
                after = self._believing(after, event, callee, one)
                steps = () if _same(after, state) else one.steps
                facts = one.facts and as_the_caller_has_it(
                    one.facts, graph_of(self.summaries.source.expanded(callee)), event.expr
                )
                same = one.same and self._in_my_terms(one, callee, event.expr)
                key = (after, one.value, facts, also, same)
                if key not in outcomes:
                    outcomes[key] = Outcome(after, one.value, steps, facts, also, same)
            if summary.incomplete and not summary.exits:
                unclear = doubted(busy(state), summary.incomplete)
                outcomes[unclear,] = Outcome(unclear)
        if len(outcomes) > OUTCOMES:
            outcomes = _fewer(outcomes.values())
        if len(outcomes) > STATES:
            place = event.place
            self.incomplete = self.incomplete or f"{place}: more than {STATES} ways out of a call"
        return tuple(outcomes.values())[:STATES]

    def _known_of(
        self, call: Expr, callee: Function, one: Exit, here: Here
    ) -> tuple[tuple[str, Known], ...] | None:
        """What a way out of a callee shows of the arguments; None if they are others."""
        found = []
        given = dict(one.given)
        for param, argument in zip(callee.params, call.args[1:], strict=False):
            if param.name in given:
                if meet(here.value(argument), given[param.name]) is None:
                    return None
                found.append((text(bare(argument)), given[param.name]))
        return tuple(found)

    def _believing(self, state: State, event: Event, callee: Function, one: Exit) -> State:
        """The state with what a callee found in memory; in doubt where that has changed."""
        if not one.found:
            return state
        assert event.expr is not None
        graph = graph_of(self.summaries.source.expanded(callee))
        believed = dict(state.believed)
        for shown, known in as_the_caller_has_it(one.found, graph, event.expr):
            if meet(believed.get(shown, ANY), known) is None:
                why = f"{event.place}: {callee.name}() finds {shown} changed"
                state = doubted(state, why)
            believed[shown] = known
        return msgspec.structs.replace(state, believed=tuple(sorted(believed.items())))

    @staticmethod
    def _in_my_terms(one: Exit, callee: Function, call: Expr) -> str:
        assert one.event.expr is not None
        return in_callers_terms(bare(one.event.expr), callee, call)

    def _inner(
        self, state: State, event: Event, callee: Function, summary: Summary, here: Here
    ) -> None:
        """Note what a callee does, with the way to it."""
        assert event.expr is not None
        if not (summary.sleeps or summary.touches or summary.takes):
            return
        if not self._is_news(state, summary):
            return
        prefix = here.steps(event)
        for sleep in summary.sleeps:
            self._noted(
                msgspec.structs.replace(
                    sleep, steps=prefix + sleep.steps, via=event.line,
                    doubt=state.doubt or sleep.doubt,
                )
            )  # fmt: skip
        for touch in summary.touches:
            if (touch.event.place, touch.held) not in self.touches:
                steps = prefix + touch.steps
                self.touches[touch.event.place, touch.held] = msgspec.structs.replace(
                    touch, steps=steps
                )
        rename = self.summaries.naming(callee).renamer(event.expr, self.naming)
        for take in summary.takes:
            self._take_of(state, take, rename(take.key) if not take.twice else take.key, prefix)

    def _is_news(self, state: State, summary: Summary) -> bool:
        """Whether a callee does something that is not noted yet."""
        if summary.takes or any(
            (t.event.place, t.held) not in self.touches for t in summary.touches
        ):
            return True
        for sleep in summary.sleeps:
            known = self.sleeps.get((sleep.event.place, sleep.blockable, bool(sleep.held)))
            if known is None or (known.doubt and not (state.doubt or sleep.doubt)):
                return True
        return False

    def _take_of(self, state: State, take: Take, key: str, prefix: tuple[Step, ...]) -> None:
        """A callee's take: of a lock that is held here, or still the callers' business."""
        twice = take.twice or conflict(state.held, take.kind, key)
        if not twice and any(name == key and n < 0 for _, name, n in state.held):
            return
        place = (take.event.place, take.kind, key)
        known = self.takes.get(place)
        doubt = state.doubt or take.doubt
        if known is None or (twice and not known.twice) or (twice and known.doubt and not doubt):
            self.takes[place] = msgspec.structs.replace(
                take, key=key, twice=twice, steps=prefix + take.steps, doubt=doubt
            )

    def _context(self, state: State, event: Event, callee: Function, here: Here) -> Context:
        assert event.expr is not None
        roles = self.arguments.of(event.expr, callee, here)
        numbers: list[tuple[str, Known]] = []
        made: list[str] = []
        graph = graph_of(self.summaries.source.expanded(callee))
        for param, argument in zip(callee.params, event.expr.args[1:], strict=False):
            known = here.value(argument)
            if known.lo == known.hi and graph.subjects.find(param.name) in graph.bit_of:
                numbers.append((param.name, known))
            given = bare(argument)
            if "*" in param.type and graph.subjects.find(f"*{param.name}") in graph.bit_of:
                there = here.value(pointee(given))
                if there.lo == there.hi:
                    numbers.append((f"*{param.name}", there))
                    continue
            address = given.kind == "unary" and given.name == "&"
            if address and bare(given.args[0]).kind == "name":
                known_there = any(role[0].startswith(f"{param.name}->") for role in roles)
                made += [] if known_there else [param.name]
        return Context(
            state.blockable, state.flagged, roles, self._atomic(state), tuple(numbers), tuple(made)
        )

    def _atomic(self, state: State) -> tuple[str, ...]:
        """Locks that forbid sleeping: held here, or by the callers and not dropped."""
        mine = {(key, n) for kind, key, n in state.held if kind in atomic_kinds()}
        dropped = {member_of(key) for key, n in mine if n < 0}
        kept = {key for key in self.context.atomic if member_of(key) not in dropped}
        return tuple(sorted(kept | {key for key, n in mine if n > 0}))

    def _returned(self, state: State, event: Event, callee: Function, one: Exit) -> State:
        """The caller's state after the callee took this way out."""
        assert event.expr is not None
        held, counts = state.held, state.counts
        if one.state.held or one.state.counts:
            rename = self.summaries.naming(callee).renamer(event.expr, self.naming)
            for kind, key, n in one.state.held:
                held = add(held, kind, rename(key), n)
            for kind, key, n in one.state.counts:
                counts = add(counts, kind, rename(key), n)
        flagged = one.state.flagged
        idle = one.state.idle if flagged != state.flagged else False
        return State(
            held, counts, one.state.blockable, flagged, idle, state.doubt or one.state.doubt,
            state.passed or one.state.passed, state.believed,
        )  # fmt: skip

    # -- the end ----------------------------------------------------------

    def at_exit(self, state: State, event: Event, here: Here) -> None:
        value, origin = ANY, ""
        if event.expr is not None:
            value = here.value(event.expr)
            if value == ANY:
                origin = event.describe().removeprefix("return ")
        facts = tuple(
            (shown, known)
            for shown, bit in self.visible.items()
            if (known := here.of(Operand(bit))) != ANY and not here.is_soft(bit)
        )
        given = tuple(
            (shown, known)
            for shown, bit in self.tested.items()
            if (known := here.of(Operand(bit))) != ANY
        )
        same = self._returned_as(event)
        found = tuple(
            (shown, known)
            for shown, bit in self.found.items()
            if (known := here.of(Operand(bit))) != ANY
        )
        key = (state, value, facts, given, same, found)
        if key not in self.exits:
            steps = here.steps(event)
            self.exits[key] = Exit(
                state, value, event.place, event, steps, origin, facts, found, given, same
            )

    def _returned_as(self, event: Event) -> str:
        """The value that is returned, where it is a parameter or a member of one."""
        expr = bare(event.expr) if event.expr is not None else None
        if expr is None or expr.kind not in ("name", "arrow", "member") or not is_pure(expr):
            return ""
        graph = graph_of(self.function)
        start = root(expr)
        held = start in {param.name for param in self.function.params} and start not in graph.locals
        return text(expr) if held and start not in self._set else ""

    def summary(self, result: WalkResult) -> Summary:
        """What the walk found."""
        incomplete = self.incomplete or result.bounded
        if result.unknown:
            first = result.unknown[0]
            incomplete = incomplete or f"{first.place}: not understood ({first.name})"
        exits = tuple(self.exits.values())
        if result.blurred:
            why = f"{result.blurred}: too many ways meet here to tell them apart"
            exits = tuple(
                msgspec.structs.replace(one, state=doubted(one.state, why)) for one in exits
            )
        return Summary(
            exits,
            tuple(self.sleeps.values()),
            incomplete,
            tuple(self.touches.values()),
            tuple(self.takes.values()),
        )


def _mentioned(function: Function) -> tuple[frozenset[str], frozenset[str]]:
    """Variables that calls' arguments start at; references that are taken, as text."""
    named: set[str] = set()
    given: set[str] = set()
    for part in every(function.body):
        if part.kind != "call":
            continue
        for argument in part.args[1:]:
            named |= {root(sub) for sub in subexpressions(argument)}
        primitive = primitives().get(part.name)
        if primitive is not None and primitive.kind in transferable() and primitive.acquires:
            given |= {text(bare(argument)) for argument in part.args[1:2]}
    return frozenset(named - {""}), frozenset(given)


def _fewer(outcomes: Iterable[Outcome[State]]) -> dict[tuple[object, ...], Outcome[State]]:
    """One way out for each state, whatever it returns and whichever doubt it is in."""
    found: dict[tuple[object, ...], Outcome[State]] = {}
    for one in outcomes:
        alike = msgspec.structs.replace(one.state, doubt="?" if one.state.doubt else "")
        found.setdefault((alike,), Outcome(one.state, None, one.steps))
    return found


def doubted(state: State, why: str) -> State:
    """The state behind something that was not understood."""
    return state if state.doubt else msgspec.structs.replace(state, doubt=why)


def busy(state: State) -> State:
    """The state after something that is no release."""
    return msgspec.structs.replace(state, idle=False) if state.idle else state


def member_of(key: str) -> str:
    """The last member: what is left of a lock's name on both sides of a call."""
    return key.rpartition("->")[2].rpartition(".")[2]


def _counted(state: State, key: str, by: int) -> State:
    counts = add(state.counts, "count", key, by)
    return msgspec.structs.replace(state, counts=counts, idle=False)


def _same(one: State, two: State) -> bool:
    return msgspec.structs.replace(one, idle=False) == msgspec.structs.replace(two, idle=False)
