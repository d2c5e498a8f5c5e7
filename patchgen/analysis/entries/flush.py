# SPDX-License-Identifier: GPL-2.0-only
"""Entries that set_pte_at_notify() overwrites without a flush of the CPU's TLBs.

ptep_clear_flush() (mm/pgtable-generic.c) clears the entry and flushes; the forms
that only clear leave the flush to somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, root, text


class Unflushed(msgspec.Struct, frozen=True):
    """A notified change of the entry at ``pointer``; ``unsure`` says what may have flushed."""

    event: Event
    pointer: str
    steps: tuple[Step, ...]
    unsure: str = ""


class _State(msgspec.Struct, frozen=True):
    """Pointers whose entry is gone, those set here, and those given to a call."""

    gone: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    given: frozenset[tuple[str, str]] = frozenset()


def unflushed(program: Program, function: Function) -> tuple[Unflushed, ...]:
    """Calls of set_pte_at_notify() in ``function`` on entries that were not flushed."""
    checker = _Flushes(program, function)
    result = walk(function, checker)
    if not result.complete:
        reason = result.bounded or "a statement was not understood"
        return tuple(msgspec.structs.replace(one, unsure=reason) for one in checker.found.values())
    return tuple(checker.found.values())


class _Flushes(Checker[_State]):
    kinds = frozenset({events.CALL, events.ASSIGN, events.DECL, events.BRANCH})

    def __init__(self, program: Program, function: Function) -> None:
        self.program = program
        self.path = function.path
        self.params = {param.name for param in function.params}
        self.found: dict[Place, Unflushed] = {}

    def initial(self, function: Function) -> _State:
        return _State()

    def event(self, state: _State, event: Event, here: Here) -> _State:
        if event.kind == events.DECL:
            return _set(state, event.name) if event.expr is not None else state
        assert event.expr is not None
        if event.kind == events.ASSIGN:
            return _set(state, text(event.expr.args[0]))
        if event.kind == events.BRANCH:
            return _seen(state, event.expr, event.polarity)
        return self._call(state, event, here)

    def _call(self, state: _State, event: Event, here: Here) -> _State:
        assert event.expr is not None
        name, args = event.expr.name, event.expr.args[1:]
        if name in names("entries", "clears") and len(args) > 2:
            if name not in names("entries", "flushes"):
                return state
            return msgspec.structs.replace(state, gone=state.gone | {text(args[2])})
        stores = names("entries", "sets") | names("entries", "notifies")
        if name in stores and len(args) > 2:
            pointer = text(args[-2])
            if name in names("entries", "notifies") and pointer not in state.gone:
                self._overwrites(state, event, pointer, here)
            return msgspec.structs.replace(state, gone=state.gone - {pointer})
        return self._other(state, event.expr)

    def _other(self, state: _State, call: Expr) -> _State:
        """A function that is called may flush what it gets a pointer to."""
        if not call.name or call.name in names("entries", "loads"):
            return state
        callees = self.program.named(call.name, self.path)
        if not callees:
            return state
        if not any(c.name in names("entries", "flushes") for f in callees
                   for c in self.program.calls(f)):  # fmt: skip
            return state
        given = {(root(bare(argument)), call.name) for argument in call.args[1:]}
        return msgspec.structs.replace(state, given=state.given | given)

    def _overwrites(self, state: _State, event: Event, pointer: str, here: Here) -> None:
        assert event.expr is not None
        variable = root(bare(event.expr.args[-2]))
        callee = dict(state.given).get(variable)
        unsure = ""
        if callee:
            unsure = f"{callee}() may clear the entry at {pointer}"
        elif variable in self.params and pointer not in state.own:
            unsure = f"the entry at {pointer} is a caller's, who may have cleared it"
        known = self.found.get(event.place)
        if known is None or (known.unsure and not unsure):
            self.found[event.place] = Unflushed(event, pointer, here.steps(event), unsure)


def _set(state: _State, name: str) -> _State:
    """``name`` has a new value: what it pointed to before is out of sight."""
    below = (f"{name}->", f"{name}.")
    gone = frozenset(p for p in state.gone if p != name and not p.startswith(below))
    return msgspec.structs.replace(state, gone=gone, own=state.own | {name})


def _seen(state: _State, test: Expr, holds: bool) -> _State:
    """An entry that is seen to be empty has nothing in any TLB."""
    empty: Mapping[str, bool] = {"pte_none": True, "pte_present": False}
    if test.kind != "call" or len(test.args) < 2 or empty.get(test.name) is not holds:
        return state
    entry = bare(test.args[1])
    if entry.kind == "call" and entry.name in names("entries", "loads"):
        return msgspec.structs.replace(state, gone=state.gone | {text(bare(entry.args[1]))})
    if entry.kind == "unary" and entry.name == "*":
        return msgspec.structs.replace(state, gone=state.gone | {text(bare(entry.args[0]))})
    return state
