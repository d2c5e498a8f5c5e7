# SPDX-License-Identifier: GPL-2.0-only
"""Sections between the start and the end of an invalidation, and what they reach.

A section may cross functions: a helper that gets the range from its caller opens
it, and the callers' code up to their end call belongs to it.  Calls are followed
by name through the files that mention the notifiers; walk callbacks are followed
through the walk structure that is passed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Protocol, TypeAlias

from patchgen.analysis.engine.summaries import Node, closure
from patchgen.analysis.entries.effects import (
    Effect,
    argument,
    calls,
    effects,
    primitives,
    vma_variables,
)
from patchgen.analysis.values.kept import Kept
from patchgen.model.base import Evidence, Place, Span, Value
from patchgen.model.code import Decl, DoWhile, Expr, For, Function, MacroLoop, Unknown, While
from patchgen.source.c.text import bare, every, root, statements, text

INIT = "mmu_notifier_range_init"
HEADER = "include/linux/mmu_notifier.h"
_STARTS = frozenset(
    {"mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock"}
)
_ENDS = frozenset({"mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"})
#: A part of a function, and its parameters that are another process's mm.
_Part: TypeAlias = tuple[Span, frozenset[str]]
_NONE: frozenset[str] = frozenset()
#: Whoever handles page tables under the notifiers mentions one of these.
_MENTIONS = (
    INIT,
    "mmu_notifier_range",
    "mmu_notifier",
    "mmu_notifier_release",
    "mmu_notifier_invalidate_range",
    "set_pte_at_notify",
    *sorted(_STARTS | _ENDS),
)


class Sources(Protocol):
    """Where functions come from: a state of a tree, or facts at hand."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none."""

    def paths_mentioning(self, *names: str) -> tuple[str, ...]:
        """Sources in which one of the identifiers occurs, sorted."""

    def functions(self, path: str) -> tuple[Function, ...]:
        """The function definitions of a file, in order of appearance."""


class Site(Value, frozen=True):
    """A call that initialises a range, and the function it stands in."""

    path: str
    function: Function
    call: Expr

    @property
    def place(self) -> Place:
        """Where the call stands."""
        return Place(self.path, self.call.line)

    @property
    def range(self) -> str:
        """The range argument as text: ``&range`` or ``range``."""
        return text(bare(self.call.args[1]))


class Piece(Value, frozen=True):
    """A part of a section: the bytes ``spans`` of one function."""

    function: Function
    spans: tuple[Span, ...]


class Code:
    """The functions of the files that mention the notifiers, by name."""

    def __init__(self, state: Sources) -> None:
        self._state = state
        self.paths = tuple(path for path in state.paths_mentioning(*_MENTIONS) if path != HEADER)
        self._by_name: dict[str, list[Function]] = defaultdict(list)
        self._callers: dict[str, list[Function]] = defaultdict(list)
        self._locals: dict[tuple[str, Span], dict[str, list[str]]] = {}
        self._tables: dict[str, dict[str, list[str]]] = {}
        self.openers: set[str] = set()
        for path in self.paths:
            for function in state.functions(path):
                self._by_name[function.name].append(function)
                for name in {call.name for call in calls(function)}:
                    self._callers[name].append(function)
                    if name == INIT:
                        self.openers.add(function.name)

    def defined_in(self, path: str) -> tuple[Function, ...]:
        """The functions of a file."""
        return self._state.functions(path)

    def called(self, name: str, near: str) -> list[Function]:
        """Definitions of ``name`` that a call in the file ``near`` can mean."""
        found = self._by_name.get(name, [])
        own = [function for function in found if function.path == near]
        return own or [function for function in found if not function.static]

    def callers(self, function: Function) -> list[Function]:
        """Functions that call ``function``; itself left out."""
        return [
            caller
            for caller in self._callers.get(function.name, [])
            if caller.name != function.name
            and (caller.path == function.path or not function.static)
        ]

    def walk_callbacks(self, function: Function, call: Expr) -> Iterator[str]:
        """Functions in a structure that ``call`` passes, such as a struct mm_walk.

        Only of calls that leave the files looked at: others are followed.
        """
        if call.name in self._by_name:
            return
        local = self._local_tables(function)
        for name in {root(bare(arg)) for arg in call.args[1:]} - {""}:
            yield from local.get(name, ())
            yield from self._file_tables(function.path).get(name, ())

    def walked_with(self, function: Function) -> set[str]:
        """The other callbacks of the file's walks that call ``function``."""
        found: set[str] = set()
        for callbacks in self._file_tables(function.path).values():
            if function.name in callbacks:
                found |= set(callbacks) - {function.name}
        return found

    def _local_tables(self, function: Function) -> dict[str, list[str]]:
        """Per local structure: the names that its members are set to."""
        key = (function.path, function.span)
        if key not in self._locals:
            found: dict[str, list[str]] = defaultdict(list)
            for stmt in statements(function.body):
                for variable in stmt.variables if isinstance(stmt, Decl) else ():
                    for field in variable.init.args if variable.init is not None else ():
                        if field.kind == "field" and field.args and field.args[0].kind == "name":
                            found[variable.name].append(field.args[0].name)
            for expr in every(function.body):
                if expr.kind == "assign" and expr.args[0].kind == "member":
                    value = bare(expr.args[1])
                    if value.kind == "name" and value.name in self._by_name:
                        found[root(expr.args[0])].append(value.name)
            self._locals[key] = dict(found)
        return self._locals[key]

    def _file_tables(self, path: str) -> dict[str, list[str]]:
        """Per structure at file scope: the names that its members are set to."""
        if path not in self._tables:
            source = self._state.read(path) or b""
            self._tables[path] = {
                name.decode(): [word.decode() for word in re.findall(rb"=\s*(\w+)", body)]
                for name, body in re.findall(
                    rb"\bstruct\s+mm_walk\w*\s+(\w+)\s*=\s*\{([^}]*)\}", source
                )
            }
        return self._tables[path]


def sites(state: Sources) -> tuple[Site, ...]:
    """Every call that initialises a range outside the API's header."""
    return tuple(
        Site(path, function, call)
        for path in state.paths_mentioning(INIT)
        if path != HEADER
        for function in state.functions(path)
        for call in sorted(calls(function), key=lambda call: call.span)
        if call.name == INIT
    )


def pieces(site: Site, code: Code) -> tuple[Piece, ...]:
    """The code between start and end of the site's section."""
    own, begin = site.range, site.call.span.start
    later = [
        call.span.start
        for call, given in _on_ranges(site.function)
        if call.name == INIT and given == own and call.span.start > begin
    ]
    limit = min(later, default=site.function.span.end)
    found = [_piece(site.function, site.range, site.call.span.end, limit)]
    found += _walked(site, code)
    names = [param.name for param in site.function.params]
    if site.range in names:
        found += _outer(site.function, names.index(site.range), code)
    return tuple(piece for piece in found if piece.spans)


def _walked(site: Site, code: Code) -> Iterator[Piece]:
    """The other callbacks of a walk, where one callback opens the section and leaves it open."""
    own = site.range
    on_range = {call.name for call, given in _on_ranges(site.function) if given == own}
    if on_range & _STARTS and not on_range & _ENDS:
        for name in sorted(code.walked_with(site.function)):
            for callee in code.called(name, site.path):
                yield Piece(callee, (callee.body.span,))


def _piece(function: Function, range_text: str, begin: int, limit: int) -> Piece:
    """From the start call after ``begin`` to the last end call before ``limit``."""
    on_range = sorted(
        (call.span, call.name)
        for call, given in _on_ranges(function)
        if call.name != INIT and given == range_text
    )
    starts = [
        span.end for span, name in on_range if name in _STARTS and begin <= span.start < limit
    ]
    start = min(starts, default=begin)
    ends = [span.start for span, name in on_range if name in _ENDS and start <= span.start < limit]
    end = max(ends, default=start)
    spans = [Span(start, end)] if end > start else []
    for loop in _loops(function):
        # Opened in one round of a loop, the section lasts into the next rounds.
        if start in loop and end not in loop and end > start:
            spans.append(loop)
    return Piece(function, tuple(spans))


def _ranges_in(function: Function) -> tuple[tuple[Expr, str], ...]:
    """The calls that begin, start or end a section, each with its range as text."""
    return tuple(
        (call, text(bare(call.args[1])))
        for call in calls(function)
        if len(call.args) > 1 and (call.name == INIT or call.name in _STARTS or call.name in _ENDS)
    )


_on_ranges = Kept(_ranges_in)


def _loops_in(function: Function) -> tuple[Span, ...]:
    kinds = While | DoWhile | For | MacroLoop
    return tuple(stmt.span for stmt in statements(function.body) if isinstance(stmt, kinds))


_loops = Kept(_loops_in)


def _outer(opener: Function, index: int, code: Code) -> list[Piece]:
    """The callers' parts of a section that ``opener`` leaves open."""
    found: list[Piece] = []

    def upwards(node: Node[int]) -> Iterator[Node[int]]:
        for caller, call, given in _giving(node.function, node.context, code):
            found.append(_piece(caller, text(given), call.span.end, caller.span.end))
            names = [param.name for param in caller.params]
            if text(given) in names:
                yield Node(caller, names.index(text(given)))

    closure((Node(opener, index),), upwards)
    return found


def _giving(function: Function, index: int, code: Code) -> Iterator[tuple[Function, Expr, Expr]]:
    """Calls of ``function`` with a range as argument ``index``: caller, call, argument."""
    for caller in code.callers(function):
        for call in calls(caller):
            given = argument(call, index) if call.name == function.name else None
            if given is not None and text(given) != "NULL":
                yield caller, call, given


def reached(site: Site, code: Code) -> tuple[Effect, ...]:
    """Every change of a page table entry in the section, calls followed.

    A function that opens a section of its own notifies for itself and is left out.
    """
    mm = argument(site.call, len(site.call.args) - 4)
    foreign = frozenset(
        param.name
        for param in site.function.params
        if param.type == "struct mm_struct *" and mm is not None and param.name != root(mm)
    )
    start = [
        Node(piece.function, (span, foreign if piece.function == site.function else _NONE))
        for piece in pieces(site, code)
        for span in piece.spans
    ]
    found: set[Effect] = set()
    for node in closure(start, lambda node: _entered(node, code)):
        span, theirs = node.context
        found.update(effects(node.function, span, theirs))
        found.update(_not_understood(node.function, span))
    return tuple(sorted(found))


def _entered(node: Node[_Part], code: Code) -> Iterator[Node[_Part]]:
    """What the calls in a part of a function enter, openers of other sections left out."""
    function, (span, foreign) = node.function, node.context
    known = primitives()
    for call in calls(function, span):
        if call.name in known.store or call.name in known.clear:
            continue
        for name in (call.name, *code.walk_callbacks(function, call)):
            for callee in code.called(name, function.path) if name not in code.openers else ():
                theirs = _bound(callee, call, foreign) if name == call.name else _NONE
                yield Node(callee, (callee.body.span, theirs))


def _not_understood(function: Function, span: Span) -> Iterator[Effect]:
    """Statements and expressions that the parser gave up on: anything may happen there."""
    for start, line in _unknowns(function):
        if start in span:
            yield Effect("unknown", Place(function.path, line), "not understood")


def _unknown_in(function: Function) -> tuple[tuple[int, int], ...]:
    """Where what the parser gave up on begins: offsets and lines."""
    found = [(s.span.start, s.line) for s in statements(function.body) if isinstance(s, Unknown)]
    found += [(e.span.start, e.line) for e in every(function.body) if e.kind == "unknown"]
    return tuple(found)


_unknowns = Kept(_unknown_in)


def _bound(callee: Function, call: Expr, foreign: frozenset[str]) -> frozenset[str]:
    """The callee's parameters that the call gives a foreign mm."""
    return frozenset(
        param.name
        for param, arg in zip(callee.params, call.args[1:], strict=False)
        if text(bare(arg)) in foreign
    )


def teardown(site: Site, code: Code) -> Evidence | None:
    """Where a caller that owns the batch of freed pages frees page tables or the vma.

    A batch from a caller that is not known may be such a one.  None when the
    section's function owns its batch, or no owner frees those.
    """
    first: Node[None] = Node(site.function, None)

    def upwards(node: Node[None]) -> Iterator[Node[None]]:
        if _shares_batch(node.function):
            yield from (Node(caller, None) for caller in code.callers(node.function))

    for node in closure((first,), upwards):
        function = node.function
        if not _shares_batch(function):
            found = _frees(function) if node != first else None
            if found is not None:
                return found
        elif not code.callers(function):
            return Evidence(Place(function.path, function.line), "the caller's batch is not known")
    return None


def _shares_batch(function: Function) -> bool:
    """Whether the batch of freed pages is a caller's."""
    return any(param.type == primitives().gather_type for param in function.params)


def _frees(function: Function) -> Evidence | None:
    """Where a function frees page tables or its vma."""
    known = primitives()
    for call in calls(function):
        place = Place(function.path, call.line)
        if call.name in known.tables_freed:
            return Evidence(place, "page tables are freed")
        given = {text(bare(arg)) for arg in call.args[1:]}
        if call.name in known.vma_freed and given & vma_variables(function):
            return Evidence(place, "the vma is freed")
    return None
