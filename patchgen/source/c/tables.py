# SPDX-License-Identifier: GPL-2.0-only
"""Tables of functions that a file initialises: ``struct ops name = { .member = function }``.

Macros of the file count as what they expand to: one that makes the whole initialiser, an
element, a designator (``.WRAP(member) = function``) or a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from patchgen.model.base import Span
from patchgen.model.code import Expr
from patchgen.model.facts import OpsEntry, OpsTable
from patchgen.source.c.expressions import Expressions, NotUnderstood
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.macros import Macro, Macros, TooLarge, Words, expand
from patchgen.source.c.outline import matching
from patchgen.source.c.placed import Placed

_QUALIFIERS = ("const", "__ro_after_init", "__read_mostly", "volatile")


def initialised(
    tokens: Tokens, path: str, wanted: Callable[[str], bool]
) -> Iterator[tuple[OpsTable, bool]]:
    """Each table of a struct that is ``wanted``, and whether its initialiser was understood."""
    texts, kinds = tokens.texts, tokens.kinds
    macros: Mapping[str, Macro | None] | None = None
    for at, text in enumerate(texts):
        if at == 0 or texts[at - 1] != "struct" or not wanted(text):
            continue
        name_at = at + 1
        while name_at < len(texts) and texts[name_at] in _QUALIFIERS:
            name_at += 1
        if name_at >= len(texts) or kinds[name_at] != "name":
            continue
        value = _value_at(tokens, name_at + 1)
        if value < 0:
            continue
        if macros is None:
            macros = Macros.of(tokens.in_force())
        if texts[value] == "{" or texts[value] in macros:
            yield from _tables(tokens, path, text, name_at, value, macros)


def _value_at(tokens: Tokens, at: int) -> int:
    """Where the initialiser behind a declared name begins; -1 where there is none."""
    texts = tokens.texts
    while at < len(texts) and texts[at] not in ("{", ";", ")", ",", "="):
        at = matching(tokens, at) + 1 if texts[at] in ("[", "(") else at + 1
    if at + 1 >= len(texts):
        return -1
    if texts[at] == "=":
        return at + 1
    return at if texts[at] == "{" else -1


def _tables(
    tokens: Tokens,
    path: str,
    struct: str,
    name_at: int,
    value: int,
    macros: Mapping[str, Macro | None],
) -> Iterator[tuple[OpsTable, bool]]:
    name = tokens.texts[name_at]
    line = tokens.line(tokens.starts[name_at])
    try:
        init = _initialiser(tokens, value, macros)
    except (NotUnderstood, TooLarge):
        span = Span(tokens.starts[name_at], tokens.ends[value])
        yield OpsTable(struct, name, path, line, span, ()), False
        return
    rows = [element for element in init.args if _row(element) is not None]
    if rows:
        for number, element in enumerate(rows):
            row = _row(element)
            assert row is not None
            index = element.name if element.kind == "field" else f"[{number}]"
            entries = _entries(row)
            yield OpsTable(struct, name + index, path, element.line, row.span, entries), True
    else:
        yield OpsTable(struct, name, path, line, init.span, _entries(init)), True


def _initialiser(tokens: Tokens, value: int, macros: Mapping[str, Macro | None]) -> Expr:
    last = _last(tokens, value)
    if not any(text in macros for text in tokens.texts[value : last + 1]):
        return Expressions(tokens, value, len(tokens.texts)).initialiser()
    replaced = _Replaced(tokens, value, last, macros)
    return Expressions(replaced, 0, len(replaced.texts)).initialiser()


def _last(tokens: Tokens, value: int) -> int:
    """The last token of an initialiser: of braces, or of a macro's call."""
    texts = tokens.texts
    if texts[value] == "{":
        return max(matching(tokens, value), value)
    if texts[value + 1 : value + 2] == ["("]:
        return max(matching(tokens, value + 1), value)
    return value


class _Replaced(Placed):
    """Some tokens of a file with macros' calls replaced; what a call makes stands at it."""

    __slots__ = ("_file",)

    def __init__(
        self, tokens: Tokens, first: int, last: int, macros: Mapping[str, Macro | None]
    ) -> None:
        super().__init__((), (), Span(0, 0), 0)
        self._file = tokens
        at = first
        while at <= last:
            text = tokens.texts[at]
            end, made = at, [(tokens.kinds[at], text)]
            macro = macros.get(text) if tokens.kinds[at] == "name" else None
            if macro is not None:
                end = _call_end(tokens, macro, at)
                pairs = zip(tokens.kinds[at : end + 1], tokens.texts[at : end + 1], strict=True)
                made = expand(list(pairs), macros)
            self._add(made, tokens.starts[at], tokens.ends[end])
            at = end + 1

    def _add(self, words: Words, start: int, end: int) -> None:
        self.kinds += [kind for kind, _ in words]
        self.texts += [text for _, text in words]
        self.starts += [start] * len(words)
        self.ends += [end] * len(words)

    def line(self, offset: int) -> int:
        """Line of an offset in the file."""
        return self._file.line(offset)


def _call_end(tokens: Tokens, macro: Macro, at: int) -> int:
    if macro.params is None or tokens.texts[at + 1 : at + 2] != ["("]:
        return at
    return max(matching(tokens, at + 1), at)


def _row(element: Expr) -> Expr | None:
    """An array element that is itself a table: ``{...}`` or ``[index] = {...}``."""
    if element.kind == "init":
        return element
    if element.kind == "field" and element.name.startswith("[") and element.args[0].kind == "init":
        return element.args[0]
    return None


def _entries(init: Expr) -> tuple[OpsEntry, ...]:
    entries = []
    for field in init.args:
        if field.kind != "field":
            continue
        value = field.args[0]
        while value.kind in ("cast", "unary") and value.args:
            value = value.args[0]
        if value.name in ("NULL", "0"):
            continue  # no callback, as if the member were left out
        name = value.name if value.kind == "name" else ""
        entries.append(OpsEntry(field.name, name, field.line, field.span))
    return tuple(entries)


def named(tables: Sequence[OpsTable], member: str) -> tuple[str, ...]:
    """The functions that tables set a member to, each once."""
    found = (entry.function for table in tables for entry in table.entries
             if entry.member.rpartition(".")[2] == member and entry.function)  # fmt: skip
    return tuple(dict.fromkeys(found))
