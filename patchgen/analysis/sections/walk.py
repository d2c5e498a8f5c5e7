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
from patchgen.analysis.engine.program import Program, declared_type
from patchgen.analysis.engine.summaries import Node
from patchgen.analysis.engine.walk import Checker, Here, Outcome, WalkResult
from patchgen.analysis.sections.calls import (
    Given,
    callees,
    given_to,
    ignored_results,
    known_pointer,
    passes_bounds,
    root_of,
    shown,
)
from patchgen.analysis.sections.guards import guards
from patchgen.analysis.sections.paths import (
    Observer,
    PathState,
    RangeExit,
    RangeFault,
    RangeSummary,
)
from patchgen.analysis.sections.sites import END, INIT, START, range_of, role
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
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.value import ANY, NEGATIVE, ZERO, Known
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, text


class RangeWalk(Checker[PathState]):
    """Follows the ranges of one function; ``faults`` and ``exits`` are what it found."""

    kinds = frozenset({events.CALL, events.ASSIGN, events.BRANCH, events.DECL})

    def __init__(
        self,
        program: Program,
        naming: Callable[[Function], Naming],
        ask: Callable[[Node[Given]], RangeSummary],
        node: Node[Given],
        observer: Observer | None = None,
    ) -> None:
        """``ask`` gives the summaries of callees."""
        self.observer = observer
        self.program = program
        self.names_of = naming
        self.ask = ask
        self.function = node.function
        self.given = dict(node.context)
        self.naming = naming(node.function)
        self.exits: dict[tuple[frozenset[tuple[str, Range]], Known], RangeExit] = {}
        self.faults: dict[tuple[str, Place, str], RangeFault] = {}
        self.incomplete = ""
        self.locals: dict[str, bool] = {}
        self.ignored = ignored_results(node.function)
        self.used = self._used()
        self.guards = guards(node.function)

    def _used(self) -> frozenset[str]:
        """The ranges that the function itself starts or ends."""
        calls = self.program.calls(self.function)
        targets = [range_of(call) for call in calls if role(call)]
        return frozenset(self._key(target) for target in targets if target is not None)

    def initial(self, function: Function) -> PathState:
        return PathState()

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
        if role(call) or callees(self.program, call, self.function) or passes_bounds(call):
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
            if key in self.used and not self.program.targets(call, self.function):
                found.append(key)
        return tuple(found)

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
        if passes_bounds(event.expr):
            return self._bounds(state, event.expr)
        away = self._given_away(event.expr)
        if away:
            for key in away:
                state = state.put(key, Range(LOST))
            return state
        return self._enter(state, event, here)

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

    def _bounds(self, state: PathState, call: Expr) -> PathState:
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
        self, state: PathState, event: Event, here: Here, what: str
    ) -> PathState | tuple[Outcome[PathState], ...]:
        assert event.expr is not None
        target = range_of(event.expr)
        if target is None:
            return state
        key = self._key(target)
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
        if event.expr.span.start in self.ignored:
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
        self, state: PathState, event: Event, here: Here
    ) -> PathState | tuple[PathState | Outcome[PathState], ...]:
        """What the callees leave; nothing for one that never returns, whose paths end here."""
        assert event.expr is not None
        outcomes: dict[tuple[PathState, Known], Outcome[PathState]] = {}
        entered = callees(self.program, event.expr, self.function)
        for callee in entered:
            context = given_to(event.expr, callee, self.given)
            summary = self.ask(Node(callee, context))
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
        rename = self.names_of(callee).renamer(event.expr, self.naming)
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
            if not self._is_local(key):
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
