# SPDX-License-Identifier: GPL-2.0-only
"""The macros that a file defines, and what their calls expand to.

Only what a file's own directives say: where a name is defined twice in different words,
which of them counts is not known here, and the name has no expansion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from patchgen.source.c.lexer import Tokens

_DEFINE = r"\s*#\s*define\s+([A-Za-z_]\w*)(\(\s*((?:[\w\s,]|\.\.\.)*)\))?(.*)"
_NAME = r"\s*#\s*define\s+([A-Za-z_]\w*)"
_DIRECTIVE = rb"^[ \t]*#[ \t]*define\b(?:\\\r?\n|[^\n])*"
_COMMENT = r"/\*.*?(?:\*/|\Z)|//[^\n]*"

#: Tokens by kind and text.
Words: TypeAlias = list[tuple[str, str]]

#: Tokens of one expansion at most.
_LARGEST = 20_000


class Macro(NamedTuple):
    """A macro: its parameters (None for one without), and its body's tokens."""

    name: str
    params: tuple[str, ...] | None
    variadic: str
    body: tuple[tuple[str, str], ...]

    @property
    def names(self) -> frozenset[str]:
        """The identifiers of the body."""
        return frozenset(text for kind, text in self.body if kind == "name")


class TooLarge(ValueError):
    """An expansion does not end, or is too long to follow."""


class Macros(Mapping[str, Macro | None]):
    """The macros of a file by name, each read when asked for; None: several definitions."""

    def __init__(self, source: bytes) -> None:
        self.texts: dict[str, list[str]] = {}
        for text in definitions(source) if b"define" in source else ():
            match = re.match(_NAME, text)
            if match is not None:
                self.texts.setdefault(match[1], []).append(text)
        self._made: dict[str, Macro | None] = {}

    @classmethod
    def of(cls, directives: Iterable[str]) -> Macros:
        """The macros that some directives define."""
        made = cls(b"")
        for text in directives:
            match = re.match(_NAME, text)
            if match is not None:
                made.texts.setdefault(match[1], []).append(text)
        return made

    def __getitem__(self, name: str) -> Macro | None:
        if name not in self._made:
            found = {_macro(text) for text in self.texts[name]}
            self._made[name] = found.pop() if len(found) == 1 else None
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def __contains__(self, name: object) -> bool:
        return name in self.texts


def definitions(source: bytes) -> Iterator[str]:
    """The directives that define macros, with the lines that continue them, as text."""
    for match in re.finditer(_DIRECTIVE, source, re.MULTILINE):
        yield match.group().decode("utf-8", "replace")


def _macro(text: str) -> Macro | None:
    match = re.match(
        _DEFINE, re.sub(_COMMENT, " ", text.replace("\\\n", "\n"), flags=re.DOTALL), re.DOTALL
    )
    if match is None:
        return None
    params: tuple[str, ...] | None = None
    variadic = ""
    if match[2] is not None:
        params = tuple(word.strip() for word in match[3].split(",") if word.strip())
        if params and params[-1].endswith("..."):
            variadic = params[-1][:-3].strip() or "__VA_ARGS__"
            params = params[:-1]
    tokens = Tokens(match[4].encode())
    return Macro(match[1], params, variadic, tuple(zip(tokens.kinds, tokens.texts, strict=True)))


def expand(
    words: Sequence[tuple[str, str]],
    macros: Mapping[str, Macro | None],
    hidden: frozenset[str] = frozenset(),
) -> Words:
    """``words`` with every call of a macro replaced; TooLarge where that does not end."""
    out: Words = []
    at = 0
    while at < len(words):
        kind, text = words[at]
        macro = macros.get(text) if kind == "name" and text not in hidden else None
        at += 1
        if macro is None:
            out.append((kind, text))
            continue
        given: list[Words] = []
        if macro.params is not None:
            close = _close(words, at)
            if close < 0:
                out.append((kind, text))
                continue
            given = _arguments(words[at + 1 : close])
            at = close + 1
        out += expand(_substituted(macro, given, macros, hidden), macros, hidden | {text})
        if len(out) > _LARGEST:
            raise TooLarge(macro.name)
    return out


def _close(words: Sequence[tuple[str, str]], at: int) -> int:
    """Index of the bracket that closes the arguments at ``at``; -1 where there are none."""
    if at >= len(words) or words[at][1] != "(":
        return -1
    depth = 0
    for index in range(at, len(words)):
        depth += {"(": 1, ")": -1}.get(words[index][1], 0)
        if depth == 0:
            return index
    return -1


def _arguments(words: Sequence[tuple[str, str]]) -> list[Words]:
    found: list[Words] = [[]]
    depth = 0
    for word in words:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(word[1], 0)
        if word[1] == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


def _substituted(
    macro: Macro,
    given: list[Words],
    macros: Mapping[str, Macro | None],
    hidden: frozenset[str],
) -> Words:
    """The body with arguments for parameters; ``#`` and ``##`` done."""
    params = macro.params or ()
    values = dict(zip(params, given, strict=False))
    if macro.variadic:
        rest: Words = []
        for number, one in enumerate(given[len(params) :]):
            rest += ([("punct", ",")] if number else []) + one
        values[macro.variadic] = rest
    body, at = macro.body, 0
    out: Words = []
    pasting = False
    while at < len(body):
        kind, text = body[at]
        following = body[at + 1][1] if at + 1 < len(body) else ""
        if text == "#" and following in values:
            piece: Words = [("string", '"' + " ".join(t for _, t in values[following]) + '"')]
            at += 1
        elif text in ("##", "#"):
            pasting, at = True, at + 1
            continue
        elif kind == "name" and text in values:
            whole = pasting or following == "##"
            piece = values[text] if whole else expand(values[text], macros, hidden)
        else:
            piece = [(kind, text)]
        out = _pasted(out, piece) if pasting else out + list(piece)
        pasting, at = False, at + 1
    return out


def _pasted(left: Words, right: Iterable[tuple[str, str]]) -> Words:
    right = list(right)
    if not left or not right:
        return left + right
    if left[-1][1] == ",":  # , ## __VA_ARGS__
        return left + right
    joined = Tokens((left[-1][1] + right[0][1]).encode())
    return left[:-1] + list(zip(joined.kinds, joined.texts, strict=True)) + right[1:]
