# SPDX-License-Identifier: GPL-2.0-only
"""Where a member or a variable is read, in a file's tokens: a store alone is no read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from patchgen.proof.extract.vocabulary import ADDS, COUNTS, READS, WRITES
from patchgen.source.c.lexer import lexed

_ASSIGNS = frozenset({"=", "+=", "-=", "|=", "&=", "^=", "*=", "/=", "%=", "<<=", ">>="})
_BEGINS = frozenset({";", "{", "}", "else", "do", ":"})
_HEADS = frozenset({"if", "while", "for", "switch"})


def reads(data: bytes, name: str, member: bool) -> int:
    """The first line of ``data`` where ``name`` is read, 0 where it is nowhere.

    ``member``: as ``a.name`` or ``a->name``, else as a name of its own.
    """
    if not re.search(rb"\b%s\b" % re.escape(name.encode()), data):
        return 0
    tokens = lexed(data)
    for at in _mentions(tokens.texts, name, member):
        if not _stored(tokens.texts, at) and not _of_its_own(tokens.texts, at):
            return tokens.line(tokens.starts[at])
    # A macro's body is taken for a read.
    inside = re.compile(rf"#\s*define\b.*{'(->|[.])' if member else ''}\s*\b{name}\b", re.DOTALL)
    return next((d.line for d in tokens.directives if inside.search(d.text)), 0)


def _mentions(texts: list[str], name: str, member: bool) -> Iterator[int]:
    for at, text in enumerate(texts):
        there = text == name and at > 0 and (texts[at - 1] in (".", "->")) == member
        # A variable's declaration is no read either.
        if there and (member or not _declared(texts, at)):
            yield at


def _declared(texts: list[str], at: int) -> bool:
    """Whether a variable is declared: behind a type's name, or a pointer's star."""
    before, behind = texts[at - 1], texts[at + 1 : at + 2]
    named = before.replace("_", "a").isalnum() and before not in ("return", "else", "sizeof")
    return named and behind in ([";"], ["="], [","], ["["])


def _stored(texts: list[str], at: int) -> bool:
    """Whether the place at ``at`` is only written there."""
    first = at
    while first > 1 and texts[first - 1] in (".", "->") and _name(texts[first - 2]):
        first -= 2
    before, behind = texts[first - 1], texts[at + 1] if at + 1 < len(texts) else ""
    if before in (".", "->", ")", "]") and not _begins(texts, first):
        return False
    if behind == "=":
        return True
    if behind in _ASSIGNS or behind in ("++", "--"):
        ends = behind in _ASSIGNS or texts[at + 2 : at + 3] == [";"]
        return ends and _begins(texts, first)
    if before in ("++", "--"):
        return behind == ";" and _begins(texts, first - 1)
    if before == "&":
        first, before = first - 1, texts[first - 2]
    if before == "(" and first >= 2:
        call = texts[first - 2]
        counts = COUNTS.fullmatch(call) or ADDS.fullmatch(call)
        return call in WRITES or (counts is not None and _begins(texts, first - 2))
    if before == "," and behind == ")":
        opened = _opened(texts, at + 1)
        call = texts[opened - 1] if opened > 0 else ""
        return ADDS.fullmatch(call) is not None and _begins(texts, opened - 1)
    return False


def _of_its_own(texts: list[str], at: int) -> bool:
    """Whether it is only read for its own new value: ``a->x = a->x + 1;``, with no call."""
    first = last = at
    while first > 0 and texts[first - 1] not in (";", "{", "}"):
        first -= 1
    while last < len(texts) and texts[last] not in (";", "{", "}"):
        last += 1
    words = texts[first:last]
    calls = {word for word, behind in pairwise(words) if behind == "("}
    if words[:1] and words[0] in WRITES:
        words = words[2:]
    end = next((n for n, word in enumerate(words) if word in (",", "=")), 0)
    plain = all(word in (".", "->") or _name(word) for word in words[:end])
    return plain and bool(end) and words[end - 1] == texts[at] and calls <= READS | WRITES


def _name(text: str) -> bool:
    return text.replace("_", "a").isalnum()


def _begins(texts: list[str], at: int) -> bool:
    """Whether a statement begins at ``at``."""
    before = texts[at - 1] if at else ";"
    if before == ")":
        opened = _opened(texts, at - 1)
        return opened > 0 and texts[opened - 1] in _HEADS
    return before in _BEGINS


def _opened(texts: list[str], at: int) -> int:
    """The index of the ``(`` of the ``)`` at ``at``; -1 if there is none."""
    depth = 0
    for index in range(at, -1, -1):
        depth += (texts[index] == ")") - (texts[index] == "(")
        if depth == 0:
            return index
    return -1
