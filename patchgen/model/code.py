# SPDX-License-Identifier: GPL-2.0-only
"""C code: expressions and statements, as written (macro calls stay calls)."""

from __future__ import annotations

from typing import Literal, TypeAlias

from patchgen.model.base import Span, Value

#: The shapes of an expression; mypy refuses a comparison with any other word.
ExprKind: TypeAlias = Literal[
    "name", "const", "string", "call", "member", "arrow", "index", "unary", "postfix", "binary",
    "assign", "cond", "comma", "cast", "type", "init", "field", "compound", "stmtexpr", "unknown",
]  # fmt: skip


class Expr(Value, frozen=True, array_like=True):
    """One C expression as written in the file, before macro expansion.

    ``kind`` and what ``name`` and ``args`` then hold:

    ========  ============================  ===================================
    kind      name                          args
    ========  ============================  ===================================
    name      the identifier                ()
    const     the token: number, char       ()
    string    the token(s)                  ()
    call      callee's name, or "" if the   (callee, argument, ...)
              callee is no plain name
    member    the member (``a.b``: b)       (a,)
    arrow     the member (``a->b``: b)      (a,)
    index     ""                            (array, subscript)
    unary     the operator (``! ~ - + * &   (operand,)
              ++ --``, ``sizeof``)
    postfix   ``++`` or ``--``              (operand,)
    binary    the operator                  (left, right)
    assign    the operator (``= += |=``..)  (left, right)
    cond      ""                            (test, then, else); ``a ?: b``
                                            has (a, a, b)
    comma     ""                            (left, right)
    cast      the type as written           (operand,)
    type      the type as written           ()   (argument of sizeof & macros)
    init      ""                            initialiser list's elements;
                                            ``.x = e`` is kind "field", name x
    field     the member                    (value,)
    compound  the type                      (init,) compound literal
    stmtexpr  ""                            ()   body in ``body``
    unknown   the source text               ()   not understood: never ignore
    ========  ============================  ===================================
    """

    kind: ExprKind
    name: str
    args: tuple[Expr, ...]
    span: Span
    line: int
    body: tuple[Stmt, ...] = ()


class _Stmt(Value, frozen=True, array_like=True):
    """What all statements have: bytes in the file, and the first line."""

    span: Span
    line: int


class Declarator(Value, frozen=True, array_like=True):
    """One declared variable: ``type`` as written, pointers included.

    ``cleanup`` is the argument of ``__free()``/``__cleanup()``, or "".
    """

    name: str
    type: str
    init: Expr | None
    span: Span
    line: int
    cleanup: str = ""


class Decl(_Stmt, frozen=True, array_like=True, tag=True):
    """A declaration of one or more variables."""

    variables: tuple[Declarator, ...]


class ExprStmt(_Stmt, frozen=True, array_like=True, tag=True):
    """An expression followed by a semicolon."""

    expr: Expr


class Block(_Stmt, frozen=True, array_like=True, tag=True):
    """``{ ... }``; the span includes the braces."""

    body: tuple[Stmt, ...]


class If(_Stmt, frozen=True, array_like=True, tag=True):
    """``if (test) then else orelse``."""

    test: Expr
    then: Stmt
    orelse: Stmt | None


class While(_Stmt, frozen=True, array_like=True, tag=True):
    """``while (test) body``."""

    test: Expr
    body: Stmt


class DoWhile(_Stmt, frozen=True, array_like=True, tag=True):
    """``do body while (test);``."""

    body: Stmt
    test: Expr


class For(_Stmt, frozen=True, array_like=True, tag=True):
    """``for (init; test; step) body``; each part may be absent."""

    init: Decl | ExprStmt | None
    test: Expr | None
    step: Expr | None
    body: Stmt


class MacroLoop(_Stmt, frozen=True, array_like=True, tag=True):
    """``macro(args) body``: a for_each-like loop, or ``scoped_guard()``.

    The walker takes it as a loop of any number of rounds unless the macro is
    known to run its body exactly once.
    """

    call: Expr
    body: Stmt


class Switch(_Stmt, frozen=True, array_like=True, tag=True):
    """``switch (value) body``."""

    value: Expr
    body: Stmt


class Case(_Stmt, frozen=True, array_like=True, tag=True):
    """``case value:`` or, without a value, ``default:``; a label only."""

    value: Expr | None


class Label(_Stmt, frozen=True, array_like=True, tag=True):
    """``name:``; a label only, the statement follows it."""

    name: str


class Goto(_Stmt, frozen=True, array_like=True, tag=True):
    """``goto name;``."""

    name: str


class Return(_Stmt, frozen=True, array_like=True, tag=True):
    """``return value;``."""

    value: Expr | None


class Break(_Stmt, frozen=True, array_like=True, tag=True):
    """``break;``."""


class Continue(_Stmt, frozen=True, array_like=True, tag=True):
    """``continue;``."""


class Empty(_Stmt, frozen=True, array_like=True, tag=True):
    """A lone semicolon."""


class Asm(_Stmt, frozen=True, array_like=True, tag=True):
    """Inline assembly; its operands are not looked into."""


class Unknown(_Stmt, frozen=True, array_like=True, tag=True):
    """A statement that the parser did not understand; never ignore it."""

    reason: str


Stmt: TypeAlias = (
    Decl
    | ExprStmt
    | Block
    | If
    | While
    | DoWhile
    | For
    | MacroLoop
    | Switch
    | Case
    | Label
    | Goto
    | Return
    | Break
    | Continue
    | Empty
    | Asm
    | Unknown
)


class Param(Value, frozen=True, array_like=True):
    """A function parameter; ``type`` as written, without the name."""

    name: str
    type: str


class Function(Value, frozen=True):
    """A function definition.

    ``span`` covers the whole definition from its first specifier to the closing
    brace, ``name_span`` just the name.  ``body`` is the statement tree, ``line``
    the line of the name.  ``conditions`` are the preprocessor conditions it
    stands under, as written, outermost first.
    """

    name: str
    path: str
    line: int
    span: Span
    name_span: Span
    result: str
    static: bool
    params: tuple[Param, ...]
    body: Block
    end_line: int
    conditions: tuple[str, ...] = ()
