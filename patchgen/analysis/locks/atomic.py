# SPDX-License-Identifier: GPL-2.0-only
"""Blocking starts that are reached while sleeping is forbidden.

A note of the walk names what forbids it: a spinlock, RCU, a page table's lock, a
mapped page table.  A call that gets the lock, or that drops locks somewhere, ends
the note: it may have dropped this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.locks.calls import lock_of
from patchgen.analysis.sections.calls import root_of
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.ranges import Ranges
from patchgen.analysis.sections.sites import START, initialisers, role
from patchgen.analysis.sections.state import Range
from patchgen.analysis.values.value import NONZERO, ZERO, Known
from patchgen.kernel.knowledge import load, names
from patchgen.kernel.locks import ALWAYS, IF_TRUE, primitives
from patchgen.model.base import Place
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, name, root, statements, text

_DEPTH = 6
Answer = frozenset[str] | tuple[tuple[frozenset[str], Known | None], ...]


@cache
def _takes() -> dict[str, int]:
    return {entry["function"]: entry["lock"] for entry in load("page_table_locks")["takes"]}


class AtomicStarts(Observer):
    """Collects blocking starts, here or in callees, under something atomic."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.program = ranges.program
        self.function = function
        self.found: dict[Place, tuple[Event, str, tuple[Step, ...]]] = {}
        self._results = _results(function)

    def watches(self, call: Expr) -> bool:
        if not call.name or call.name in initialisers():
            return False
        primitive = primitives().get(call.name)
        if primitive is not None:
            return primitive.atomic
        return role(call) in ("", START)

    def call(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> Answer:
        call = event.expr
        assert call is not None
        if role(call) == START:
            self._started(notes, event, here)
            return notes
        if call.name in _takes():
            taken = notes | {f"lock {self._lock_taken(call)}"}
            return ((taken, NONZERO), (notes, ZERO))
        if _is_context(call.name):
            return _context(notes, call.name)
        primitive = primitives().get(call.name)
        if primitive is not None:
            key = f"lock {text(lock_of(call, primitive))}"
            if not primitive.acquires:
                return notes - {key}
            if primitive.when == ALWAYS:
                return notes | {key}
            got, missed = (NONZERO, ZERO) if primitive.when == IF_TRUE else (ZERO, NONZERO)
            return ((notes | {key}, got), (notes, missed))
        return self._mapping(notes, event, here)

    def _lock_taken(self, call: Expr) -> str:
        """The key under which spin_unlock() of this lock would look for it."""
        position = _takes()[call.name]
        target = self._results.get(call.span.start, call)
        if position:
            argument = bare(call.args[position]) if position < len(call.args) else call
            target = _pointee(argument)
            if argument.kind == "unary" and argument.name == "&":
                target = bare(argument.args[0])
        return text(_pointee(target))

    def _mapping(self, notes: frozenset[str], event: Event, here: Here) -> Answer:
        call = event.expr
        assert call is not None
        tables = load("page_table_locks")
        if call.name in tables["mapping"]["takes"]:
            mapped = f"mapping {text(self._results.get(call.span.start, call))}"
            return ((notes | {mapped}, NONZERO), (notes, ZERO))
        if call.name in tables["mapping"]["drops"]:
            return frozenset(note for note in notes if not note.startswith("mapping "))
        if call.name in tables["both"]["drops"] and len(call.args) > 2:
            key = f"lock {text(_pointee(bare(call.args[2])))}"
            return frozenset(n for n in notes if n != key and not n.startswith("mapping "))
        if not notes:
            return notes
        inner = self.program.named(call.name, self.function.path)
        if any(_starts_first(self.program, callee, 0) for callee in inner):
            self._started(notes, event, here)
        return self._kept(notes, call)

    def _started(self, notes: frozenset[str], event: Event, here: Here) -> None:
        if notes and event.place not in self.found:
            self.found[event.place] = (event, _shown(min(notes)), here.steps(event))

    def _kept(self, notes: frozenset[str], call: Expr) -> frozenset[str]:
        """What a call cannot have dropped."""
        given = {root(bare(argument)) for argument in call.args[1:]} - {""}
        gone = {
            n
            for n in notes
            if root_of(n.partition(" ")[2]) in given and not n.startswith("mapping ")
        }
        for callee in self.program.named(call.name, self.function.path):
            if _drops(self.program, callee):
                return frozenset()
        return notes - gone


def _is_context(function: str) -> bool:
    pairs = load("page_table_locks")["context"]
    return function in pairs or function in pairs.values()


def _context(notes: frozenset[str], function: str) -> frozenset[str]:
    pairs = load("page_table_locks")["context"]
    if function in pairs:
        return notes | {f"after {function}()"}
    return notes - {f"after {takes}()" for takes, drops in pairs.items() if drops == function}


def _shown(note: str) -> str:
    kind, _, what = note.partition(" ")
    if kind == "mapping":
        return f"a page table is mapped ({what})"
    return f"{what.lstrip('*')} is held" if kind == "lock" else note


def _pointee(pointer: Expr) -> Expr:
    return Expr("unary", "*", (pointer,), pointer.span, pointer.line)


def _results(function: Function) -> dict[int, Expr]:
    """Offset of a call to the variable that gets its value."""
    found: dict[int, Expr] = {}
    for part in every(function.body):
        if part.kind == "assign" and part.name == "=":
            value = bare(part.args[1])
            if value.kind == "call":
                found[value.span.start] = bare(part.args[0])
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            given = bare(variable.init) if variable.init is not None else None
            if given is not None and given.kind == "call":
                found[given.span.start] = name(variable.name, variable.line)
    return found


def _drops(program: Program, function: Function) -> bool:
    """Whether the function, or one it calls, releases anything atomic at all."""
    seen, todo = {id(function)}, [function]
    while todo:
        one = todo.pop()
        for call in program.calls(one):
            if _releases(call):
                return True
            for callee in program.named(call.name, one.path) if call.name else ():
                if id(callee) not in seen:
                    seen.add(id(callee))
                    todo.append(callee)
    return False


def _releases(call: Expr) -> bool:
    tables = load("page_table_locks")
    primitive = primitives().get(call.name)
    if primitive is not None:
        return primitive.atomic and not primitive.acquires
    return call.name in tables["both"]["drops"] or call.name in tables["mapping"]["drops"]


def _starts_first(program: Program, function: Function, depth: int) -> bool:
    """Whether a blocking start comes before any release, in source order."""
    for call in sorted(program.calls(function), key=lambda c: c.span):
        if role(call) == START:
            return True
        if call.name in names("evaluation", "pure", "functions"):
            continue
        primitive = primitives().get(call.name)
        if primitive is not None and not primitive.acquires:
            return False
        if call.name in load("page_table_locks")["both"]["drops"]:
            return False
        if depth < _DEPTH and call.name and primitive is None:
            for callee in program.named(call.name, function.path):
                if callee is function:
                    continue
                if _starts_first(program, callee, depth + 1):
                    return True
                if _drops(program, callee):
                    return False
    return False
