# SPDX-License-Identifier: GPL-2.0-only
"""What names of constants stand for: enumerators, and macros that are an expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from patchgen.analysis.values.subjects import constant_of
from patchgen.model.base import Span
from patchgen.model.code import Expr
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import matching
from patchgen.source.c.placed import Placed, expression

#: Files that are looked through for one name, nearest first.
_FILES = 40


class Constants:
    """The constants of a tree's files, asked for by name."""

    def __init__(
        self, read: Callable[[str], bytes | None], reachable: Callable[[str], Iterable[str]]
    ) -> None:
        """``reachable`` gives a file and its headers, nearest first."""
        self._read = read
        self._reachable = reachable
        self._found: dict[tuple[str, str], Expr | int | None] = {}
        self._enums: dict[str, dict[str, int | None]] = {}

    def of(self, name: str, path: str) -> Expr | int | None:
        """A number, or the expression that a macro is; None for a name that is neither."""
        key = (name, path)
        if key not in self._found:
            self._found[key] = None  # a macro of itself is none
            self._found[key] = self._search(name, path)
        return self._found[key]

    def _search(self, name: str, path: str) -> Expr | int | None:
        word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
        define = re.compile(
            rb"^[ \t]*#[ \t]*define[ \t]+" + re.escape(name.encode()) + rb"(?![\w(])([^\n]*)$", re.M
        )
        for number, file in enumerate(self._reachable(path)):
            data = self._read(file) or b"" if number < _FILES else b""
            if number >= _FILES:
                break
            if word.search(data) is None:
                continue
            made = define.findall(data)
            if made:
                return _expression(made[0]) if len(made) == 1 else None
            known = self._enumerators(file, data).get(name)
            if known is not None:
                return known
        return None

    def _enumerators(self, file: str, data: bytes) -> dict[str, int | None]:
        if file not in self._enums:
            self._enums[file] = dict(_enumerators(lexed(data)))
        return self._enums[file]


def _expression(text: bytes) -> Expr | None:
    tokens = Tokens(text)
    if not tokens.texts:
        return None
    return expression(Placed(tokens.kinds, tokens.texts, Span(0, 0), 0))


def _enumerators(tokens: Tokens) -> Iterator[tuple[str, int | None]]:
    """The enumerators with their numbers; None where one is not a plain number."""
    texts = tokens.texts
    for at, text in enumerate(texts):
        if text != "enum":
            continue
        brace = next((i for i in (at + 1, at + 2) if texts[i : i + 1] == ["{"]), -1)
        end = matching(tokens, brace) if brace >= 0 else -1
        at = brace + 1
        following: int | None = 0
        while brace < at < end:
            name, stop = texts[at], at + 1
            while stop < end and texts[stop] != ",":
                stop = max(matching(tokens, stop), stop) + 1 if texts[stop] == "(" else stop + 1
            if texts[at + 1] == "=":
                made = Placed(tokens.kinds[at + 2 : stop], texts[at + 2 : stop], Span(0, 0), 0)
                value = expression(made)
                number = constant_of(value) if value is not None else None
                following = number if isinstance(number, int) else None
            yield name, following
            following = None if following is None else following + 1
            at = stop + 1
