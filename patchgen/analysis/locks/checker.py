# SPDX-License-Identifier: GPL-2.0-only
"""The paths of one function: what each takes, drops, counts and waits for."""

from __future__ import annotations

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Clobber, Here, Outcome, WalkResult, graph_of
from patchgen.analysis.locks.allocating import allocates
from patchgen.analysis.locks.calls import (
    changes,
    handed,
    may_sleep,
    pointee,
    reschedules,
    taken_for,
)
from patchgen.analysis.locks.counters import change
from patchgen.analysis.locks.entered import Entering, Outcomes, Summaries
from patchgen.analysis.locks.held import Balance, add, conflict, renamed
from patchgen.analysis.locks.ranges import answers
from patchgen.analysis.locks.state import (
    Context,
    Exit,
    State,
    Summary,
    Take,
    Touch,
    busy,
    doubted,
    member_of,
)
from patchgen.analysis.locks.writes import is_told
from patchgen.analysis.values.fitted import fitted
from patchgen.analysis.values.naming import meaning
from patchgen.analysis.values.subjects import Operand, is_pure
from patchgen.analysis.values.types import of_type
from patchgen.analysis.values.value import ANY, NONZERO, ZERO, Known
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import ALWAYS, IF_TRUE, LockCall, primitives, transferable
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, root, text

_HARMLESS = frozenset(
    {"container_of", "mmu_notifier_to_kvm", "pr_debug", "might_sleep", "lockdep_assert_held"}
)


class LockChecker(Entering):
    """Follows one function in one context; :meth:`summary` says what was found."""

    kinds = frozenset({events.CALL, events.ASSIGN, events.DECL, events.BRANCH, events.UNKNOWN})

    def __init__(self, summaries: Summaries, function: Function, context: Context) -> None:
        super().__init__(summaries, function, context)
        self.visible, self.tested, self.found, self._set, self._named, self._given = (
            summaries.shape(function)
        )
        self.exits: dict[tuple[object, ...], Exit] = {}

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

    def unfollowed(self, state: State, event: Event) -> State:
        if state.doubt:
            return state
        why = f"{event.place}: whether {event.describe()} is not followed"
        return msgspec.structs.replace(state, doubt=why, vague=True)

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
        if not own and allocates(call):
            self._allocated(state, event, call, here)
        elif not own and (may_sleep(call) or (reschedules(call) and self._atomic(state))):
            self._slept(call.name, event, state, here)
        if primitive is not None:
            return self._lock(state, event, call, primitive, here)
        counter = self._counter(call)
        if counter is not None:
            return self._touched(state, event, here, *counter)
        if not own and call.name in names("evaluation", "pure", "functions"):
            return answers(state, call)
        given = None if own else handed(call)
        targets = self._targets(given or call)
        if given is not None and targets:
            return self._perhaps(state, event, given, targets, here)
        if not targets:
            return self._elsewhere(state, event, call)
        if not self._is_sure(call):
            state = doubted(state, f"{event.place}: which {text(call.args[0])}() is not known")
        return self._enter(state, event, targets, here)

    def _own(self, name: str) -> bool:
        """Whether the file defines this function itself: then knowledge of it is none."""
        return name != "" and any(
            found.path == self.function.path
            for found in self.summaries.program.named(name, self.function.path)
        )

    def _elsewhere(self, state: State, event: Event, call: Expr) -> State:
        """A call whose code is not at hand: it leaves locks as it found them.

        Unless it is given a lock that is held, which is then unclear.
        """
        if call.name in _HARMLESS or call.name in names("evaluation", "prints", "functions"):
            return state
        if not self.unseen:
            where = self.function.path
            name = self.summaries.source.leads(where, call.name, is_told) if call.name else ""
            if name or not call.name:
                self.unseen = f"{name or text(call.args[0])}() ({event.place})"
        state = self._passed(busy(state), f"{event.place}: {call.name or text(call.args[0])}()")
        held = {key for kind, key, n in state.held if n > 0 and kind != "count"}
        for argument in call.args[1:] if held else ():
            argument = bare(argument)
            given = argument.kind == "unary" and argument.name == "&"
            if given and self.naming.key(pointee(argument)) in held:
                why = f"{event.place}: {call.name}() gets a lock that is held, and is not seen"
                return doubted(state, why)
        return state

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
        place = (event.place, kind, key, twice != "")
        known = self.takes.get(place)
        if known is None or (known.doubt and not state.doubt):
            steps = here.steps(event)
            name = self.function.name
            trail = here.trail(event)
            self.takes[place] = Take(kind, key, event, name, twice, steps, state.doubt, trail)

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

    # -- the end ----------------------------------------------------------

    def at_exit(self, state: State, event: Event, here: Here) -> None:
        value, origin = ANY, ""
        if event.expr is not None:
            value = here.value(event.expr)
            kind = of_type(self.function.result)
            value = value if kind is None else fitted(value, kind)[0]
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
        # A refusal is told of at each return: an error, or the false of a bool.
        refused = value.hi < 0 or (self.function.result == "bool" and value == ZERO)
        key = (state, value, facts, given, same, found, event.place if refused else None)
        if key not in self.exits:
            steps = here.steps(event)
            self.exits[key] = Exit(
                state, value, event.place, event, steps, origin, facts, found, given, same,
                here.trail(),
            )  # fmt: skip

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
            self.unseen,
        )


def _counted(state: State, key: str, by: int) -> State:
    counts = add(state.counts, "count", key, by)
    return msgspec.structs.replace(state, counts=counts, idle=False)
