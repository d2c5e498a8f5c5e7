# SPDX-License-Identifier: GPL-2.0-only
"""Statements and expressions of text that stands for one place of a file.

A macro's body, or a statement that is a macro's argument: all that is made of it has the
span and the line of that place.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Span
from patchgen.model.code import Expr, Stmt
from patchgen.source.c.body import Statements
from patchgen.source.c.expressions import Expressions, NotUnderstood
from patchgen.source.c.lexer import Tokens


class Placed(Tokens):
    """Tokens that all stand at one place."""

    __slots__ = ("_line", "_next_column")

    def __init__(self, kinds: Sequence[str], texts: Sequence[str], span: Span, line: int) -> None:
        super().__init__(b"")
        self.kinds = list(kinds)
        self.texts = list(texts)
        self.starts = [span.start] * len(self.texts)
        self.ends = [span.end] * len(self.texts)
        self._line = line
        self._next_column = 1 << 30

    def line(self, offset: int) -> int:
        """The place's line."""
        return self._line

    def column(self, offset: int) -> int:
        """No column of the file: each one that is asked for lies left of the one before.

        So a statement behind a call without a semicolon is the body of a macro's loop.
        """
        self._next_column -= 1
        return self._next_column


def statements(tokens: Placed) -> tuple[Stmt, ...]:
    """The statements that the tokens are; what is not understood is ``Unknown``."""
    closed = Placed(
        [*tokens.kinds, "punct", "punct"], [*tokens.texts, ";", "}"], _span(tokens), tokens.line(0)
    )
    parser = Statements(closed, 0, len(closed.texts))
    found: list[Stmt] = []
    while parser.at < len(closed.texts) - 1:
        found.append(parser.statement())
    return tuple(found)


def expression(tokens: Placed) -> Expr | None:
    """The expression that the tokens are, or None."""
    parser = Expressions(tokens, 0, len(tokens.texts))
    try:
        found = parser.expression()
    except NotUnderstood:
        return None
    return found if parser.at == len(tokens.texts) else None


def statement_of(text: str, span: Span, line: int) -> tuple[Stmt, ...]:
    """The statements that ``text`` is, at a place."""
    tokens = Tokens(text.encode())
    return statements(Placed(tokens.kinds, tokens.texts, span, line))


def _span(tokens: Placed) -> Span:
    return Span(tokens.starts[0], tokens.ends[0]) if tokens.texts else Span(0, 0)
