# SPDX-License-Identifier: GPL-2.0-only
"""Facts: what a file says about mmu notifiers, and what clang says of its parse."""

from __future__ import annotations

from patchgen.model.base import Place, Span, Value
from patchgen.model.code import Expr, Function


class Diagnostic(Value, frozen=True, order=True):
    """A compiler diagnostic; ``severity`` is warning, error or fatal."""

    place: Place
    column: int
    severity: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}:{self.column}: {self.severity}: {self.text}"


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
    ``#define`` names of the file.  ``others`` are the file's other functions, where the
    files are one program: another file's may reach them.
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
    others: tuple[Function, ...] = ()

    def function(self, name: str) -> Function | None:
        """The definition of ``name`` in this file, or None."""
        for function in self.functions:
            if function.name == name:
                return function
        return None
