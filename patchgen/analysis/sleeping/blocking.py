# SPDX-License-Identifier: GPL-2.0-only
"""Whether a callback's test for "may block" stands the right way round, and is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, Outcome, walk
from patchgen.analysis.locks.state import Exit, Sleep, Summary
from patchgen.analysis.values.naming import Naming, meaning
from patchgen.analysis.values.value import ANY, NEGATIVE, NONZERO, ZERO, Known, truth
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import ALWAYS, IF_TRUE, primitives
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare

#: -EAGAIN, include/uapi/asm-generic/errno-base.h.
EAGAIN = -11


def refuses(leaving: Exit, interval: bool) -> bool:
    """Whether this way out says "cannot without blocking"."""
    value = leaving.value
    if interval:
        return value.lo == value.hi == 0
    return value.lo == value.hi == EAGAIN


def inverted_exits(summary: Summary, interval: bool) -> tuple[Exit, ...]:
    """Ways out that refuse where blocking is allowed, if none refuses where not."""
    refusing = [one for one in summary.exits if refuses(one, interval)]
    if any(one.state.blockable is not True for one in refusing):
        return ()
    if interval and not any(one.state.blockable is False for one in summary.exits):
        return ()
    return tuple(refusing)


def inverted_sleeps(summary: Summary) -> tuple[Sleep, ...]:
    """Sleeps that are reached only where blocking is known to be forbidden.

    None where the other side of the test has sleeps of its own: then both sides sleep, and
    the test is not inverted.
    """
    sides: dict[object, set[bool | None]] = {}
    for sleep in summary.sleeps:
        sides.setdefault(sleep.event.place, set()).add(sleep.blockable)
    if any(seen == {True} for seen in sides.values()):
        return ()
    return tuple(s for s in summary.sleeps if sides[s.event.place] == {False})


def succeeds(value: Known, interval: bool) -> bool:
    """Whether a callback that returns ``value`` says "invalidated"."""
    return truth(value) is True if interval else value == ZERO


class Idle(msgspec.Struct, frozen=True):
    """A way out on which nothing was invalidated, and success reported."""

    event: Event
    steps: tuple[Step, ...]


#: What a call in a function may enter, as :meth:`Program.targets` says.
Targets: TypeAlias = Callable[[Expr, Function], tuple[Function, ...]]

#: Calls that are followed from a callback.
_DEPTH = 4


def idle_successes(
    function: Function, interval: bool, targets: Targets = lambda call, caller: ()
) -> tuple[Idle, ...]:
    """Ways out that say "invalidated" and did nothing, for no reason but "must not block".

    A helper may refuse, and its answer be dropped: ``targets`` gives what calls enter.

    None unless the callback does something where it may block.  What the callback asks
    besides, after the test, may be a reason of its own: such ways out are left alone.
    """
    checker = _Answers(function, interval, targets, {})
    result = walk(function, checker)
    return tuple(checker.idle) if checker.works and result.complete else ()


class _Way(msgspec.Struct, frozen=True):
    """What a path decided about "may block", and whether it did or asked anything since."""

    blockable: bool | None = None
    acted: bool = False
    asked: bool = False


class _Answers(Checker[_Way]):
    kinds = frozenset({events.CALL, events.ASSIGN, events.BRANCH})

    def __init__(
        self,
        function: Function,
        interval: bool,
        targets: Targets,
        roles: Mapping[str, str],
        depth: int = 0,
    ) -> None:
        self.function = function
        self.interval = interval
        self.naming = Naming(function)
        self.targets = targets
        self.roles = roles
        self.depth = depth
        self.idle: list[Idle] = []
        self.ways: dict[tuple[_Way, Known], None] = {}
        self.works = False

    def initial(self, function: Function) -> _Way:
        return _Way()

    def event(self, state: _Way, event: Event, here: Here) -> _Way | tuple[Outcome[_Way], ...]:
        if event.kind == events.BRANCH:
            return self._branch(state, event.expr, event.polarity)
        assert event.expr is not None
        if event.kind == events.ASSIGN:
            return state if self._local(event.expr.args[0]) else _acted(state)
        primitive = primitives().get(event.expr.name)
        if primitive is not None:
            if primitive.when == ALWAYS:
                return state
            yes, no = (NONZERO, ZERO) if primitive.when == IF_TRUE else (ZERO, NEGATIVE)
            return (Outcome(state, yes), Outcome(state, no))
        if is_idle(event.expr) or event.expr.name == "container_of":
            return state
        return self._enter(state, event.expr)

    def _enter(self, state: _Way, call: Expr) -> _Way | tuple[Outcome[_Way], ...]:
        """What a helper does that asks whether it may block; any other one does something."""
        entered = self.targets(call, self.function) if self.depth < _DEPTH else ()
        if len(entered) != 1:
            return _acted(state)
        found: dict[tuple[_Way, Known], None] = {}
        for way, value in self._ways_of(entered[0], call):
            if way.blockable is None:
                way = _Way(state.blockable, True, state.asked)
            elif state.blockable is not None:
                if way.blockable != state.blockable:
                    continue
                way = msgspec.structs.replace(way, asked=state.asked or way.asked)
            found[_acted(way) if state.acted else way, value] = None
        return tuple(Outcome(way, value) for way, value in found) or _acted(state)

    def _ways_of(self, callee: Function, call: Expr) -> tuple[tuple[_Way, Known], ...]:
        roles = {
            param.name: what
            for param, argument in zip(callee.params, call.args[1:], strict=False)
            if (what := meaning(self.naming.plain(argument), self.roles))
        }
        inner = _Answers(callee, self.interval, self.targets, roles, self.depth + 1)
        return tuple(inner.ways) if walk(callee, inner).complete else ()

    def _branch(
        self, state: _Way, test: Expr | None, holds: bool
    ) -> _Way | tuple[Outcome[_Way], ...]:
        what = meaning(self.naming.plain(test), self.roles) if test is not None else ""
        if what.startswith("!"):
            what, holds = what[1:], not holds
        if what == "blockable":
            if state.blockable is not None:
                return state if state.blockable == holds else ()
            return _Way(holds)
        if test is not None and bare(test).name in primitives():
            return state  # a lock that could not be had at once is "must not block" again
        return msgspec.structs.replace(state, asked=True)

    def _local(self, target: Expr) -> bool:
        """Whether an assignment changes a variable of the function only."""
        target = bare(target)
        while target.kind == "member":
            target = bare(target.args[0])
        return target.kind == "name" and target.name in self.naming.types

    def at_exit(self, state: _Way, event: Event, here: Here) -> None:
        self.ways[state, ANY if event.expr is None else here.value(event.expr)] = None
        if state.blockable is True:
            self.works = self.works or state.acted
        if event.expr is None or state.blockable is not False or state.acted or state.asked:
            return
        if succeeds(here.value(event.expr), self.interval):
            self.idle.append(Idle(event, here.steps(event)))


def _acted(state: _Way) -> _Way:
    return msgspec.structs.replace(state, acted=True)


def is_idle(call: Expr) -> bool:
    """Whether a call only looks or prints."""
    return call.name in names("evaluation", "pure", "functions") | names(
        "evaluation", "prints", "functions"
    )
