# SPDX-License-Identifier: GPL-2.0-only
"""Functions with the calls of their file's own macros replaced by what these do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from patchgen.kernel.locks import primitives
from patchgen.model.code import Block, Decl, Expr, ExprStmt, Function, MacroLoop, Stmt, Unknown
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.macros import Macro, TooLarge, Words, expand
from patchgen.source.c.placed import Placed, expression, statements
from patchgen.source.c.text import every
from patchgen.source.c.text import statements as parts

#: Stands for the statement behind a macro that begins one: ``for_each(x) statement``.
_BODY = "patchgen_body"

#: What an expansion that is not understood must not have, to be taken as a call.
_LEAVES = frozenset({"return", "goto", "guard", "scoped_guard"})

_PARTS = ("init", "test", "step", "call", "value", "then", "orelse", "body")


class Expander:
    """Replaces macro calls in the functions of one file."""

    def __init__(
        self,
        source: bytes,
        macros: Mapping[str, Macro | None],
        matters: Callable[[str], bool],
    ) -> None:
        """``matters`` tells of a macro's name whether it is to be replaced."""
        self.source = source
        self.macros = macros
        self.matters = matters

    def function(self, function: Function) -> Function:
        """``function`` itself, where it has no such call."""
        used = {
            part.name
            for part in every(function.body)
            if part.kind in ("call", "name") and part.name in self.macros
        }
        if not any(map(self.matters, used)):
            return function
        body = self._block(function.body)
        return msgspec.structs.replace(function, body=body)

    # -- statements -------------------------------------------------------

    def _block(self, block: Block) -> Block:
        found: list[Stmt] = []
        for stmt in block.body:
            found += self._statements(stmt)
        return msgspec.structs.replace(block, body=tuple(found))

    def _statements(self, stmt: Stmt) -> tuple[Stmt, ...]:
        """What a statement of a block becomes: one that is a macro's call may be several."""
        if isinstance(stmt, ExprStmt) and self._is_call(stmt.expr):
            words = self._words(stmt.expr)
            if words is None:
                return (self._unclear(stmt.expr),)
            made = statements(self._placed(words, stmt.expr))
            if self._understood(words, made):
                return made
            return (stmt,)
        if isinstance(stmt, MacroLoop) and self._is_call(stmt.call):
            return self._loop(stmt)
        return (self._statement(stmt),)

    @staticmethod
    def _understood(words: Words, made: tuple[Stmt, ...]) -> bool:
        """Whether an expansion says what it does, or what it does is none of our business."""
        if not any(isinstance(part, Unknown) for one in made for part in parts(one)):
            return True
        return bool({text for _, text in words} & (_LEAVES | primitives().keys()))

    def _loop(self, stmt: MacroLoop) -> tuple[Stmt, ...]:
        words = self._words(stmt.call)
        if words is None:
            return (self._unclear(stmt.call),)
        made = statements(self._placed([*words, ("name", _BODY)], stmt.call))
        body = self._only(self._statements(stmt.body), stmt.body)
        return tuple(_with_body(one, body) for one in made)

    def _statement(self, stmt: Stmt) -> Stmt:
        if isinstance(stmt, Block):
            return self._block(stmt)
        if isinstance(stmt, Decl):
            return msgspec.structs.replace(
                stmt,
                variables=tuple(
                    msgspec.structs.replace(v, init=self._expression(v.init))
                    if v.init is not None
                    else v
                    for v in stmt.variables
                ),
            )
        changed: dict[str, object] = {}
        for part in _PARTS:
            inner = getattr(stmt, part, None)
            if isinstance(inner, Expr):
                changed[part] = self._expression(inner)
            elif inner is not None and not isinstance(inner, (str, tuple)):
                changed[part] = self._only(self._statements(inner), inner)
        if isinstance(stmt, ExprStmt):
            changed["expr"] = self._expression(stmt.expr)
        return msgspec.structs.replace(stmt, **changed) if changed else stmt

    @staticmethod
    def _only(found: Sequence[Stmt], old: Stmt) -> Stmt:
        return found[0] if len(found) == 1 else Block(old.span, old.line, tuple(found))

    # -- expressions ------------------------------------------------------

    def _is_call(self, expr: Expr) -> bool:
        return (
            expr.kind in ("call", "name")
            and expr.name in self.macros
            and self.matters(expr.name)
            and self._fits(expr)
        )

    def _fits(self, expr: Expr) -> bool:
        macro = self.macros[expr.name]
        return macro is None or (macro.params is None) or expr.kind == "call"

    def _expression(self, expr: Expr) -> Expr:
        if self._is_call(expr):
            words = self._words(expr)
            made = None if words is None else expression(self._placed(words, expr))
            if made is None:
                why = f"macro {expr.name}() is not followed"
                return Expr("unknown", why, (), expr.span, expr.line)
            return made
        if expr.body:
            block = self._block(Block(expr.span, expr.line, expr.body))
            return msgspec.structs.replace(expr, body=block.body)
        if not expr.args:
            return expr
        args = tuple(self._expression(arg) for arg in expr.args)
        if expr.kind == "call" and args[0].kind == "name" and args[0].name != expr.name:
            expr = msgspec.structs.replace(expr, name=args[0].name)
        return msgspec.structs.replace(expr, args=args) if args != expr.args else expr

    # -- text -------------------------------------------------------------

    def _words(self, call: Expr) -> Words | None:
        """The tokens that a call expands to, or None."""
        if self.macros[call.name] is None:
            return None
        tokens = Tokens(self.source[call.span.start : call.span.end])
        try:
            return expand(list(zip(tokens.kinds, tokens.texts, strict=True)), self.macros)
        except TooLarge:
            return None

    def _placed(self, words: Words, where: Expr) -> Placed:
        kinds = [kind for kind, _ in words]
        return Placed(kinds, [text for _, text in words], where.span, where.line)

    def _unclear(self, call: Expr) -> Unknown:
        why = f"macro {call.name}() has several definitions, or does not end"
        return Unknown(call.span, call.line, why)


def _with_body(stmt: Stmt, body: Stmt) -> Stmt:
    """``stmt`` with the statement that stands for another replaced by it."""
    if isinstance(stmt, ExprStmt) and stmt.expr.kind == "name" and stmt.expr.name == _BODY:
        return body
    if isinstance(stmt, Block):
        return msgspec.structs.replace(stmt, body=tuple(_with_body(one, body) for one in stmt.body))
    changed = {
        part: _with_body(inner, body)
        for part in ("then", "orelse", "body")
        if (inner := getattr(stmt, part, None)) is not None and not isinstance(inner, tuple)
    }
    return msgspec.structs.replace(stmt, **changed) if changed else stmt
