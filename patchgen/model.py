# SPDX-License-Identifier: GPL-2.0-only
"""The frozen types that all layers share.

Every value here can be printed, compared, hashed, pickled and encoded with
msgspec (the caches hold them as MessagePack).  Offsets are byte offsets into the
file's bytes, lines and columns count from 1, paths are relative to the tree's
root with ``/`` between parts.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=False):
    """Base of all shared values: frozen and ordered by declaration."""


class Span(Value, frozen=True, array_like=True, order=True):
    """Bytes ``start`` (inclusive) to ``end`` (exclusive) of one file."""

    start: int
    end: int

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end


class Place(Value, frozen=True, array_like=True, order=True):
    """A line of a file, for people: ``path:line``."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Evidence(Value, frozen=True, order=True):
    """A statement about the code and the place that shows it."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place} ({self.text})"


# --------------------------------------------------------------------------
# C code: expressions and statements, as written (macro calls stay calls).


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

    kind: str
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


# --------------------------------------------------------------------------
# What clang says about one parse of a file.


class Diagnostic(Value, frozen=True, order=True):
    """A compiler diagnostic; ``severity`` is warning, error or fatal."""

    place: Place
    column: int
    severity: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}:{self.column}: {self.severity}: {self.text}"


# --------------------------------------------------------------------------
# Facts: what a file says about mmu notifiers.


class OpsEntry(Value, frozen=True, array_like=True):
    """``.member = function`` of an operations table."""

    member: str
    function: str
    line: int
    span: Span


class OpsTable(Value, frozen=True):
    """A table of callbacks: a variable of an ops struct, or run-time fills.

    ``struct`` is the struct tag (``mmu_notifier_ops``), ``name`` the variable
    (``amdgpu_mn_ops[0]`` for an array's element), ``filled`` tells that entries
    are assigned at run time.
    """

    struct: str
    name: str
    path: str
    line: int
    span: Span
    entries: tuple[OpsEntry, ...]
    filled: bool = False

    def function(self, member: str) -> str:
        """Name of the function for ``member``, or "" when it is not set."""
        for entry in self.entries:
            if entry.member == member:
                return entry.function
        return ""


class InitSite(Value, frozen=True):
    """A call of mmu_notifier_range_init() or one of its variants.

    ``variant`` is the callee.  ``args`` are all argument expressions.
    """

    path: str
    line: int
    span: Span
    function: str
    variant: str
    args: tuple[Expr, ...]


class Mention(Value, frozen=True):
    """One textual mention of an API name, and what became of it (ledger).

    ``state`` is analysed, macro, inactive, unparsed or declaration; ``detail``
    says which configurations were tried, or the first error.
    """

    path: str
    line: int
    offset: int
    name: str
    state: str
    detail: str = ""


class FileFacts(Value, frozen=True):
    """Everything that one walk over one file under one configuration yields.

    ``digest`` identifies the facts: equal for equal contents and configuration.
    ``functions`` holds only the functions that matter: those that mention the
    API, callbacks, and what they reach inside the file.  ``macros`` are the
    ``#define`` names of the file.  ``constants`` are file-scope enumerators and
    object-like macros as written.
    """

    path: str
    arch: str
    digest: str
    functions: tuple[Function, ...]
    ops: tuple[OpsTable, ...]
    sites: tuple[InitSite, ...]
    mentions: tuple[Mention, ...]
    diagnostics: tuple[Diagnostic, ...]
    macros: tuple[str, ...] = ()

    def function(self, name: str) -> Function | None:
        """The definition of ``name`` in this file, or None."""
        for function in self.functions:
            if function.name == name:
                return function
        return None


# --------------------------------------------------------------------------
# Findings.


class Step(Value, frozen=True):
    """One step of a witness, in execution order."""

    place: Place
    text: str


class Finding(Value, frozen=True):
    """A rule's finding with the path on which the fault happens.

    ``rule`` is the ID (MN020), ``severity`` error, warning or note; ``span`` the
    bytes to underline; ``path_steps`` the witness, in execution order.
    """

    rule: str
    severity: str
    place: Place
    column: int
    span: Span
    message: str
    path_steps: tuple[Step, ...]
    function: str = ""


class Undecided(Value, frozen=True):
    """A place where a rule could not decide, with the reason."""

    rule: str
    place: Place
    reason: str


# --------------------------------------------------------------------------
# Plans and edits.


class Edit(Value, frozen=True, order=True):
    """Replace the bytes ``span`` of ``path`` with ``new``."""

    path: str
    span: Span
    new: bytes


class Change(Value, frozen=True):
    """A change that a recipe wants: a template rendered over a span.

    ``template`` is a name below ``templates/<recipe>/``; ``context`` its values
    (strings, numbers, booleans, lists of strings).  An empty span inserts.
    """

    path: str
    span: Span
    template: str
    context: dict[str, str | int | bool | list[str]]


class LeftAlone(Value, frozen=True):
    """A place that a recipe looked at and leaves as it is, with the reason."""

    place: Place
    reason: str


class PatchPlan(Value, frozen=True):
    """One patch to be: its recipe, its changes, and what its message needs.

    ``subject`` is the summary without ``[PATCH ...]``; ``message`` a template
    name for the commit message below ``templates/<recipe>/`` with ``context``;
    ``note`` one line for the plan's table ("3 files, 3 of 5 sites").
    """

    recipe: str
    subject: str
    message: str
    context: dict[str, object]
    changes: tuple[Change, ...]
    note: str = ""
    left_alone: tuple[LeftAlone, ...] = ()
    limits: tuple[str, ...] = ()


class Refusal(Value, frozen=True):
    """A recipe will not touch this tree: the reason and its evidence.

    ``kind`` is "unsafe" (it would break), "absent" (nothing to do it to) or
    "half" (the tree has a part of the change already).
    """

    recipe: str
    kind: str
    reason: str
    evidence: tuple[Evidence, ...]


class AlreadyThere(Value, frozen=True):
    """The tree has the recipe's change already."""

    recipe: str
    evidence: tuple[Evidence, ...]


class Patch(Value, frozen=True):
    """A finished patch of a series, before it becomes a mail.

    ``files`` maps path to the complete new contents.  ``message`` is the full
    commit message: subject, blank line, body.
    """

    recipe: str
    subject: str
    message: str
    files: dict[str, bytes]
    note: str = ""
    left_alone: tuple[LeftAlone, ...] = ()
    limits: tuple[str, ...] = ()
