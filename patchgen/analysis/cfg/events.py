# SPDX-License-Identifier: GPL-2.0-only
"""What a checker is told while a path is walked."""

from __future__ import annotations

import msgspec

from patchgen.model.base import Place, Span
from patchgen.model.code import Expr
from patchgen.source.c.text import text

CALL = "call"
ASSIGN = "assign"
DECL = "decl"
DEREF = "deref"
BRANCH = "branch"
RETURN = "return"
ASM = "asm"
UNKNOWN = "unknown"


class Event(msgspec.Struct, frozen=True, eq=False):
    """One thing that happens on a path, in evaluation order.

    ========  =====================================  =========================
    kind      expr                                   besides
    ========  =====================================  =========================
    call      the call; ``scope_end`` tells that a
              scope's end makes it (guard, __free)
    assign    ``lvalue op value``, ``x++``, ``++x``
    decl      the initialiser or None                ``name``: the variable
    deref     the pointer that is dereferenced       ``whole``: ``p->x``, ``*p``
    branch    the condition, negations stripped      ``polarity``: holds or not
    return    the value or None
    asm, unknown  None                               ``name``: why
    ========  =====================================  =========================

    A branch on a macro loop's or a switch's unknown part has ``opaque`` set: its
    polarity says "one more round" or nothing.  ``node`` numbers the place in the
    graph.
    """

    kind: str
    expr: Expr | None
    line: int
    span: Span
    path: str
    name: str = ""
    polarity: bool = True
    whole: Expr | None = None
    scope_end: bool = False
    opaque: bool = False
    node: int = -1

    @property
    def place(self) -> Place:
        """``path:line`` of the event."""
        return Place(self.path, self.line)

    def describe(self) -> str:
        """One line for a witness: what happens here."""
        shown = shorten(text(self.expr)) if self.expr is not None else self.name
        if self.kind == BRANCH:
            if self.name:
                return f"{shown}: {self.name}"
            if self.opaque:
                return f"{shown}: {'another round' if self.polarity else 'no more rounds'}"
            return f"{shown} is {'true' if self.polarity else 'false'}"
        if self.kind == RETURN:
            return f"return {shown}" if self.expr is not None else "return"
        if self.kind == DECL:
            return f"{self.name} = {shown}" if self.expr is not None else self.name
        if self.scope_end:
            return f"{shown} at the end of the scope"
        return shown


def shorten(line: str, width: int = 72) -> str:
    """``line`` on one row of at most ``width`` columns."""
    line = " ".join(line.split())
    return line if len(line) <= width else line[: width - 3] + "..."
