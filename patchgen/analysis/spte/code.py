# SPDX-License-Identifier: GPL-2.0-only
"""x86's KVM code as the judgement on its TDP MMU needs it: definitions, loops, makers.

``struct tdp_iter`` is private to arch/x86/kvm (arch/x86/kvm/mmu/tdp_iter.h, from 5.10
on), so that what changes an SPTE through one stands in that folder: a name that is not
defined there is no such function.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Decl, Expr, ExprStmt, Function, Return
from patchgen.sandbox.look import names_inside
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare
from patchgen.source.c.walk import calls, expressions, walk

FOLDERS = ("arch/x86/kvm/mmu", "arch/x86/kvm")
ITERATOR: str = load("kvm")["iterator"]["struct"]
OLD: str = load("kvm")["iterator"]["old"]
ENTRY: str = load("kvm")["iterator"]["entry"]
READS = names("kvm", "iterator", "reads")
WRITES = names("kvm", "iterator", "writes")
FLUSHES = names("kvm", "flush", "functions")
FRAMES = names("kvm", "spte", "frame")
WRITABLE = names("kvm", "spte", "writable")
#: Calls that are followed into each other; KVM's own chains are five deep.
DEPTH = 12


_DEFINE = re.compile(
    rb"^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)(\([^)]*\))?((?:\\\n|[^\n])*)", re.M
)
_HEAD = re.compile(rb"^[A-Za-z_].*$", re.M)
_CALLED = re.compile(rb"\b([A-Za-z_]\w*)\s*\(")
_WORD = re.compile(r"\b[A-Za-z_]\w*\b")


class Sources(Protocol):
    """What is asked of a state of the tree (:class:`patchgen.source.facts.state.TreeState`)."""

    @property
    def root(self) -> Path:
        """The tree on disk."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file in this state; None where there is none."""

    def definitions(self, path: str) -> Definitions:
        """The function definitions of a file."""


class NotUnderstood(Exception):
    """The judgement cannot be made: where, and what was not understood."""

    def __init__(self, path: str, line: int, text: str) -> None:
        super().__init__(text)
        self.evidence = Evidence(Place(path, line), text)


class Macro(NamedTuple):
    """A macro: where, the names of its parameters, its body on one line."""

    place: Place
    params: frozenset[str]
    body: str


#: Files whose names are kept: the folders have some seventy.
_KEPT = 256


@functools.lru_cache(_KEPT)
def _heads(data: bytes) -> tuple[str, ...]:
    """What may be defined in a file: a definition's name is in a line that is not indented."""
    words = (word for line in _HEAD.findall(data) for word in _CALLED.findall(line))
    return tuple(dict.fromkeys(word.decode() for word in words))


@functools.lru_cache(_KEPT)
def _macros(path: str, data: bytes) -> tuple[tuple[str, Macro], ...]:
    """The macros that a file defines, by name, in order."""
    found = []
    for one in _DEFINE.finditer(data):
        body = one[3].replace(b"\\\n", b" ").decode("utf-8", "replace")
        place = Place(path, data.count(b"\n", 0, one.start()) + 1)
        params = frozenset(_WORD.findall((one[2] or b"").decode("utf-8", "replace")))
        found.append((one[1].decode(), Macro(place, params, " ".join(body.split()))))
    return tuple(found)


class Code:
    """Function definitions and macros of :data:`FOLDERS`, each looked up once."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.files = tuple(self._listed())
        self._found: dict[tuple[str, str], Function | None] = {}
        self._heads: dict[str, dict[str, None]] | None = None
        self._macros: dict[str, tuple[Macro, ...]] | None = None
        self._renews: dict[str, bool] = {}
        self._flushes: dict[str, bool] = {}
        self._writes: dict[str, bool] = {}

    def _listed(self) -> Iterator[str]:
        for folder in FOLDERS:
            for name in names_inside(str(self._sources.root.resolve()), folder) or ():
                if name.endswith((".c", ".h")) and self._sources.read(f"{folder}/{name}"):
                    yield f"{folder}/{name}"

    def text(self, path: str) -> bytes:
        """A listed file's bytes."""
        return self._sources.read(path) or b""

    def function(self, name: str, seen_from: str = "") -> Function | None:
        """The definition of ``name``: of the file it is called in, else the one there is.

        None where there is none here.  NotUnderstood: two definitions may be meant.
        """
        key = (name, seen_from)
        if key not in self._found:
            self._found[key] = self._look_up(name, seen_from)
        return self._found[key]

    def _look_up(self, name: str, seen_from: str) -> Function | None:
        if self._heads is None:
            self._heads = {}
            for path in self.files:
                for word in _heads(self.text(path)):
                    self._heads.setdefault(word, {})[path] = None
        found: list[Function] = []
        for path in sorted(self._heads.get(name, ()), key=lambda path: path != seen_from):
            known = self._sources.definitions(path)
            if name in known:
                if path == seen_from:
                    return known[name]
                found.append(known[name])
        found = [function for function in found if not function.static or function.path[-1] == "h"]
        if len(found) > 1:
            where = ", ".join(f"{other.path}:{other.line}" for other in found[1:])
            text = f"{name}() is defined at {where}, too"
            raise NotUnderstood(found[0].path, found[0].line, text)
        return found[0] if found else None

    def macros(self, name: str) -> tuple[Macro, ...]:
        """The macros called ``name`` that the folders define."""
        if self._macros is None:
            self._macros = {}
            for path in self.files:
                for word, made in _macros(path, self.text(path)):
                    self._macros[word] = (*self._macros.get(word, ()), made)
        return self._macros.get(name, ())

    def plain(self, function: Function) -> Function:
        """``function``, defined once in its file and without conditionals in it.

        NotUnderstood otherwise: what is compiled depends on the configuration.
        """
        data = self.text(function.path)
        inside = data[function.span.start : function.span.end]
        directive = re.search(rb"^[ \t]*#", inside, re.M)
        if directive:
            line = data.count(b"\n", 0, function.span.start + directive.start()) + 1
            raise NotUnderstood(function.path, line, f"a directive inside {function.name}()")
        name = re.escape(function.name.encode())
        again = re.compile(rb"^[\w \t*]*\b" + name + rb"\([^;{}]*\)\s*\{", re.M)
        if len(again.findall(data)) > 1:
            text = f"{function.name}() is defined more than once in its file"
            raise NotUnderstood(function.path, function.line, text)
        return function

    def hidden(self, function: Function, variable: str) -> None:
        """NotUnderstood where a macro that the function names uses ``variable`` of it."""
        for name in mentioned(function):
            for known in self.macros(name):
                if variable in {*_WORD.findall(known.body)} - known.params:
                    text = f"{name} uses {variable} of {function.name}()"
                    raise NotUnderstood(known.place.path, known.place.line, text)

    def reached(
        self, function: Function, follow: Callable[[Function], bool] = lambda function: True
    ) -> Iterator[Function]:
        """``function`` and what it calls or passes on, within the folders, each once.

        Those that ``follow`` does not take are left out, and what only they call.
        """
        todo, seen = [function], set[str]()
        while todo:
            current = todo.pop(0)
            if current.name in seen:
                continue
            seen.add(current.name)
            yield current
            names_here = list(mentioned(current))
            for name in names_here:
                known = self.function(name, current.path)
                if known is not None:
                    todo += [known] if follow(known) else []
                    continue
                for macro in self.macros(name):
                    names_here += [n for n in _WORD.findall(macro.body) if n not in names_here]

    def flushes(self, name: str, seen_from: str) -> bool:
        """Whether a call of ``name`` makes the vCPUs flush."""
        if name in FLUSHES or "flush" not in name:
            return name in FLUSHES
        if name not in self._flushes:
            function = self.function(name, seen_from)
            self._flushes[name] = function is not None and any(
                True for reached in self.reached(function) for _ in calls(reached.body, *FLUSHES)
            )
        return self._flushes[name]

    def steps(self, macro: str, path: str, line: int) -> tuple[str, int]:
        """Where a loop macro's step reads the SPTE anew, as ``path`` and line.

        NotUnderstood: the macro is no ``for`` whose step does so.
        """
        name = macro
        for _ in range(DEPTH):
            defined = self.macros(name)
            if len(defined) != 1:
                break
            body = defined[0].body
            step = re.match(r"for\s*\(.*?;.*?;\s*(\w+)\s*\(\s*&", body)
            if step:
                function = self.function(step[1])
                if function is not None and self.renews(function):
                    return function.path, function.line
                break
            inner = re.match(r"(\w+)\s*\(", body)
            if not inner:
                break
            name = inner[1]
        raise NotUnderstood(path, line, f"{macro}() is not seen to read the SPTE anew at each step")

    def renews(self, function: Function) -> bool:
        """Whether it moves an iterator and has it read the SPTE that it then points at."""
        if function.name not in self._renews:
            moved = renewed = False
            for reached in self.reached(function, lambda known: takes_iterator(known)):
                for expr in expressions(reached.body):
                    stepped = expr.kind in ("postfix", "unary") and expr.name == "++"
                    if not stepped and expr.kind != "assign":
                        continue
                    target = expr.args[0]
                    moved |= target.name == ENTRY and target.kind in ("arrow", "member")
                    renewed |= not stepped and target.name == OLD and is_entry(expr.args[1])
            self._renews[function.name] = moved and renewed
        return self._renews[function.name]

    def writes_entries(self, function: Function) -> bool:
        """Whether it comes to entries of the tables without being handed an iterator.

        By one of its own, there or in what it calls, or by a pointer that it is given.
        """
        if function.name not in self._writes:
            pointers = {p.name for p in function.params if p.type.split() == ["u64", "*"]}
            self._writes[function.name] = any(
                _is_through(expr, pointers) for expr in expressions(function.body)
            ) or any(owns_iterator(known) for known in self.reached(function))
        return self._writes[function.name]

    def takes_write(self, function: Function) -> bool:
        """Whether the SPTE that ``function`` returns never lets the guest write.

        Seen as: the right is taken from the result by a statement of the function's
        own block, and nothing behind that gives it.
        """
        last = function.body.body[-1] if function.body.body else None
        if not isinstance(last, Return) or last.value is None or last.value.kind != "name":
            return False
        taken = -1
        for number, statement in enumerate(function.body.body):
            expr = statement.expr if isinstance(statement, ExprStmt) else None
            if expr is not None and expr.kind == "assign" and expr.name == "&=":
                mask = bare(expr.args[1])
                inverted = mask.kind == "unary" and mask.name == "~"
                if expr.args[0].name == last.value.name and inverted and _words(mask) & WRITABLE:
                    taken = number
        if taken < 0 or sum(isinstance(n, Return) for n in walk(function.body)) != 1:
            return False
        behind = [e for s in function.body.body[taken + 1 :] for e in expressions(s)]
        helpers = [self.function(e.name, function.path) for e in behind if e.kind == "call"]
        behind += [e for f in helpers if f is not None for e in expressions(f.body)]
        return not any(_gives_write(expr) for expr in behind)


def _is_through(expr: Expr, pointers: set[str]) -> bool:
    """Whether ``expr`` writes to what one of ``pointers`` points to."""
    if expr.kind == "assign" or (expr.kind == "call" and expr.name in WRITES):
        target = bare(expr.args[0 if expr.kind == "assign" else 1])
        return target.kind in ("unary", "index") and bool(
            {e.name for e in expressions(target) if e.kind == "name"} & pointers
        )
    return False


def _words(expr: Expr) -> set[str]:
    return {e.name for e in expressions(expr) if e.kind == "name"}


def _gives_write(expr: Expr) -> bool:
    joins = (expr.kind == "binary" and expr.name in ("|", "+", "^")) or (
        expr.kind == "assign" and expr.name in ("|=", "+=", "^=", "=")
    )
    return joins and bool(_words(expr) & WRITABLE)


def is_entry(expr: Expr) -> bool:
    """Whether ``expr`` reads the SPTE itself: ``*iter->sptep``, ``READ_ONCE()`` of it."""
    expr = bare(expr)
    if expr.kind == "call" and expr.name in READS and len(expr.args) == 2:
        return is_entry(expr.args[1])
    if expr.kind != "unary" or expr.name != "*":
        return False
    pointer = bare(expr.args[0])
    if pointer.kind == "call" and pointer.name in READS and len(pointer.args) == 2:
        pointer = pointer.args[1]
    return pointer.kind in ("arrow", "member") and pointer.name == ENTRY


def mentioned(function: Function) -> tuple[str, ...]:
    """Names that a function calls or passes on, each once, in order."""
    found = (e.name for e in expressions(function.body) if e.kind == "name")
    return tuple(dict.fromkeys(found))


def takes_iterator(function: Function) -> bool:
    """Whether one of its parameters points to a ``struct tdp_iter``."""
    return any(ITERATOR in p.type.replace("*", " ").split() for p in function.params)


def owns_iterator(function: Function) -> bool:
    """Whether ``struct tdp_iter`` is one of its variables."""
    return bool(iterators(function))


def iterators(function: Function) -> tuple[str, ...]:
    """The variables of type ``struct tdp_iter`` that the function declares."""
    return tuple(
        variable.name
        for node in walk(function.body)
        if isinstance(node, Decl)
        for variable in node.variables
        if variable.type.split()[-1:] == [ITERATOR]
    )
