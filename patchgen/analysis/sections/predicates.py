# SPDX-License-Identifier: GPL-2.0-only
"""Questions that have a name: an inline or a macro that only computes its answer.

A section is opened ``if (wants(ctx))`` and closed ``if (wants(ctx))``: written out, both
tests are about the same members, and the walk knows that they go the same way as long as
nothing writes these.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping

from patchgen.analysis.engine.program import Program
from patchgen.analysis.values.subjects import is_pure
from patchgen.kernel.knowledge import names
from patchgen.model.code import Block, Expr, Function, If, Return, Stmt
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.macros import Macros, TooLarge, expand
from patchgen.source.c.placed import Placed, expression
from patchgen.source.c.rewrite import rewritten
from patchgen.source.c.text import bare, every, subexpressions, substitute

_QUOTED = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)


class Predicates:
    """Functions with the predicates in them written out."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._macros: dict[str, tuple[bytes, Macros]] = {}
        self._headers: dict[str, Mapping[str, Function]] = {}
        self._made: dict[int, Function] = {}

    def written_out(self, function: Function) -> Function:
        """``function`` itself, where it asks nothing by name more than once."""
        found = self._made.get(id(function))
        if found is None:
            asked = Counter(p.name for p in every(function.body) if p.kind == "call")
            twice = frozenset(name for name, count in asked.items() if name and count > 1)

            def change(expr: Expr) -> Expr:
                if expr.kind != "call" or expr.name not in twice:
                    return expr
                return self._answer(expr, function.path, frozenset()) or expr

            found = self._made[id(function)] = rewritten(function, change) if twice else function
        return found

    def _answer(self, call: Expr, path: str, within: frozenset[str]) -> Expr | None:
        """What a call of a predicate evaluates, in terms of its caller; None for others."""
        name = call.name
        if name in within or name in names("evaluation", "pure", "functions"):
            return None
        found = self._macro(call, path) or self._inline(call, path)
        if found is None:
            return None
        made = self._flat(found, path, within | {name})
        return (
            made if is_pure(made) and any(_reads(part) for part in subexpressions(made)) else None
        )

    def _flat(self, expr: Expr, path: str, within: frozenset[str]) -> Expr:
        """With predicates that it asks in turn."""
        expr = bare(expr)
        if expr.kind == "call":
            inner = self._answer(expr, path, within)
            if inner is not None:
                return inner
        args = tuple(self._flat(arg, path, within) for arg in expr.args)
        return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)

    def _inline(self, call: Expr, path: str) -> Expr | None:
        found = self.program.named(call.name, path)
        if not found and self._headers_of(path).get(call.name) is not None:
            found = (self._headers_of(path)[call.name],)
        if len(found) != 1 or not found[0].static or len(found[0].params) != len(call.args) - 1:
            return None
        value = _returned(found[0].body)
        if value is None:
            return None
        given = {p.name: a for p, a in zip(found[0].params, call.args[1:], strict=True)}
        return _moved(substitute(value, given), call)

    def _macro(self, call: Expr, path: str) -> Expr | None:
        source, macros = self._macros_of(path)
        macro = macros.get(call.name)
        if macro is None or macro.params is None:
            return None
        tokens = Tokens(source[call.span.start : call.span.end])
        try:
            words = expand(list(zip(tokens.kinds, tokens.texts, strict=True)), macros)
        except TooLarge:
            return None
        kinds, texts = [kind for kind, _ in words], [text for _, text in words]
        return expression(Placed(kinds, texts, call.span, call.line))

    def _macros_of(self, path: str) -> tuple[bytes, Macros]:
        if path not in self._macros:
            source = self.program.read(path) or b""
            self._macros[path] = (source, Macros(source))
        return self._macros[path]

    def _headers_of(self, path: str) -> Mapping[str, Function]:
        """The functions of the headers beside a file that it includes."""
        if path not in self._headers:
            folder = posixpath.dirname(path)
            found: dict[str, bytes] = {}
            for name in _QUOTED.findall(self.program.read(path) or b""):
                header = posixpath.normpath(posixpath.join(folder, name.decode("utf-8", "replace")))
                data = self.program.read(header) if not header.startswith("../") else None
                if data is not None:
                    found[header] = data
            self._headers[path] = Definitions(found) if found else {}
        return self._headers[path]


def _reads(part: Expr) -> bool:
    return part.kind in ("name", "member", "arrow", "index")


def _returned(body: Block) -> Expr | None:
    """What a body evaluates: ``return x;``, or ``if (a) return b; return c;`` as ``a ? b : c``."""
    stmts: tuple[Stmt, ...] = body.body
    if not stmts:
        return None
    last = stmts[-1]
    if not isinstance(last, Return) or last.value is None:
        return None
    value = last.value
    for stmt in reversed(stmts[:-1]):
        then = stmt.then if isinstance(stmt, If) and stmt.orelse is None else None
        if isinstance(then, Block) and len(then.body) == 1:
            then = then.body[0]
        if not isinstance(stmt, If) or not isinstance(then, Return) or then.value is None:
            return None
        value = Expr("cond", "", (stmt.test, then.value, value), value.span, value.line)
    return value


def _moved(expr: Expr, call: Expr) -> Expr:
    """An expression of another function, at the place of the call."""
    args = tuple(_moved(arg, call) for arg in expr.args)
    return Expr(expr.kind, expr.name, args, call.span, call.line, expr.body)
