# SPDX-License-Identifier: GPL-2.0-only
"""What a callback leaves behind, across calls: locks, counters, sleeps, results.

:class:`Effects` walks a function with its callees entered in context: what the
caller knows about "blockable" and the flag, constants passed for parameters,
and whether a lock forbids sleeping.  Each context is walked once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program, leaves
from patchgen.analysis.engine.walk import Checker, Here, Outcome, WalkResult, walk
from patchgen.analysis.locks.primitives import (
    ALWAYS,
    IF_TRUE,
    LockCall,
    atomic_kinds,
    lock_of,
    may_sleep,
    primitives,
    reschedules,
)
from patchgen.analysis.values.naming import Naming, meaning
from patchgen.analysis.values.subjects import constant_of
from patchgen.analysis.values.value import ANY, NONZERO, ZERO, Known, truth
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, text

#: Callees entered below one function; deeper ones count as unknown.
DEPTH = 32
#: Distinct contexts walked for one tree, each bounded by CONTEXT_STEPS.
CONTEXTS = 20_000
CONTEXT_STEPS = 60_000
#: Steps of all walks of one tree together.
TOTAL_STEPS = 2_000_000
#: States in which one call may leave its caller; more are not followed, and said so.
STATES = 64
#: Different ways out of a callee; beyond it, what they return is forgotten.
OUTCOMES = 24

#: (kind or "count", key, how often); a set is one path's balance.
Balance: TypeAlias = frozenset[tuple[str, str, int]]

NOTHING: Balance = frozenset()


class State(msgspec.Struct, frozen=True):
    """One path's abstract state.

    ``held`` balances locks by (kind, key), ``counts`` paired counters by key.
    ``blockable`` and ``flagged`` are what the path's branches decided about
    mmu_notifier_range_blockable() and mmu_notifier_range_use_change_pte();
    ``idle`` tells that nothing but releases happened since ``flagged`` was decided.
    """

    held: Balance = NOTHING
    counts: Balance = NOTHING
    blockable: bool | None = None
    flagged: bool | None = None
    idle: bool = False


class Exit(msgspec.Struct, frozen=True):
    """One way out: the state, the value returned, the witness."""

    state: State
    value: Known
    place: Place
    event: Event
    steps: tuple[Step, ...]
    #: Text of the value where nothing is known of it; "" for none.
    origin: str = ""


class Sleep(msgspec.Struct, frozen=True):
    """A call that may sleep, reached on some path."""

    call: str
    event: Event
    function: str
    blockable: bool | None
    held: tuple[str, ...]
    steps: tuple[Step, ...]
    #: Line of the call in the function that was asked about.
    via: int = 0


class Touch(msgspec.Struct, frozen=True):
    """A paired counter that changes, with the locks held there (see Sleep)."""

    member: str
    by: int
    event: Event
    function: str
    held: tuple[str, ...]
    steps: tuple[Step, ...]


class Summary(msgspec.Struct, frozen=True):
    """A function in one context.  ``incomplete`` says why silence means nothing."""

    exits: tuple[Exit, ...]
    sleeps: tuple[Sleep, ...]
    incomplete: str = ""
    touches: tuple[Touch, ...] = ()


#: A function that is being summarised further up: taken as without effect.
RECURSION = Summary((), ())


class Context(msgspec.Struct, frozen=True):
    """What the caller knows when it enters a function.

    ``roles`` are (parameter or its member, meaning), see
    :func:`patchgen.analysis.values.naming.meaning`.  ``atomic`` names locks that forbid sleeping.
    """

    blockable: bool | None = None
    flagged: bool | None = None
    roles: tuple[tuple[str, str], ...] = ()
    atomic: tuple[str, ...] = ()


class Effects:
    """Summaries of the functions of a program, computed when asked for."""

    def __init__(self, program: Program, counters: frozenset[str]) -> None:
        self.program = program
        self.counters = counters
        self._done: dict[tuple[int, Context], Summary] = {}
        self._active: set[int] = set()
        self._steps = 0
        self._namings: dict[int, Naming] = {}

    def of(self, function: Function, context: Context = Context()) -> Summary:  # noqa: B008
        """The summary of ``function`` in ``context``."""
        key = (id(function), context)
        found = self._done.get(key)
        if found is not None:
            return found
        if id(function) in self._active:
            return RECURSION
        if len(self._active) >= DEPTH:
            return Summary((), (), f"{function.path}:{function.line}: calls nest too deep")
        if len(self._done) >= CONTEXTS or self._steps >= TOTAL_STEPS:
            return Summary((), (), f"{function.path}:{function.line}: too much to walk")
        self._active.add(id(function))
        try:
            checker = _Checker(self, function, context)
            result = walk(function, checker, limit=CONTEXT_STEPS)
            self._steps += result.visited
        finally:
            self._active.discard(id(function))
        found = self._done[key] = checker.summary(result)
        return found

    def naming(self, function: Function) -> Naming:
        """How expressions of ``function`` read in terms of its parameters."""
        found = self._namings.get(id(function))
        if found is None:
            found = self._namings[id(function)] = Naming(function)
        return found


class _Checker(Checker[State]):
    kinds = frozenset({events.CALL, events.ASSIGN, events.BRANCH})

    def __init__(self, effects: Effects, function: Function, context: Context) -> None:
        self.effects = effects
        self.function = function
        self.context = context
        self.roles = dict(context.roles)
        self.naming = effects.naming(function)
        self.exits: dict[tuple[State, Known, str], Exit] = {}
        self.sleeps: dict[tuple[Place, bool | None, bool], Sleep] = {}
        self.touches: dict[tuple[Place, tuple[str, ...]], Touch] = {}
        self.incomplete = ""

    def initial(self, function: Function) -> State:
        context = self.context
        return State(blockable=context.blockable, flagged=context.flagged)

    def watches(self, event: Event) -> bool:
        if event.kind == events.ASSIGN:
            return self._counter(event.expr) is not None
        if event.kind == events.BRANCH:
            return not event.opaque and meaning(event.expr, self.roles) != ""
        return True

    def event(
        self, state: State, event: Event, here: Here
    ) -> State | Outcome[State] | tuple[State | Outcome[State], ...]:
        assert event.expr is not None
        if event.kind == events.BRANCH:
            return self._branch(state, event)
        if event.kind == events.ASSIGN:
            counter = self._counter(event.expr)
            assert counter is not None
            return self._touched(state, event, here, *counter)
        return self._call(state, event, here)

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
        known = state.blockable if what == "blockable" else state.flagged
        if known is not None and known != holds:
            return ()
        if what == "blockable":
            return msgspec.structs.replace(state, blockable=holds)
        return msgspec.structs.replace(state, flagged=holds, idle=True)

    # -- counters ---------------------------------------------------------

    def _counter(self, expr: Expr | None) -> tuple[str, int] | None:
        """``x->count++`` and the like on a paired counter: (key, by how much)."""
        if expr is None:
            return None
        by = _change(expr)
        if not by:
            return None
        left = bare(expr.args[1] if expr.kind == "call" else expr.args[0])
        if expr.kind == "call" and left.kind == "unary" and left.name == "&":
            left = bare(left.args[0])
        if left.kind not in ("arrow", "member") or left.name not in self.effects.counters:
            return None
        return self.naming.key(left), by

    def _touched(self, state: State, event: Event, here: Here, key: str, by: int) -> State:
        held = self._atomic(state)
        if (event.place, held) not in self.touches:
            self.touches[event.place, held] = Touch(
                _member(key), by, event, self.function.name, held, here.steps(event)
            )
        return _counted(state, key, by)

    # -- calls ------------------------------------------------------------

    def _call(
        self, state: State, event: Event, here: Here
    ) -> State | Outcome[State] | tuple[State | Outcome[State], ...]:
        call = event.expr
        assert call is not None
        if may_sleep(call) or (reschedules(call) and self._atomic(state)):
            self._slept(call.name, event, state, here.steps(event), self.function.name)
        primitive = primitives().get(call.name)
        if primitive is not None:
            return self._lock(state, call, primitive)
        counter = self._counter(call)
        if counter is not None:
            return self._touched(state, event, here, *counter)
        if call.name in names("evaluation", "pure", "functions"):
            return state
        handed = _handed(call)
        targets = self._targets(handed or call)
        if handed is not None and targets:
            return self._perhaps(state, msgspec.structs.replace(event, expr=handed), targets, here)
        if not targets:
            return _busy(state) if call.name not in _HARMLESS else state
        return self._enter(state, event, targets, here)

    def _targets(self, call: Expr) -> tuple[Function, ...]:
        callee = bare(call.args[0])
        if callee.kind == "unary" and callee.name == "*":
            callee = bare(callee.args[0])
        bound = self.roles.get(text(callee), "") if self.roles else ""
        program = self.effects.program
        if bound.startswith("="):
            near = self.function.path
            return tuple(f for name in bound[1:].split("|") for f in program.named(name, near))
        return program.targets(call, self.function)

    def _slept(
        self, name: str, event: Event, state: State, steps: tuple[Step, ...], function: str
    ) -> None:
        held = self._atomic(state)
        key = (event.place, state.blockable, bool(held))
        if key not in self.sleeps:
            self.sleeps[key] = Sleep(
                name, event, function, state.blockable, held, steps, event.line
            )

    def _lock(
        self, state: State, call: Expr, primitive: LockCall
    ) -> State | tuple[Outcome[State], ...]:
        key = self.naming.key(lock_of(call, primitive))
        by = 1 if primitive.acquires else -1
        held = _add(state.held, primitive.kind, key, by)
        idle = state.idle and not primitive.acquires
        after = msgspec.structs.replace(state, held=held, idle=idle)
        if primitive.when == ALWAYS:
            return after
        taken, missed = (NONZERO, ZERO) if primitive.when == IF_TRUE else (ZERO, NONZERO)
        if primitive.when != IF_TRUE:
            missed = Known(hi=-1)
        return (Outcome(after, taken), Outcome(state, missed))

    def _perhaps(
        self, state: State, event: Event, targets: tuple[Function, ...], here: Here
    ) -> tuple[Outcome[State], ...]:
        """A function that the call of another one enters, or not."""
        entered = self._enter(state, event, targets, here)
        return (
            Outcome(_busy(state), ZERO),
            *(Outcome(one.state, NONZERO, one.steps) for one in entered),
        )

    def _enter(
        self, state: State, event: Event, targets: tuple[Function, ...], here: Here
    ) -> tuple[Outcome[State], ...]:
        outcomes: dict[tuple[State, Known], Outcome[State]] = {}
        prefix: tuple[Step, ...] | None = None
        for callee in targets:
            summary = self.effects.of(callee, self._context(state, event, callee, here))
            self.incomplete = self.incomplete or summary.incomplete
            for sleep in summary.sleeps:
                prefix = prefix or here.steps(event)
                self._note(sleep, prefix, event.line)
            for touch in summary.touches:
                if (touch.event.place, touch.held) not in self.touches:
                    prefix = prefix or here.steps(event)
                    self.touches[touch.event.place, touch.held] = msgspec.structs.replace(
                        touch, steps=prefix + touch.steps
                    )
            for one in summary.exits or (None,):
                if one is None:
                    if summary.incomplete or summary is RECURSION:
                        outcomes[_busy(state), ANY] = Outcome(_busy(state))
                    continue  # never returns
                after = self._returned(state, event, callee, one)
                steps = () if _same(after, state) else one.steps
                if (after, one.value) not in outcomes:
                    outcomes[after, one.value] = Outcome(after, one.value, steps)
        if len(outcomes) > OUTCOMES:
            outcomes = {(one.state, ANY): Outcome(one.state, None, one.steps)
                        for one in outcomes.values()}  # fmt: skip
        if len(outcomes) > STATES:
            place = event.place
            self.incomplete = self.incomplete or f"{place}: more than {STATES} ways out of a call"
        return tuple(outcomes.values())[:STATES]

    def _note(self, sleep: Sleep, prefix: tuple[Step, ...], via: int) -> None:
        key = (sleep.event.place, sleep.blockable, bool(sleep.held))
        if key not in self.sleeps:
            steps = prefix + sleep.steps
            self.sleeps[key] = msgspec.structs.replace(sleep, steps=steps, via=via)

    def _context(self, state: State, event: Event, callee: Function, here: Here) -> Context:
        assert event.expr is not None
        roles: list[tuple[str, str]] = []
        for param, argument in zip(callee.params, event.expr.args[1:], strict=False):
            role = self._meaning(argument)
            if "*" in param.type:
                roles += self._members(param.name, bare(argument))
            if not role and "*" not in param.type:
                known = truth(here.value(argument))
                role = "" if known is None else str(known).lower()
            if role:
                roles.append((param.name, role))
        return Context(state.blockable, state.flagged, tuple(roles), self._atomic(state))

    def _atomic(self, state: State) -> tuple[str, ...]:
        """Locks that forbid sleeping: held here, or by the callers and not dropped."""
        mine = {(key, n) for kind, key, n in state.held if kind in atomic_kinds()}
        dropped = {_member(key) for key, n in mine if n < 0}
        kept = {key for key in self.context.atomic if _member(key) not in dropped}
        return tuple(sorted(kept | {key for key, n in mine if n > 0}))

    def _meaning(self, argument: Expr) -> str:
        found = meaning(argument, self.roles) or meaning(self._plain(argument), self.roles)
        if found:
            return found
        functions = []
        for leaf in leaves(argument):
            if leaf.kind != "name" or not self.effects.program.named(leaf.name, self.function.path):
                if leaf.name in names("kvm", "null", "functions"):
                    functions.append(leaf.name)
                    continue
                return ""
            functions.append(leaf.name)
        return "=" + "|".join(functions) if functions else ""

    def _plain(self, argument: Expr) -> Expr:
        """A local that is set once, or a member of a local structure: its value."""
        argument = bare(argument)
        if argument.kind == "member" and argument.args[0].kind == "name":
            members = self.naming.members(argument.args[0].name)
            argument = members.get(argument.name, argument)
        return self.naming.plain(argument)

    def _members(self, param: str, argument: Expr) -> list[tuple[str, str]]:
        """What is known of the members of a structure that is passed by address."""
        if argument.kind == "name":
            prefix = f"{argument.name}->"
            return [(f"{param}->{key[len(prefix):]}", role)
                    for key, role in self.roles.items() if key.startswith(prefix)]  # fmt: skip
        if argument.kind != "unary" or argument.name != "&" or argument.args[0].kind != "name":
            return []
        found: list[tuple[str, str]] = []
        for member, value in self.naming.members(argument.args[0].name).items():
            role = self._meaning(value)
            constant = constant_of(value)
            if not role and isinstance(constant, int):
                role = "true" if constant else "false"
            if role:
                found.append((f"{param}->{member}", role))
        return found

    def _returned(self, state: State, event: Event, callee: Function, one: Exit) -> State:
        """The caller's state after the callee took this way out."""
        assert event.expr is not None
        held, counts = state.held, state.counts
        if one.state.held or one.state.counts:
            rename = self.effects.naming(callee).renamer(event.expr, self.naming)
            for kind, key, n in one.state.held:
                held = _add(held, kind, rename(key), n)
            for kind, key, n in one.state.counts:
                counts = _add(counts, kind, rename(key), n)
        flagged = one.state.flagged
        idle = one.state.idle if flagged != state.flagged else False
        return State(held, counts, one.state.blockable, flagged, idle)

    # -- the end ----------------------------------------------------------

    def at_exit(self, state: State, event: Event, here: Here) -> None:
        value, origin = ANY, ""
        if event.expr is not None:
            value = here.value(event.expr)
            if value == ANY:
                origin = event.describe().removeprefix("return ")
        key = (state, value, "")
        if key not in self.exits:
            steps = here.steps(event)
            self.exits[key] = Exit(state, value, event.place, event, steps, origin)

    def summary(self, result: WalkResult) -> Summary:
        """What the walk found."""
        incomplete = self.incomplete or result.bounded
        if result.unknown:
            first = result.unknown[0]
            incomplete = incomplete or f"{first.place}: not understood ({first.name})"
        return Summary(
            tuple(self.exits.values()),
            tuple(self.sleeps.values()),
            incomplete,
            tuple(self.touches.values()),
        )


def _handed(call: Expr) -> Expr | None:
    """The call that this one may make of a function that it is given, or None."""
    found = load("evaluation")["calls"].get(call.name)
    given = call.args[1:]
    if found is None or len(given) <= found["function"]:
        return None
    callee = bare(given[found["function"]])
    if callee.kind == "unary" and callee.name == "&":
        callee = bare(callee.args[0])
    if callee.kind != "name":
        return None
    arguments = (given[position] for position in found["arguments"])
    return Expr("call", callee.name, (callee, *arguments), call.span, call.line)


_HARMLESS = frozenset({"container_of", "mmu_notifier_to_kvm", "pr_debug", "might_sleep",
                       "lockdep_assert_held"})  # fmt: skip

_ATOMICS = {"atomic_inc": 1, "atomic_dec": -1, "atomic_inc_return": 1, "atomic_dec_return": -1,
            "atomic64_inc": 1, "atomic64_dec": -1, "atomic_long_inc": 1, "atomic_long_dec": -1,
            "atomic_dec_and_test": -1}  # fmt: skip


def _change(expr: Expr) -> int:
    """By how much a counter changes: ``++ --``, ``+= 1``, atomic_inc(); else 0."""
    if expr.kind in ("postfix", "unary") and expr.name in ("++", "--"):
        return 1 if expr.name == "++" else -1
    if expr.kind == "assign" and expr.name in ("+=", "-="):
        by = constant_of(expr.args[1])
        if isinstance(by, int):
            return by if expr.name == "+=" else -by
    if expr.kind == "call" and len(expr.args) > 1:
        return _ATOMICS.get(expr.name, 0)
    return 0


def paired_counters(starts: Iterable[Function], ends: Iterable[Function]) -> frozenset[str]:
    """Members that a start callback's code raises and an end's lowers."""
    raised = {name for function in starts for name, by in _changes(function) if by > 0}
    return frozenset(
        name for function in ends for name, by in _changes(function) if by < 0 and name in raised
    )


def _changes(function: Function) -> Iterable[tuple[str, int]]:
    for part in every(function.body):
        by = _change(part)
        if by:
            left = bare(part.args[1] if part.kind == "call" else part.args[0])
            if left.kind == "unary" and left.name == "&":
                left = bare(left.args[0])
            if left.kind in ("arrow", "member"):
                yield left.name, by


def _add(balance: Balance, kind: str, key: str, by: int) -> Balance:
    for entry in balance:
        if entry[0] == kind and entry[1] == key:
            n = max(-3, min(3, entry[2] + by))
            rest = balance - {entry}
            return rest | {(kind, key, n)} if n else rest
    return balance | {(kind, key, by)}


def _counted(state: State, key: str, by: int) -> State:
    counts = _add(state.counts, "count", key, by)
    return msgspec.structs.replace(state, counts=counts, idle=False)


def _member(key: str) -> str:
    """The last member: what is left of a lock's name on both sides of a call."""
    return key.rpartition("->")[2].rpartition(".")[2]


def _same(one: State, two: State) -> bool:
    return msgspec.structs.replace(one, idle=False) == msgspec.structs.replace(two, idle=False)


def _busy(state: State) -> State:
    return msgspec.structs.replace(state, idle=False) if state.idle else state
