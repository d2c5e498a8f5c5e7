# SPDX-License-Identifier: GPL-2.0-only
"""What one function does to notifier ranges, along each of its paths.

What a call does to ranges of the caller (a helper that opens a section, or closes it) is
the callee's summary (:mod:`.ranges`), applied here.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import declared_type
from patchgen.analysis.engine.summaries import Node
from patchgen.analysis.engine.walk import Checker, Here, Outcome, WalkResult
from patchgen.analysis.sections.calls import Given, given_to, known_pointer, root_of, shown
from patchgen.analysis.sections.paths import (
    Observer,
    PathState,
    RangeExit,
    RangeFault,
    RangeSummary,
)
from patchgen.analysis.sections.reading import Call, Reading, pointed
from patchgen.analysis.sections.sites import END, INIT, START
from patchgen.analysis.sections.state import (
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
from patchgen.analysis.values.value import ANY, NEGATIVE, ZERO, Known
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, text


class RangeWalk(Checker[PathState]):
    """Follows the ranges of one function; ``faults`` and ``exits`` are what it found."""

    kinds = frozenset({events.CALL, events.ASSIGN, events.BRANCH, events.DECL})

    def __init__(
        self,
        reading: Callable[[Function], Reading],
        ask: Callable[[Node[Given]], RangeSummary],
        node: Node[Given],
        observer: Observer | None = None,
    ) -> None:
        """``ask`` gives the summaries of callees."""
        self.observer = observer
        self.read = reading
        self.ask = ask
        self.function = node.function
        self.given = dict(node.context)
        self.reading = reading(node.function)
        self.naming = self.reading.naming
        self.exits: dict[tuple[frozenset[tuple[str, Range]], Known], RangeExit] = {}
        self.faults: dict[tuple[str, Place, str], RangeFault] = {}
        self.incomplete = ""
        self.guards = self.reading.guards
        #: Of calls that are watched: whether by the observer, and whether they matter here.
        self.calls: dict[Event, tuple[bool, Call | None]] = {}

    def initial(self, function: Function) -> PathState:
        return PathState()

    def watches(self, event: Event) -> bool:
        expr = event.expr
        if event.kind == events.DECL:
            return self.reading.is_range(event.name) and self.reading.is_local(event.name)
        if event.kind == events.BRANCH:
            if event.opaque or expr is None:
                return False
            return bool(self.given) or text(expr) in self.guards
        if expr is None:
            return False
        if event.kind == events.ASSIGN:
            return bare(expr.args[0]).kind in ("member", "arrow", "name")
        watched = self.observer is not None and self.observer.watches(expr)
        call = self.reading.call(expr)
        own = call.matters and not self._is_nothing(expr, call)
        self.calls[event] = (watched, call if own else None)
        return watched or own

    def _is_nothing(self, expr: Expr, call: Call) -> bool:
        """Whether all that a call enters returns, and leaves every range as it was."""
        if call.role or call.bounds or call.away:
            return False
        found = [self.ask(self._within(expr, callee)) for callee in call.entered]
        exits = [one for summary in found for one in summary.exits]
        return (
            bool(exits)
            and not any(one.ranges for one in exits)
            and not any(summary.incomplete for summary in found)
        )

    def _within(self, call: Expr, callee: Function) -> Node[Given]:
        return Node(callee, given_to(call, callee, self.given))

    def event(
        self, state: PathState, event: Event, here: Here
    ) -> PathState | Outcome[PathState] | tuple[PathState | Outcome[PathState], ...]:
        if event.kind == events.DECL:
            return self._declared(state, event, here)
        assert event.expr is not None
        if event.kind == events.BRANCH:
            return self._branch(state, event)
        if event.kind == events.ASSIGN:
            return self._assign(state, event.expr)
        watched, call = self.calls[event]
        if watched:
            assert self.observer is not None
            answer = self.observer.call(state.notes, dict(state.ranges), event, here)
            if isinstance(answer, tuple):
                return tuple(
                    Outcome(msgspec.structs.replace(state, notes=notes), value)
                    for notes, value in answer
                )
            if answer is not state.notes:
                state = msgspec.structs.replace(state, notes=answer)
        if call is None:
            return state
        if call.role:
            return self._primitive(state, event, here, call)
        if call.bounds:
            return self._bounds(state, event.expr)
        if call.away:
            for key in call.away:
                state = state.put(key, Range(LOST))
            return state
        return self._enter(state, event, here, call)

    # -- declarations, branches and assignments -------------------------------

    def _declared(self, state: PathState, event: Event, here: Here) -> PathState:
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

    def _branch(self, state: PathState, event: Event) -> PathState | tuple[PathState, ...]:
        assert event.expr is not None
        known = known_pointer(event.expr, self.given) if self.given else None
        asked = text(event.expr) if self.guards else ""
        if asked in self.guards:
            if (asked, not event.polarity) in state.decided:
                return ()
            decided = state.decided | {(asked, event.polarity)}
            return msgspec.structs.replace(state, decided=decided)
        return state if known is None or known == event.polarity else ()

    def _assign(self, state: PathState, expr: Expr) -> PathState:
        variable, key, member, ours = self.reading.assignment(expr)
        if variable:
            for known, _ in state.ranges:
                if known == variable:  # a whole structure was copied in
                    return state.put(known, Range(READY))
                if known == f"*{variable}" or known.startswith(f"{variable}->"):
                    state = state.put(known, Range(LOST))
            return state
        before = state.get(key)
        if before is None and not ours:
            return state
        before = before or self._fresh(key)
        restores = expr.name == "=" and self.reading.is_saved(expr.args[1], key, member)
        return state.put(key, assigned(before, member, expr.line, restores))

    def _bounds(self, state: PathState, call: Expr) -> PathState:
        """A call that may move bounds that it gets the addresses of."""
        for argument in call.args[1:]:
            target = bare(argument)
            if target.kind == "unary" and target.name == "&":
                member = bare(target.args[0])
                if member.kind not in ("member", "arrow") or member.name not in ("start", "end"):
                    continue
                holder = (
                    member.args[0] if member.kind == "member" else pointed(member.args[0], member)
                )
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
        if self.reading.is_local(key):
            return Range(RAW)
        variable = root_of(key)
        if variable in self.naming.params or not declared_type(self.function, variable):
            return Range(FOREIGN)
        return Range(LOST)

    def _primitive(
        self, state: PathState, event: Event, here: Here, call: Call
    ) -> PathState | tuple[Outcome[PathState], ...]:
        assert event.expr is not None
        what, key = call.role, call.target
        if not key:
            return state
        before = state.get(key) or self._fresh(key)
        if before.state == LOST:
            why = f"{self.function.path}:{event.line}: the state of {shown(key)} is not known"
            self.incomplete = self.incomplete or why
            return state
        name = shown(key)
        if what == INIT:
            return self._after(state, event, here, key, initialised(before, event.line))
        if what == END:
            return self._after(state, event, here, key, ended(before, name))
        opened = self._after(state, event, here, key, started(before, name, event.line))
        if what == START:
            return opened
        if event.expr.span.start in self.reading.ignored:
            message = f"the result is ignored: if the start fails, {name} is not open"
            self._fault(Fault(IGNORED, message), event, here)
            return opened
        return (Outcome(opened, ZERO), Outcome(state.put(key, refused(before)), NEGATIVE))

    def _after(
        self, state: PathState, event: Event, here: Here, key: str, answer: Answer
    ) -> PathState:
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

    def _enter(
        self, state: PathState, event: Event, here: Here, call: Call
    ) -> PathState | tuple[PathState | Outcome[PathState], ...]:
        """What the callees leave; nothing for one that never returns, whose paths end here."""
        assert event.expr is not None
        outcomes: dict[tuple[PathState, Known], Outcome[PathState]] = {}
        for callee in call.entered:
            summary = self.ask(self._within(event.expr, callee))
            self.incomplete = self.incomplete or summary.incomplete
            if not summary.exits and summary.incomplete:
                outcomes.setdefault((state, ANY), Outcome(state, ANY))
            for one in summary.exits:
                after = self._returned(state, event, here, callee, one)
                steps = () if after == state else one.steps
                if (after, one.value) not in outcomes:
                    outcomes[after, one.value] = Outcome(after, one.value, steps)
        if outcomes and all(one.state == state for one in outcomes.values()):
            return state
        return tuple(outcomes.values())

    def _returned(
        self, state: PathState, event: Event, here: Here, callee: Function, one: RangeExit
    ) -> PathState:
        assert event.expr is not None
        rename = self.read(callee).naming.renamer(event.expr, self.naming)
        for key, after in sorted(one.ranges):
            mine = rename(key)
            if root_of(mine) in ("", "NULL") or (mine == key and key not in self.naming.exprs):
                continue
            before = state.get(mine) or self._fresh(mine)
            if before.state == LOST:
                continue
            result, fault = handed_back(before, after, shown(mine))
            if fault is not None:
                message = f"{callee.name}(): {fault.message}"
                self._fault(Fault(fault.kind, message), event, here)
            state = state.put(mine, result)
        return state

    # -- the end --------------------------------------------------------------

    def at_exit(self, state: PathState, event: Event, here: Here) -> None:
        if self.observer is not None:
            self.observer.leaves(state.notes, dict(state.ranges), event, here)
        value = here.value(event.expr) if event.expr is not None else ANY
        theirs = []
        for key, known in sorted(state.ranges):
            if not self.reading.is_local(key):
                if known.state not in (LOST, FOREIGN):
                    theirs.append((key, msgspec.structs.replace(known, changed=())))
            elif known.state == OPEN:
                message = (
                    f"{self.function.name}() returns with the section of {shown(key)} open, "
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
