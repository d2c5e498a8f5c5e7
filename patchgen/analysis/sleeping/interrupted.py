# SPDX-License-Identifier: GPL-2.0-only
"""Waits that a signal may end, and callbacks that go on as if they were done."""

from __future__ import annotations

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, Outcome, walk
from patchgen.analysis.sleeping.blocking import is_idle, succeeds
from patchgen.analysis.values.subjects import constant_of
from patchgen.analysis.values.value import NEGATIVE, POSITIVE, ZERO
from patchgen.kernel.knowledge import load, names
from patchgen.kernel.locks import primitives
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step


def interruptible(call: Expr) -> bool:
    """Whether this primitive's wait may be ended by a signal, by its name or its argument."""
    lock = primitives().get(call.name)
    if (lock is not None and lock.signal) or call.name in names(
        "sleep", "interruptible", "functions"
    ):
        return True
    position = load("sleep")["interruptible_if"]["argument"].get(call.name)
    if position is None or position + 1 >= len(call.args):
        return False
    return constant_of(call.args[position + 1]) not in (None, 0)


class Unheeded(msgspec.Struct, frozen=True):
    """An interruptible wait, and the way on which its interruption changes nothing."""

    wait: Event
    steps: tuple[Step, ...]


def unheeded(function: Function, interval: bool) -> tuple[Unheeded, ...]:
    """Waits of a callback after whose interruption it reports success all the same.

    Where the interrupted way has a call that the other one does not have, printing and
    unlocking apart, that may be the answer to it, and nothing is claimed.
    """
    checker = _Waits(interval)
    if not walk(function, checker).complete:
        return ()
    found: dict[int, Unheeded] = {}
    for one, calls in checker.successes:
        if calls <= checker.done.get(one.wait.node, frozenset()):
            found.setdefault(one.wait.node, one)
    return tuple(found.values())


class _Way(msgspec.Struct, frozen=True):
    """The last wait (its number in the graph), whether it was interrupted, calls since."""

    wait: int = -1
    interrupted: bool = False
    calls: frozenset[int] = frozenset()


class _Waits(Checker[_Way]):
    kinds = frozenset({events.CALL})

    def __init__(self, interval: bool) -> None:
        self.interval = interval
        self.waits: dict[int, Event] = {}
        self.done: dict[int, frozenset[int]] = {}
        self.successes: list[tuple[Unheeded, frozenset[int]]] = []

    def initial(self, function: Function) -> _Way:
        return _Way()

    def event(self, state: _Way, event: Event, here: Here) -> _Way | tuple[Outcome[_Way], ...]:
        call = event.expr
        assert call is not None
        if interruptible(call):
            self.waits[event.node] = event
            interrupted = Outcome(_Way(event.node, True), NEGATIVE)
            if call.name in names("sleep", "until", "functions"):
                late = Outcome(_Way(), ZERO)
                return (interrupted, late, Outcome(_Way(event.node), POSITIVE))
            return (interrupted, Outcome(_Way(event.node), ZERO))
        primitive = primitives().get(call.name)
        if state.wait < 0 or is_idle(call) or (primitive is not None and not primitive.acquires):
            return state
        if state.interrupted:
            return msgspec.structs.replace(state, calls=state.calls | {event.node})
        self.done[state.wait] = self.done.get(state.wait, frozenset()) | {event.node}
        return state

    def at_exit(self, state: _Way, event: Event, here: Here) -> None:
        if not state.interrupted:
            return
        if event.expr is None or succeeds(here.value(event.expr), self.interval):
            wait = self.waits[state.wait]
            self.successes.append((Unheeded(wait, here.steps(event)), state.calls))
