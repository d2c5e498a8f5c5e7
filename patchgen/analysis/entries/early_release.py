# SPDX-License-Identifier: GPL-2.0-only
"""Pages that are let go while change_pte() has not moved the secondary MMUs off them.

The old page of a section is what the function puts, or takes off the reverse mapping,
without having made it, taken a reference to it or put it into the new entry.
What releases is data: ``knowledge/entries.toml``, [releases].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Decl, Expr, ExprStmt, Function, Goto, Return
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text


class Released(msgspec.Struct, frozen=True):
    """A release before the notified change at ``then``; ``unsure`` says why perhaps not."""

    event: Event
    page: str
    then: Place
    steps: tuple[Step, ...]
    unsure: str = ""


class _State(msgspec.Struct, frozen=True):
    """Pages let go (with the line), references taken, whether the entry was looked up."""

    gone: tuple[tuple[str, int], ...] = ()
    held: frozenset[str] = frozenset()
    found: bool = False


def released_early(program: Program, function: Function) -> tuple[Released, ...]:
    """Releases of the old page in ``function`` that a notified change follows."""
    checker = _Order(program, function)
    result = walk(function, checker)
    if result.complete:
        return tuple(checker.found.values())
    reason = result.bounded or "a statement was not understood"
    return tuple(msgspec.structs.replace(one, unsure=reason) for one in checker.found.values())


class Releases:
    """The parameters, by position, that a function lets go on every path."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._summaries = Summaries(self)

    def of(self, function: Function) -> frozenset[int]:
        """Positions of the parameters, from 0."""
        return self._summaries.of(Node(function, None))

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        """What it calls by name."""
        for call in self.program.calls(node.function):
            for callee in self.program.named(call.name, node.function.path) if call.name else ():
                yield Node(callee, None)

    def start(self, node: Node[None]) -> frozenset[int]:
        """Before the first round, a function of a circle lets nothing go."""
        return frozenset()

    def compute(
        self, node: Node[None], ask: Callable[[Node[None]], frozenset[int]]
    ) -> frozenset[int]:
        """By the statements that stand in its body itself, up to a way out."""
        function = node.function
        params = {param.name: number for number, param in enumerate(function.params)}
        found: set[int] = set()
        for stmt in function.body.body:
            call = bare(stmt.expr) if isinstance(stmt, ExprStmt) else None
            if call is not None and call.kind == "call":
                positions = {0} if call.name in _releasing() else set[int]()
                named = self.program.named(call.name, function.path) if call.name else ()
                if named and not positions:
                    positions = set(frozenset.intersection(*(ask(Node(f, None)) for f in named)))
                given = [call.args[at + 1] for at in positions if at + 1 < len(call.args)]
                found |= {params[text(bare(a))] for a in given if text(bare(a)) in params}
            elif any(isinstance(inner, Return | Goto) for inner in statements(stmt)):
                break
        return frozenset(found)

    def same(self, before: frozenset[int], after: frozenset[int]) -> bool:
        """Whether both let the same go."""
        return before == after

    def unsettled(self, node: Node[None], first: frozenset[int]) -> frozenset[int]:
        raise AssertionError("positions are few, and only become more")


class _Order(Checker[_State]):
    kinds = frozenset({events.CALL, events.ASSIGN})

    def __init__(self, program: Program, function: Function) -> None:
        self.program, self.path = program, function.path
        self.fresh = _fresh(function)
        self.old = _old(function)
        self.entries = _entries(program, function)
        self.found: dict[Place, Released] = {}
        self._events: dict[int, Event] = {}

    def initial(self, function: Function) -> _State:
        return _State()

    def event(self, state: _State, event: Event, here: Here) -> _State:
        call = event.expr
        assert call is not None
        if event.kind == events.ASSIGN:
            return self._moved(_without(state, text(call.args[0])), text(call.args[0]))
        args = call.args[1:]
        if call.name in names("entries", "takes") and args:
            return msgspec.structs.replace(state, held=state.held | {text(bare(args[0]))})
        if call.name in _releasing() and args:
            return self._release(state, event, text(bare(args[0])))
        for position in self._given_up(call):
            state = self._release(state, event, text(bare(args[position])))
        if call.name in names("entries", "notifies") and len(args) > 3:
            self._notified(state, event, here)
            return msgspec.structs.replace(state, gone=())
        for argument in map(bare, args):
            if argument.kind == "unary" and argument.name == "&":
                state = self._moved(state, text(argument.args[0]))
        return state

    def _given_up(self, call: Expr) -> tuple[int, ...]:
        """Arguments that a function of the program lets go whenever it is called."""
        named = self.program.named(call.name, self.path) if call.name else ()
        releases = self.program.once(Releases)
        given = [releases.of(callee) for callee in named]
        sure = frozenset.intersection(*given) if given else frozenset[int]()
        return tuple(position for position in sorted(sure) if position + 1 < len(call.args))

    def _moved(self, state: _State, name: str) -> _State:
        """The next entry of a loop: what went before was another one's page."""
        if name not in self.entries:
            return state
        return _State(() if state.found else state.gone, state.held, True)

    def _release(self, state: _State, event: Event, page: str) -> _State:
        assert event.expr is not None
        puts = event.expr.name not in names("entries", "unmaps")
        if puts and page in state.held:
            return msgspec.structs.replace(state, held=state.held - {page})
        if page in self.fresh:
            return state
        self._events[event.line] = event
        gone = tuple(sorted({*state.gone, (page, event.line)}))
        return msgspec.structs.replace(state, gone=gone)

    def _notified(self, state: _State, event: Event, here: Here) -> None:
        for page, line in state.gone:
            release = self._events[line]
            if release.place in self.found:
                continue
            unsure = "" if page in self.old else f"whether {page} is what the entry mapped"
            self.found[release.place] = Released(
                release, page, event.place, here.steps(event), unsure
            )


def _releasing() -> frozenset[str]:
    return names("entries", "puts") | names("entries", "unmaps")


def _without(state: _State, name: str) -> _State:
    """``name`` has a new value: what it was is out of sight."""
    word = re.compile(rf"(?<![\w.>]){re.escape(name)}(?!\w)")
    gone = tuple(one for one in state.gone if not word.search(one[0]))
    return msgspec.structs.replace(state, gone=gone, held=state.held - {name})


def _entries(program: Program, function: Function) -> frozenset[str]:
    """The pointers, and the variables they are in, that notified changes go through."""
    wanted = names("entries", "notifies")
    pointers = [c.args[-2] for c in program.calls(function) if c.name in wanted and c.args[1:]]
    return frozenset(text(p) for p in pointers) | {root(bare(p)) for p in pointers}


def _stores(function: Function) -> list[tuple[str, Expr]]:
    """Every assignment and initialisation: target, value."""
    found = [
        (text(expr.args[0]), expr.args[1])
        for expr in every(function.body)
        if expr.kind == "assign" and expr.name == "="
    ]
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.init is not None:
                found.append((variable.name, variable.init))
    return found


def _fresh(function: Function) -> frozenset[str]:
    """Pages that are allocated here, mapped anew, or put into the new entry."""
    found: set[str] = set()
    for name, value in _stores(function):
        made = bare(value)
        if made.kind == "call" and made.name in names("entries", "allocates"):
            found.add(name)
    for expr in every(function.body):
        if expr.kind == "call" and len(expr.args) > 1:
            if expr.name in names("entries", "fresh"):
                found |= {text(part) for part in subexpressions(expr.args[1])}
            elif expr.name in names("entries", "maps"):
                found.add(text(bare(expr.args[1])))
    return _aliases(function, found)


def _old(function: Function) -> frozenset[str]:
    """Pages that the entry maps: taken off the reverse mapping, or read from the entry."""
    found: set[str] = set()
    for name, value in _stores(function):
        if any(part.name in names("entries", "page_of") for part in subexpressions(value)):
            found.add(name)
    for expr in every(function.body):
        if expr.kind == "call" and len(expr.args) > 1 and expr.name in _releasing():
            page = bare(expr.args[1])
            read = page.kind == "call" and page.name in names("entries", "page_of")
            if expr.name in names("entries", "unmaps") or (read and not _is_new(function, page)):
                found.add(text(page))
    return _aliases(function, found)


def _is_new(function: Function, page: Expr) -> bool:
    """Whether ``pte_page(e)`` is of an entry that the function made, not one that it found."""
    entry = root(page.args[1]) if len(page.args) > 1 else ""
    made = [value for name, value in _stores(function) if name == entry]
    return any(
        part.name in names("entries", "fresh") for value in made for part in subexpressions(value)
    )


def _aliases(function: Function, pages: set[str]) -> frozenset[str]:
    """With the folio of a page, and the page of a folio."""
    for _ in range(2):
        for name, value in _stores(function):
            made = bare(value)
            if made.kind != "call" or made.name not in names("entries", "same_page"):
                continue
            inner = text(bare(made.args[1]))
            if inner in pages or name in pages:
                pages = pages | {inner, name}
    return frozenset(pages)
