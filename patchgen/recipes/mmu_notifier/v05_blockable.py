# SPDX-License-Identifier: GPL-2.0-only
"""Every direct use of a range's ``blockable`` member outside the API itself.

A use counts when its base is a parameter or a local variable of the range's type.
A use that the statement trees do not show, or whose base cannot be typed, is named
with its line, and the whole step is refused: all sites or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.model.base import Evidence, Place, Span, Value
from patchgen.model.code import Decl, Expr, Function
from patchgen.recipes.base import State
from patchgen.source.c.lexer import lexed
from patchgen.source.c.text import every, statements, text

MEMBER = "blockable"
HELPER = "mmu_notifier_range_blockable"
_RANGE = re.compile(r"\bstruct mmu_notifier_range\b")
_IN_MACRO = re.compile(r"(?:->|\.)\s*blockable\b")


class Use(Value, frozen=True):
    """A use of ``range->blockable``: read, written, or set by an initialiser.

    ``pointer`` is the text of a pointer to the range; ``value`` what is written;
    ``span`` what a change replaces: the member for a read, the whole assignment
    or initialiser field otherwise.
    """

    path: str
    function: Function
    kind: str
    pointer: str
    expr: Expr
    span: Span
    value: Expr | None = None

    @property
    def place(self) -> Place:
        """Where the use stands."""
        return Place(self.path, self.expr.line)


class Uses(Value, frozen=True):
    """All uses of the tree, and what cannot be converted with the reason."""

    uses: tuple[Use, ...]
    unclear: tuple[Evidence, ...]


def find(state: State) -> Uses:
    """The uses of the whole tree, the helper's own body left out."""
    uses: list[Use] = []
    unclear: list[Evidence] = []
    for path in state.paths_mentioning("mmu_notifier_range"):
        source = state.read(path) or b""
        if MEMBER.encode() not in source:
            continue
        seen: set[int] = set()
        for function in state.functions(path):
            for use, reason in _in_function(path, source, function, seen):
                if reason:
                    unclear.append(Evidence(use.place, reason))
                elif function.name != HELPER:
                    uses.append(use)
        unclear += _unseen(path, source, seen)
    return Uses(tuple(uses), tuple(unclear))


def _in_function(
    path: str, source: bytes, function: Function, seen: set[int]
) -> Iterator[tuple[Use, str]]:
    types = {param.name: param.type for param in function.params}
    fields: list[tuple[str, Expr]] = []
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            types.setdefault(variable.name, variable.type)
            if variable.init is not None and variable.init.kind == "init":
                fields += [(variable.type, part) for part in variable.init.args]
    written: dict[Span, Expr] = {}
    taken: set[Span] = set()
    for expr in every(function.body):
        if expr.kind == "assign" and _is_member(expr.args[0]):
            written[expr.args[0].span] = expr
        elif expr.kind == "unary" and expr.name in ("&", "++", "--") and _is_member(expr.args[0]):
            taken.add(expr.args[0].span)
        elif expr.kind == "compound":
            inner = expr.args[0] if len(expr.args) == 1 and expr.args[0].kind == "init" else expr
            fields += [(expr.name, part) for part in inner.args]
    for type_, field in fields:
        named = field.kind == "field" and field.name == MEMBER and field.args
        if named and _RANGE.search(type_):
            yield Use(path, function, "field", "", field, field.span, field.args[0]), ""
    for expr in every(function.body):
        if not _is_member(expr):
            continue
        own = _without_parentheses(source, expr.span)
        seen.add(own.end)
        base = _type_of(expr.args[0], types)
        if base is None:
            yield (
                Use(path, function, "read", "", expr, own),
                f"the type of {text(expr.args[0])} cannot be told",
            )
        elif _RANGE.search(base):
            assign = written.get(expr.span)
            yield _use(path, function, expr, own, assign, expr.span in taken)


def _without_parentheses(source: bytes, span: Span) -> Span:
    """The span of an expression without the parentheses around it."""
    start, end = span.start, span.end
    while source[start : start + 1] == b"(" and source[end - 1 : end] == b")":
        start, end = start + 1, end - 1
        while source[start : start + 1].isspace():
            start += 1
        while source[end - 1 : end].isspace():
            end -= 1
    return Span(start, end)


def _use(
    path: str, function: Function, expr: Expr, own: Span, assign: Expr | None, taken: bool
) -> tuple[Use, str]:
    pointer = _pointer(expr)
    if assign is None:
        reason = "the member's address is taken" if taken else ""
        return Use(path, function, "read", pointer, expr, own), reason
    use = Use(path, function, "write", pointer, expr, assign.span, assign.args[1])
    return use, "" if assign.name == "=" else f"the member is written with {assign.name}"


def _is_member(expr: Expr) -> bool:
    return expr.kind in ("member", "arrow") and expr.name == MEMBER


def _type_of(base: Expr, types: dict[str, str]) -> str | None:
    """The declared type of a base expression; None when it cannot be told."""
    while base.kind in ("cast", "unary", "index"):
        if base.kind == "cast":
            return base.name
        base = base.args[0]
    return types.get(base.name) if base.kind == "name" else None


def _pointer(expr: Expr) -> str:
    base = expr.args[0]
    if expr.kind == "arrow":
        return text(base)
    if base.kind == "unary" and base.name == "*":
        return text(base.args[0])
    return f"&{text(base)}"


def _unseen(path: str, source: bytes, seen: set[int]) -> Iterator[Evidence]:
    """Member accesses in macros, and in code that the statement trees do not show."""
    tokens = lexed(source)
    for directive in tokens.directives:
        if _IN_MACRO.search(directive.text):
            yield Evidence(Place(path, directive.line), "the member is used in a macro's body")
    texts = tokens.texts
    for at in range(2, len(texts)):
        if texts[at] == MEMBER and texts[at - 1] in ("->", ".") and tokens.ends[at] not in seen:
            if texts[at - 1] == "." and texts[at - 2] in ("{", ","):
                continue  # a designator; those of ranges inside functions were seen
            line = tokens.line(tokens.starts[at])
            yield Evidence(Place(path, line), "this use is in code that was not understood")
