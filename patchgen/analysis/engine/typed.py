# SPDX-License-Identifier: GPL-2.0-only
"""What a file declares of structures: their members, other names of them, global variables."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import matching

_TAGGED = ("struct", "union")
_QUALIFIERS = frozenset({"const", "volatile", "static", "extern", "typedef", "register"})
#: Words of which a type has several.
_ARITHMETIC = frozenset({"char", "short", "int", "long", "signed", "unsigned", "float", "double"})


class Name(NamedTuple):
    """A declared name, and what of its type stands beside it: ``*``, ``[]``, ``()``."""

    name: str
    more: str


class Declared(NamedTuple):
    """By name: members with their types (by tag), what typedefs stand for, globals' types.

    A structure without a tag is called after where it stands: ``outer.member``, or
    ``.alias`` where a typedef names it.  Behind a type stands ``*`` for each pointer and
    ``[]`` for each dimension of an array, ``()`` for a function's.  What is declared in two
    ways is "".
    """

    members: dict[str, dict[str, str]]
    aliases: dict[str, str]
    globals: dict[str, str]


def declared(source: bytes) -> Declared:
    """The declarations in a file's text, whatever its conditions say."""
    tokens = lexed(source)
    found = Declared({}, {}, {})
    texts = tokens.texts
    first = at = 0
    while at < len(texts):
        text = texts[at]
        if text == ";":
            _statement(tokens, first, at, found)
            first = at + 1
        elif text in ("(", "[", "{"):
            close = matching(tokens, at)
            if close < 0:
                break
            goes_on = text != "{" or _is_type(texts, first, at)
            if not goes_on and texts[close + 1 : close + 2] not in ([";"], [","]):
                first = close + 1  # a function's body
            at = close
        at += 1
    return found


def _is_type(texts: list[str], first: int, at: int) -> bool:
    return any(text in _TAGGED or text == "enum" for text in texts[max(first, at - 4) : at])


def _statement(tokens: Tokens, first: int, end: int, found: Declared) -> None:
    """A declaration at file scope."""
    texts = tokens.texts
    if first >= end:
        return
    typedef = "typedef" in texts[first : first + 2]
    names = _declarators(tokens, first, end)
    written = _type(tokens, first, end, found, f".{names[-1].name}" if names else "")
    if not written:
        return
    for name, more in names:
        _note(found.aliases if typedef else found.globals, name, written + more)


def _note(into: dict[str, str], name: str, written: str) -> None:
    into[name] = written if into.get(name, written) == written else ""


def _type(tokens: Tokens, first: int, end: int, found: Declared, unnamed: str) -> str:
    """The type that a declaration begins with; a structure's members are noted."""
    texts = tokens.texts
    for at in range(first, end):
        if texts[at] in _TAGGED:
            return _structure(tokens, at, end, found, unnamed)
        if texts[at] in ("(", "[", "=", "{"):
            break
    words: list[str] = []
    for text, kind in zip(texts[first:end], tokens.kinds[first:end], strict=True):
        if kind != "name" or (words and text not in _ARITHMETIC and text not in _QUALIFIERS):
            break
        if text not in _QUALIFIERS:
            words.append(text)
    return " ".join(words) if set(words) <= _ARITHMETIC else words[0]


def _structure(tokens: Tokens, at: int, end: int, found: Declared, unnamed: str) -> str:
    texts, kinds = tokens.texts, tokens.kinds
    name_at = at + 1
    while name_at < end and texts[name_at].startswith("__") and kinds[name_at + 1] == "name":
        name_at += 1
    tag = texts[name_at] if kinds[name_at] == "name" else ""
    brace = name_at + 1 if tag else name_at
    while brace < end and kinds[brace] == "name" and texts[brace].startswith("__"):
        brace += 1
    tag = tag or unnamed
    if brace < end and texts[brace] == "{":
        close = matching(tokens, brace)
        members = found.members.setdefault(tag, {})
        for name, written in _members(tokens, brace + 1, close, found, tag).items():
            _note(members, name, written)
    return f"struct {tag}" if tag else ""


def _members(tokens: Tokens, first: int, close: int, found: Declared, tag: str) -> dict[str, str]:
    texts = tokens.texts
    members: dict[str, str] = {}
    start = at = first
    while at < close:
        text = texts[at]
        if text in ("(", "[", "{"):
            at = max(matching(tokens, at), at)
        elif text == ";":
            names = _declarators(tokens, start, at)
            unnamed = f"{tag}.{names[-1].name if names else at}"
            written = _type(tokens, start, at, found, unnamed)
            if names:
                members.update((name, written and written + more) for name, more in names)
            elif written:
                members.update(found.members.get(written.split()[-1], {}))
            start = at + 1
        at += 1
    return members


def _declarators(tokens: Tokens, first: int, end: int) -> list[Name]:
    """The names that a declaration declares."""
    texts, kinds = tokens.texts, tokens.kinds
    found: list[Name] = []
    last, more, words, at = "", "", 0, first
    ended = False
    while at <= end:
        text = texts[at] if at < end else ","
        if text == ",":
            if last:
                found.append(Name(last, more))
            last, more, ended, words = "", "", False, 1
        elif text == "(":
            inner = texts[at + 1 : at + 4]
            if inner[:1] == ["*"] and not ended and len(inner) > 1:
                last, ended = next((t for t in inner[1:] if t != "*"), ""), True
                more = "(*)"
            elif last:
                more, ended = more + "()" * (not ended), True
            at = max(matching(tokens, at), at)
        elif text == "{":
            at = max(matching(tokens, at), at)
            last, words = (last, words) if ended else ("", 1)
        elif text in ("[", ":", "="):
            more += "[]" if text == "[" and (not ended or more.endswith("[]")) else ""
            ended = True
            at = max(matching(tokens, at), at) if text == "[" else at
        elif text == "*" and not ended:
            more += "*"
        elif kinds[at] == "name" and not ended and text not in ("const", "volatile"):
            if at and texts[at - 1] in _TAGGED:
                words += 1
            elif not (text.startswith("__") and words):
                last, words = (text, words + 1) if words else ("", 1)
        at += 1
    return found
