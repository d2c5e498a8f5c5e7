# SPDX-License-Identifier: GPL-2.0-only
"""Readers of interval notifiers: where they ask whether their pages are still those."""

from __future__ import annotations

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.analysis.locks.calls import lock_of
from patchgen.kernel.locks import primitives, transferable
from patchgen.model.code import Function
from patchgen.model.findings import Step
from patchgen.source.c.text import text


class Late(msgspec.Struct, frozen=True):
    """The lock is taken at ``event`` behind the last question, and nobody asks under it."""

    event: Event
    lock: str
    steps: tuple[Step, ...]


class _Way(msgspec.Struct, frozen=True):
    """Locks held; whether it was asked without one; where one was taken since."""

    held: frozenset[str] = frozenset()
    asked: bool = False
    late: Late | None = None


def late_locks(function: Function, question: str, locks: frozenset[str]) -> tuple[Late, ...]:
    """Locks by their member that a reader takes only when it has asked, and asks no more.

    ``question`` is the call that asks; between it and the lock the answer may change.
    """
    checker = _Reader(question, locks)
    result = walk(function, checker)
    return tuple(checker.found.values()) if result.complete else ()


class _Reader(Checker[_Way]):
    kinds = frozenset({events.CALL})

    def __init__(self, question: str, locks: frozenset[str]) -> None:
        self.question = question
        self.locks = locks
        self.found: dict[int, Late] = {}

    def initial(self, function: Function) -> _Way:
        return _Way()

    def event(self, state: _Way, event: Event, here: Here) -> _Way:
        call = event.expr
        assert call is not None
        if call.name == self.question:
            return _Way(state.held, not state.held, None)
        primitive = primitives().get(call.name)
        if primitive is None or primitive.fixed or primitive.kind in transferable():
            return state
        lock = text(lock_of(call, primitive))
        if not primitive.acquires:
            return msgspec.structs.replace(state, held=state.held - {lock})
        late = state.late
        if state.asked and late is None and member(lock) in self.locks:
            late = Late(event, lock, here.steps(event))
        return _Way(state.held | {lock}, state.asked, late)

    def at_exit(self, state: _Way, event: Event, here: Here) -> None:
        if state.late is not None:
            self.found.setdefault(state.late.event.node, state.late)


def member(lock: str) -> str:
    """The last member of a lock's name: what two functions both call it."""
    return lock.rpartition(">")[2].rpartition(".")[2].lstrip("*")
