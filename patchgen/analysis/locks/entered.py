# SPDX-License-Identifier: GPL-2.0-only
"""What a function's calls do, from the summaries of their callees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.checker import Trail
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Checker, Here, Outcome, graph_of
from patchgen.analysis.locks.allocating import ATOMIC, BLOCKABLE, INVERTED, OPEN, Flags
from patchgen.analysis.locks.calls import (
    pointee,
)
from patchgen.analysis.locks.entering import Arguments
from patchgen.analysis.locks.held import add, conflict
from patchgen.analysis.locks.shape import Shape
from patchgen.analysis.locks.source import Source
from patchgen.analysis.locks.state import (
    Context,
    Exit,
    Sleep,
    State,
    Summary,
    Take,
    Touch,
    busy,
    doubted,
    member_of,
)
from patchgen.analysis.locks.visible import (
    as_the_caller_has_it,
    in_callers_terms,
)
from patchgen.analysis.locks.writes import Writes, is_known
from patchgen.analysis.values.fitted import fitted
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.types import of_type
from patchgen.analysis.values.value import ANY, Known, meet
from patchgen.kernel.knowledge import is_quick
from patchgen.kernel.locks import atomic_kinds
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, text

#: States in which one call may leave its caller; more are not followed, and said so.
STATES = 64
#: Different ways out of a callee; beyond it, what they return is forgotten.
OUTCOMES = 24

Outcomes: TypeAlias = tuple[Outcome[State], ...]


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

    def shape(self, function: Function) -> Shape:
        """What of a function is the same in each context."""
        ...

    def naming(self, function: Function) -> Naming:
        """How a function's expressions read in terms of its parameters."""
        ...


class Entering(Checker[State]):
    """One function in one context, as far as the calls that it makes go."""

    def __init__(self, summaries: Summaries, function: Function, context: Context) -> None:
        self.summaries = summaries
        self.function = function
        self.context = context
        self.roles = dict(context.roles)
        self.naming = summaries.naming(function)
        self.flags = Flags(self.naming, self.roles)
        self.arguments = Arguments(summaries.program, function, self.naming, self.roles)
        self.sleeps: dict[tuple[Place, bool | None, bool], Sleep] = {}
        self.touches: dict[tuple[Place, tuple[str, ...]], Touch] = {}
        self.takes: dict[tuple[Place, str, str, bool], Take] = {}
        self.incomplete = ""
        self.unseen = ""

    def _targets(self, call: Expr) -> tuple[Function, ...]:
        bound = self.roles.get(text(_pointer(call)), "") if self.roles else ""
        program = self.summaries.program
        if bound.startswith("="):
            near = self.function.path
            return tuple(f for name in bound[1:].split("|") for f in program.named(name, near))
        found = program.targets(call, self.function)
        if not found and call.name and not is_known(call.name):
            found = self.summaries.source.inline(call.name, self.function.path)
        return found

    def _is_sure(self, call: Expr) -> bool:
        """Whether the targets of a call are known by more than a member's name."""
        return (
            call.name != ""
            or self.roles.get(text(_pointer(call)), "").startswith("=")
            or self.summaries.program.is_sure(call, self.function)
        )

    def _allocated(self, state: State, event: Event, call: Expr, here: Here) -> None:
        """Note an allocation that may wait, by its flags."""
        said = self.flags.of_call(call, here.value, state.blockable)
        if said == ATOMIC or {BLOCKABLE: False, INVERTED: True}.get(said, state) is state.blockable:
            return
        if said in (BLOCKABLE, INVERTED):
            state = msgspec.structs.replace(state, blockable=said == BLOCKABLE)
        if said == OPEN:
            state = doubted(state, f"{event.place}: whether {call.name}() may wait is not known")
        self._slept(call.name, event, state, here)

    def _slept(self, name: str, event: Event, state: State, here: Here) -> None:
        found = Sleep(
            name, event, self.function.name, state.blockable, self._atomic(state),
            here.steps(event), event.line, state.doubt, here.trail(event),
        )  # fmt: skip
        self._noted(found)

    def _noted(self, sleep: Sleep) -> None:
        key = (sleep.event.place, sleep.blockable, bool(sleep.held))
        known = self.sleeps.get(key)
        if known is None or (known.doubt and not sleep.doubt):
            self.sleeps[key] = sleep

    def _enter(
        self, state: State, event: Event, targets: tuple[Function, ...], here: Here
    ) -> Outcomes:
        outcomes: dict[tuple[object, ...], Outcome[State]] = {}
        assert event.expr is not None
        for callee in targets:
            summary = self.summaries.of(callee, self._context(state, event, callee, here))
            self.incomplete = self.incomplete or summary.incomplete
            if not (is_quick(callee.name) and callee.path.startswith("include/")):
                self.unseen = self.unseen or summary.unseen
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
                    outcomes[key] = Outcome(after, one.value, steps, facts, also, same, one.trail)
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
                    doubt=state.doubt or sleep.doubt, trail=here.trail(event, sleep.trail),
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
            key = rename(take.key) if not take.twice else take.key
            self._take_of(state, take, key, prefix, here.trail(event, take.trail))

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

    def _take_of(
        self, state: State, take: Take, key: str, prefix: tuple[Step, ...], trail: Trail
    ) -> None:
        """A callee's take: of a lock that is held here, or still the callers' business."""
        twice = take.twice or conflict(state.held, take.kind, key)
        if not twice and any(name == key and n < 0 for _, name, n in state.held):
            return
        place = (take.event.place, take.kind, key, twice != "")
        known = self.takes.get(place)
        doubt = state.doubt or take.doubt
        if known is None or (twice and known.doubt and not doubt):
            self.takes[place] = msgspec.structs.replace(
                take, key=key, twice=twice, steps=prefix + take.steps, doubt=doubt, trail=trail
            )

    def _context(self, state: State, event: Event, callee: Function, here: Here) -> Context:
        assert event.expr is not None
        roles = self.arguments.of(event.expr, callee, here)
        numbers: list[tuple[str, Known]] = []
        made: list[str] = []
        graph = graph_of(self.summaries.source.expanded(callee))
        for param, argument in zip(callee.params, event.expr.args[1:], strict=False):
            known = here.value(argument)
            kind = of_type(param.type)
            known = known if kind is None else fitted(known, kind)[0]
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
        found = msgspec.structs.replace(
            state, held=held, counts=counts, blockable=one.state.blockable, flagged=flagged,
            idle=idle, passed=state.passed or one.state.passed,
        )  # fmt: skip
        if one.state.doubt and not (one.state.vague and state.doubt):
            found = doubted(found, one.state.doubt)
            vague = one.state.vague and found.doubt == one.state.doubt
            found = msgspec.structs.replace(found, vague=vague)
        return found


def _fewer(outcomes: Iterable[Outcome[State]]) -> dict[tuple[object, ...], Outcome[State]]:
    """One way out for each state, whatever it returns and whichever doubt it is in."""
    found: dict[tuple[object, ...], Outcome[State]] = {}
    for one in outcomes:
        alike = msgspec.structs.replace(one.state, doubt="?" if one.state.doubt else "")
        found.setdefault((alike,), Outcome(one.state, None, one.steps))
    return found


def _same(one: State, two: State) -> bool:
    return msgspec.structs.replace(one, idle=False) == msgspec.structs.replace(two, idle=False)


def _pointer(call: Expr) -> Expr:
    """What a call calls, without the ``*`` that may stand before it."""
    callee = bare(call.args[0])
    if callee.kind == "unary" and callee.name == "*":
        return bare(callee.args[0])
    return callee
