# SPDX-License-Identifier: GPL-2.0-only
"""C tokens of a file as written: before macro expansion, comments left out.

Clang's AST shows macros expanded and drops what an ``#if`` disables; a patch is
made of the file's own bytes.  So structure is read from the tokens here, and
clang says (in :mod:`patchgen.source.clang`) which bytes are active and whether the file
compiles.
"""

from __future__ import annotations

import copy
import functools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from patchgen.model.base import Span

# Compiled where a file is cut: a run whose facts are all known cuts none.  What there is most
# of stands first; no other token begins as these do.
_TOKEN = (
    r"(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)"
    r"|(?P<plain>[(){};,\[\]~?])"
    r"|(?P<directive>(?:\A|(?<=\n))[ \t]*(?:\#|%:)(?:/\*.*?(?:\*/|\Z)|\\\r?\n|[^\n])*)"
    r"|(?P<space>[ \t\r\f\v]+|\n+|\\\r?\n)"
    r"|(?P<comment>/\*.*?(?:\*/|\Z)|//(?:\\\r?\n|[^\n])*)"
    r"|(?P<number>\.?[0-9](?:[eEpP][+-]|[A-Za-z0-9_.])*)"
    r'|(?P<string>L?"(?:[^"\\\n]|\\.|\\\n)*"?)'
    r"|(?P<char>L?'(?:[^'\\\n]|\\.)*'?)"
    r"|(?P<punct>\.\.\.|<%|%>|<:|:>|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\#\#|.)"
)
_BYTES = _TOKEN.encode()


#: A line that goes on in the midst of a token, or of a comment's delimiter.
_SPLICE = rb"\\\r?\n(?=[^\s])"
_WHOLE = frozenset({"directive", "string", "char", "comment"})
#: The other spellings of brackets: ISO C, 6.4.6.
_DIGRAPHS = {"<%": "{", "%>": "}", "<:": "[", ":>": "]"}


class Directive(msgspec.Struct, frozen=True, array_like=True):
    """A preprocessor line, continuation lines included; ``text`` as written."""

    span: Span
    line: int
    text: str


class Tokens:
    """The tokens of one file in parallel lists, and its lines.

    ``kinds[i]`` is name, number, string, char or punct; ``texts[i]`` the text,
    ``starts[i]``/``ends[i]`` byte offsets; tokens inside ``skipped`` spans are left
    out.  ``directives`` are all preprocessor lines.  Nobody changes them, so that what
    is made of them alone is kept beside them: ``made``, by what it is.
    """

    __slots__ = (
        "_newlines", "_skipped", "directives", "ends", "kinds", "made", "source", "starts",
        "texts",
    )  # fmt: skip

    def __init__(self, source: bytes, skipped: Sequence[Span] = ()) -> None:
        self.source = source
        self.made: dict[object, Any] = {}
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        directives: list[tuple[int, int, str]] = []
        joined, places = _joined(source)
        # What is ASCII is cut as text: a place in the text is one in the bytes, then.
        plain = joined.isascii()
        found: Iterator[re.Match[Any]] = (
            re.finditer(_TOKEN, joined.decode("ascii"), re.DOTALL)
            if plain
            else re.finditer(_BYTES, joined, re.DOTALL)
        )
        kinds, texts, starts, ends = self.kinds, self.texts, self.starts, self.ends
        for match in found:
            kind = match.lastgroup or ""
            if kind == "space" or kind == "comment":
                continue
            text = match[0] if plain else match[0].decode("utf-8", "replace")
            start, end = match.span()
            if places:
                start, end = _at(places, start), _at(places, end - 1) + 1
            if kind == "directive":
                directives.append((start, end, text.replace("%:", "#", 1)))
                continue
            if kind == "plain":
                kind = "punct"
            elif kind == "punct":
                text = _DIGRAPHS.get(text, text)
            kinds.append(kind)
            texts.append(text)
            starts.append(start)
            ends.append(end)
        self._newlines = [m.start() for m in re.finditer(rb"\n", source)]
        self.directives = tuple(
            Directive(Span(start, end), self.line(start), text) for start, end, text in directives
        )
        self._skipped: tuple[Span, ...] = ()
        if skipped:
            self._drop(skipped)

    def in_force(self) -> Iterator[str]:
        """The texts of the directives that do not stand in what is skipped."""
        for found in self.directives:
            at = found.span.start
            if not any(span.start <= at < span.end for span in self._skipped):
                yield found.text

    def active(self, skipped: Sequence[Span]) -> Tokens:
        """These tokens without those inside ``skipped``; lexed only once."""
        if not skipped:
            return self
        other = copy.copy(self)
        other.made = {}
        other._drop(skipped)
        return other

    def line(self, offset: int) -> int:
        """Line (from 1) of a byte offset."""
        return bisect_right(self._newlines, offset - 1) + 1 if offset else 1

    def column(self, offset: int) -> int:
        """Column (from 1, in bytes) of a byte offset."""
        line = self.line(offset)
        return offset - (self._newlines[line - 2] + 1 if line > 1 else 0) + 1

    def line_start(self, line: int) -> int:
        """Byte offset of the first byte of a line."""
        return self._newlines[line - 2] + 1 if line > 1 else 0

    def _drop(self, skipped: Sequence[Span]) -> None:
        self._skipped = (*self._skipped, *skipped)
        keep: list[slice] = []
        at = 0
        for span in sorted(skipped):
            keep.append(slice(at, max(at, bisect_left(self.starts, span.start))))
            at = max(at, bisect_left(self.starts, span.end))
        keep.append(slice(at, None))
        self.kinds = [kind for part in keep for kind in self.kinds[part]]
        self.texts = [text for part in keep for text in self.texts[part]]
        self.starts = [start for part in keep for start in self.starts[part]]
        self.ends = [end for part in keep for end in self.ends[part]]


def _splices(source: bytes) -> list[re.Match[bytes]]:
    """Where a line goes on behind something that is no blank."""
    # Not by looking behind: then each byte would be tried, not the backslashes alone.
    return [
        match
        for match in re.finditer(_SPLICE, source)
        if match.start() and not source[match.start() - 1 : match.start()].isspace()
    ]


def _joined(source: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """The text with lines joined that go on in the midst of a token, and what was left out.

    For each the offset in the joined text, and how many bytes are missing up to there.
    Directives keep their lines.
    """
    splices = _splices(source)
    if not splices:
        return source, []
    kept = [m.span() for m in re.finditer(_BYTES, source, re.DOTALL) if m.lastgroup in _WHOLE]
    places: list[tuple[int, int]] = []
    parts: list[bytes] = []
    at = gone = 0
    for match in splices:
        if any(start <= match.start() < end for start, end in kept):
            continue
        parts.append(source[at : match.start()])
        places.append((match.start() - gone, gone + len(match.group())))
        at, gone = match.end(), gone + len(match.group())
    return b"".join((*parts, source[at:])), places


def _at(places: list[tuple[int, int]], offset: int) -> int:
    """The offset in the file of one in the joined text."""
    found = bisect_right(places, offset, key=lambda place: place[0]) - 1
    return offset + (places[found][1] if found >= 0 else 0)


#: Files whose tokens are kept: a series and what its proof reads, about 3 MB a large one.
_KEPT = 32


@functools.lru_cache(_KEPT)
def lexed(source: bytes) -> Tokens:
    """All tokens of a file, made once a content: plan, edits and proof ask for the same."""
    return Tokens(source)
