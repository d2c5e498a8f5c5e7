# SPDX-License-Identifier: GPL-2.0-only
"""A statement tree with the changed parts cut out, to be held against another.

What lies between the edits is the same in both texts, token for token; so a node is
known by the first and the last of these tokens that it spans, whatever the offsets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from patchgen.model.base import Span, Value
from patchgen.model.code import Block, Expr, ExprStmt, Stmt, Unknown

Shape: TypeAlias = tuple[object, ...]
HOLE: Shape = ("hole",)


class Hole(Value, frozen=True):
    """A node of which all is new: the statements around it, its siblings in their block."""

    node: Stmt | Expr
    around: tuple[tuple[str, int], ...]
    block: tuple[Stmt, ...] = ()


class Cut:
    """The shape of one function's body, and what was cut out of it.

    ``starts`` and ``texts`` are those of the tokens outside of the edits, in order.
    """

    def __init__(self, starts: Sequence[int], texts: Sequence[str]) -> None:
        self._starts = starts
        self._texts = texts
        self.holes: list[Hole] = []

    def body(self, block: Block) -> Shape:
        """The shape of a function's body; to be asked for once."""
        return self._shape(block, (), ())

    def _ids(self, span: Span) -> tuple[int, int] | None:
        first = bisect_left(self._starts, span.start)
        last = bisect_left(self._starts, span.end) - 1
        return (first, last) if first <= last else None

    def _shape(
        self,
        node: Stmt | Expr,
        around: tuple[tuple[str, int], ...],
        block: tuple[Stmt, ...],
    ) -> Shape:
        ids = self._ids(node.span)
        if ids is None:
            self.holes.append(Hole(node, around, block))
            return HOLE
        if isinstance(node, Expr):
            # All is new but the parentheses around it.
            if set(self._texts[ids[0] : ids[1] + 1]) <= {"(", ")"}:
                self.holes.append(Hole(node, around, block))
                return ("expression", ids)
        else:
            # One in the place of another, whose semicolon it keeps.
            if ids[0] == ids[1] and self._texts[ids[0]] == ";":
                whole = node.expr if isinstance(node, ExprStmt) else node
                self.holes.append(Hole(whole, around, block))
                return ("statement", ids)
            around = (*around, (_name(node), node.span.start))
        if isinstance(node, Unknown):
            return ("Unknown", ids)
        parts = [self._part(getattr(node, name), around) for name in _fields(node)]
        return (_name(node), ids, *parts)

    def _part(self, value: object, around: tuple[tuple[str, int], ...]) -> object:
        if isinstance(value, tuple):
            listed = [self._listed(one, around, value) for one in value]
            return tuple(one for one in listed if one is not HOLE)
        if isinstance(value, msgspec.Struct):
            return self._listed(value, around, ())
        return value

    def _listed(
        self, value: object, around: tuple[tuple[str, int], ...], block: tuple[object, ...]
    ) -> object:
        if isinstance(value, Expr):
            return self._shape(value, around, ())
        if isinstance(value, Stmt):
            return self._shape(value, around, tuple(s for s in block if isinstance(s, Stmt)))
        if isinstance(value, msgspec.Struct):  # a declarator
            return tuple(self._part(getattr(value, name), around) for name in _fields(value))
        return value


def _name(node: msgspec.Struct) -> str:
    return type(node).__name__


def _fields(node: msgspec.Struct) -> list[str]:
    return [name for name in node.__struct_fields__ if name not in ("span", "line")]
