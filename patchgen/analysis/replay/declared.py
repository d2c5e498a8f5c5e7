# SPDX-License-Identifier: GPL-2.0-only
"""The types, as written, of a function's expressions, and what file-scope variables begin with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.structs import scopes
from patchgen.analysis.replay.constants import Constants
from patchgen.analysis.values.types import INT, CType, of_type
from patchgen.model.base import Span
from patchgen.model.code import Expr, Function
from patchgen.source.c.expressions import Expressions, NotUnderstood
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import matching
from patchgen.source.c.text import bare, every, root

_DIMENSION = re.compile(r"\s*\[[^\[\]]*\]$")


#: Where parameters are declared: before all else.
PARAMETER = -1


class Declarations:
    """What a program's files declare, asked for by the expressions of its functions."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._structs = program.structs
        self._initial: dict[str, dict[str, Expr]] = {}
        self._constants = Constants(program.read, program.structs.reachable)

    def type_of(self, expr: Expr, function: Function) -> CType | None:
        """The arithmetic type of an expression's value; None where it has none, or is not known."""
        return self.named(self.written(expr, function), function.path)

    def named(self, written: str, path: str) -> CType | None:
        """The arithmetic type that is written so in a file."""
        return of_type(written, lambda name: self._structs.alias(name, path))

    def written(self, expr: Expr, function: Function) -> str:
        """An expression's type, as declared; "" where that is not known."""
        kind = expr.kind
        if kind == "cast":
            return expr.name
        if kind == "name":
            found = self.variable(expr, function)
            return found[1] if found is not None else self._structs.variable(
                expr.name, function.path
            )  # fmt: skip
        if kind in ("member", "arrow"):
            struct = self._structs.of(expr.args[0], function)
            return self._structs.member_type(struct, expr.name, function.path) if struct else ""
        if kind == "index" or (kind == "unary" and expr.name == "*"):
            return element(self.written(expr.args[0], function))
        if kind == "unary" and expr.name == "&":
            inner = self.written(expr.args[0], function)
            return f"{inner}*" if inner else ""
        if kind in ("postfix", "assign") or (kind == "unary" and expr.name in ("++", "--")):
            return self.written(expr.args[0], function)
        if kind == "call" and expr.name:
            results = {one.result for one in self._program.named(expr.name, function.path)}
            return results.pop() if len(results) == 1 else ""
        return ""

    def struct_of(self, written: str, path: str) -> str:
        """The structure that a type is; "" for others, pointers and arrays included."""
        return self._structs.named(written, path) if not set("*[(") & set(written) else ""

    def struct(self, struct: str, member: str, path: str) -> str:
        """The structure that a member of one is; "" for others."""
        return self._structs.member(struct, member, path)

    def member(self, struct: str, member: str, path: str) -> str:
        """The type of a structure's member as written; "" where that is not known."""
        return self._structs.member_type(struct, member, path) if struct else ""

    def members(self, struct: str, path: str) -> tuple[str, ...]:
        """The members of a structure in their order; () where they are not known."""
        return self._structs.members(struct, path) if struct else ()

    @staticmethod
    def variable(name: Expr, function: Function) -> tuple[int, str] | None:
        """Where the parameter or local that a name means is declared, and as what."""
        at, params = name.span.start, function.params
        found = [
            (start, written)
            for (start, end), written in scopes(function, name.name)
            if start <= at < end and start != function.span.start
        ]
        found += [(PARAMETER, param.type) for param in params if param.name == name.name]
        return max(found, default=None)

    # -- file scope --------------------------------------------------------

    def constant(self, name: Expr, function: Function) -> Expr | int | None:
        """What an enumerator's or a macro's name stands for; None for other names."""
        if self.variable(name, function) is not None:
            return None
        if self._structs.variable(name.name, function.path):
            return None
        return self._constants.of(name.name, function.path)

    def initial(self, name: str, path: str) -> Expr | None:
        """What a variable at file scope is initialised to, where nothing that is read stores it."""
        if path not in self._initial:
            self._initial[path] = dict(_initialisers(self._program.read(path) or b""))
        found = self._initial[path].get(name)
        if found is None and self._is_zero(name, path):
            found = Expr("const", "0", (), Span(0, 0), 0)
        return None if found is None or name in self._written_to else found

    def _is_zero(self, name: str, path: str) -> bool:
        """Whether a variable is static, has no initialiser, and its address is not taken."""
        data = self._program.read(path) or b""
        word = re.escape(name.encode())
        own = re.search(rb"^static\s[^;(){}=\[]*\b" + word + rb"\s*;", data, re.M) is not None
        return own and re.search(rb"&\s*" + word + rb"\b", data) is None

    def holders(self, member: str, function: str, path: str) -> tuple[str, ...]:
        """The variables of a file whose ``member`` is initialised to a function.

        None where code sets a member of that name to the function, too.
        """
        self.initial("", path)
        if (member, function) in self._set_to:
            return ()
        return tuple(
            name
            for name, init in self._initial[path].items()
            if (value := field_of(init, member)) is not None and root(value) == function
        )

    @cached_property
    def _set_to(self) -> frozenset[tuple[str, str]]:
        """Members that code sets, with the variable or function."""
        return frozenset(
            (part.args[0].name, root(part.args[1]))
            for function in self._program.functions
            for part in every(function.body)
            if part.kind == "assign" and part.args[0].kind in ("member", "arrow")
        )

    @cached_property
    def _written_to(self) -> frozenset[str]:
        """Variables that code stores to by name, whole or in part."""
        return frozenset(
            root(part.args[0])
            for function in self._program.functions
            for part in every(function.body)
            if part.kind in ("assign", "postfix") or part.name in ("++", "--")
            if part.args
        )


def element(written: str) -> str:
    """The type of what a pointer or an array of this type leads to; "" for none."""
    written = written.strip()
    if _DIMENSION.search(written):
        first = written.index("[")
        inner = written[written.index("]", first) + 1 :].strip()
        return f"{written[:first].strip()}{inner}"
    return written[:-1].strip() if written.endswith("*") else ""


def is_array(written: str) -> bool:
    """Whether a value of this type is the address of its first element."""
    return bool(_DIMENSION.search(written.strip()))


def field_of(init: Expr, member: str) -> Expr | None:
    """What an initialiser gives to a member by its name; None where it does not."""
    for part in init.args if init.kind == "init" else ():
        if part.kind == "field" and part.name == member:
            return bare(part.args[0])
    return None


def _initialisers(source: bytes) -> Iterator[tuple[str, Expr]]:
    """The initialisers at file scope, by variable; those that only one place mentions there."""
    tokens = lexed(source)
    texts, kinds = tokens.texts, tokens.kinds
    seen: dict[str, int] = {}
    found: dict[str, Expr] = {}
    at = 0
    while at < len(texts):
        if kinds[at] == "name":
            seen[texts[at]] = seen.get(texts[at], 0) + 1
        if texts[at] == "=" and at:
            value, end = _value(tokens, at)
            if value is not None and kinds[at - 1] == "name":
                found[texts[at - 1]] = value
            at = max(end, at + 1)
            continue
        if texts[at] in ("{", "["):
            at = max(matching(tokens, at), at)
        at += 1
    yield from ((name, value) for name, value in found.items() if seen.get(name) == 1)


def _value(tokens: Tokens, at: int) -> tuple[Expr | None, int]:
    """The initialiser behind ``=``, and where it ends."""
    parser = Expressions(tokens, at + 1, len(tokens.texts))
    try:
        braces = tokens.texts[at + 1 : at + 2] == ["{"]
        value = parser.initialiser() if braces else parser.assignment()
    except NotUnderstood:
        return None, at + 1
    return value, parser.at


__all__ = ["INT", "Declarations", "element", "field_of", "is_array"]
