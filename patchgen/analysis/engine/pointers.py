# SPDX-License-Identifier: GPL-2.0-only
"""Which functions the members of structures are set to: by initialisers, and by assignment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from patchgen.analysis.engine.structs import Structs
from patchgen.kernel.knowledge import names
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.facts import OpsTable
from patchgen.source.c.lexer import lexed
from patchgen.source.c.tables import initialised
from patchgen.source.c.text import bare, every, statements


class Store(NamedTuple):
    """A member of a structure ("" where not known) that is set to a function, in a file."""

    struct: str
    function: str
    path: str


class Pointers:
    """The stores to members, by the member's name."""

    def __init__(
        self,
        structs: Structs,
        functions: Iterable[Function],
        tables: Iterable[OpsTable],
        read: Callable[[str], bytes | None],
        is_function: Callable[[str, str], bool],
    ) -> None:
        """``is_function`` tells whether a name is a function's, as seen from a file."""
        self.structs = structs
        self._read = read
        self._is_function = is_function
        self._functions = tuple(functions)
        self._paths = tuple(dict.fromkeys(one.path for one in self._functions))
        self._tabled: dict[str, tuple[OpsTable, ...]] = {}
        self._stored: dict[str, list[Store]] = {}
        for table in tables:
            struct = structs.named(f"struct {table.struct}", table.path)
            for entry in table.entries:
                self._note(entry.member, Store(struct, entry.function, table.path))
        for function in self._functions:
            self._assigned(function)

    def of(self, struct: str, member: str) -> tuple[Store, ...]:
        """What ``member`` of ``struct`` may be set to; all of that name where "" is given."""
        found = [one for one in self._stored.get(member, ())
                 if not struct or not one.struct or one.struct == struct]  # fmt: skip
        for table in self._tables(struct) if struct else ():
            found += (
                Store(struct, entry.function, table.path)
                for entry in table.entries
                if entry.member == member and entry.function
            )
        return tuple(dict.fromkeys(found))

    def _tables(self, struct: str) -> tuple[OpsTable, ...]:
        """The tables of a structure that the files at hand initialise."""
        if struct not in self._tabled:
            tag, _, where = struct.partition("@")
            found: list[OpsTable] = []
            for path in (where,) if where.endswith(".c") else self._paths:
                data = self._read(path) or b""
                if tag.encode() not in data or self.structs.named(f"struct {tag}", path) != struct:
                    continue
                made = initialised(lexed(data), path, lambda text: text == tag)
                found += (table for table, _ in made)
            self._tabled[struct] = tuple(found)
        return self._tabled[struct]

    def _note(self, member: str, store: Store) -> None:
        if store.function:
            self._stored.setdefault(member.rpartition(".")[2], []).append(store)

    def _assigned(self, function: Function) -> None:
        seen: set[int] = set()
        for struct, init in self._initialisers(function):
            self._fields(function, struct, init, seen)
        for part in every(function.body):
            if part.kind == "assign" and part.name == "=":
                left = bare(part.args[0])
                if left.kind in ("arrow", "member"):
                    named = self._named(part.args[1], function)
                    struct = self.structs.of(left.args[0], function) if named else ""
                    for name in named:
                        self._note(left.name, Store(struct, name, function.path))
            elif part.kind == "field" and part.args and id(part) not in seen:
                for name in self._named(part.args[0], function):
                    self._note(part.name, Store("", name, function.path))

    def _initialisers(self, function: Function) -> Iterator[tuple[str, Expr]]:
        """Braces with the structure that they fill."""
        for stmt in statements(function.body):
            for variable in stmt.variables if isinstance(stmt, Decl) else ():
                if variable.init is not None and bare(variable.init).kind == "init":
                    yield self.structs.named(variable.type, function.path), bare(variable.init)
        for part in every(function.body):
            if part.kind == "compound":
                yield self.structs.named(part.name, function.path), part.args[0]

    def _fields(self, function: Function, struct: str, init: Expr, seen: set[int]) -> None:
        for element in init.args:
            if element.kind != "field":
                if element.kind == "init":
                    self._fields(function, struct, element, seen)
                continue
            seen.add(id(element))
            value = bare(element.args[0])
            path = [word for word in element.name.split(".") if not word.startswith("[")]
            outer = struct
            for word in path[:-1]:
                outer = self.structs.member(outer, word.partition("[")[0], function.path)
            if value.kind == "init":
                inner = self.structs.member(outer, path[-1], function.path) if path else outer
                self._fields(function, inner, value, seen)
            elif path:
                for name in self._named(value, function):
                    self._note(path[-1], Store(outer, name, function.path))

    def _named(self, value: Expr, function: Function) -> tuple[str, ...]:
        """The functions that a value chooses from."""
        idle = names("kvm", "null", "functions")
        return tuple(
            leaf.name
            for leaf in leaves(value)
            if leaf.kind == "name"
            and leaf.name not in idle
            and self._is_function(leaf.name, function.path)
        )


def leaves(value: Expr) -> Iterable[Expr]:
    """The values that a (nested) ``?:`` chooses from, addresses taken off."""
    value = bare(value)
    if value.kind == "cond":
        yield from leaves(value.args[1])
        yield from leaves(value.args[2])
    elif value.kind == "unary" and value.name == "&":
        yield from leaves(value.args[0])
    else:
        yield value


def takes(function: Function, given: int) -> bool:
    """Whether a function may be called with so many arguments."""
    wanted = len(function.params)
    if wanted and "..." in (function.params[-1].type, function.params[-1].name):
        return given >= wanted - 1
    return given == wanted
