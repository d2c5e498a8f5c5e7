# SPDX-License-Identifier: GPL-2.0-only
"""The names that a source gives to others, and which of them a change touches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from patchgen.model.base import Place, Value
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import Outline, outline
from patchgen.verify.standing import standing

_DEFINE = re.compile(r"\s*#\s*(?:define|undef)\s+(\w+)")
_INCLUDE = re.compile(r"\s*#\s*include\s*[<\"]([^>\"]+)[>\"]")
_EXPORT = re.compile(r"(?:EXPORT_\w*SYMBOL\w*|EXPORT_STATIC_CALL\w*)")
_TAGGED = ("struct", "union", "enum")
_STORAGE = ("static", "extern", "typedef", "inline", "__inline__", "__always_inline")


class Given(Value, frozen=True):
    """A name that a source gives.

    ``kind`` is macro, function (``text`` is its head: what a caller sees), body (what a
    function does), prototype, tag, member, enumerator, typedef, variable, export or include;
    ``owner`` the struct of a member.
    """

    name: str
    kind: str
    text: str
    place: Place
    owner: str = ""


class NameChange(Value, frozen=True):
    """What a patch does to a name: ``how`` is removed, added or changed.

    ``place`` is where the name stood (removed) or stands.
    """

    name: str
    kind: str
    how: str
    place: Place
    owner: str = ""


def changed_names(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[NameChange, ...]:
    """The names that differ between the files of a patch before and behind it.

    A definition that moves from one of them to another does not differ.  Of sources only
    what others can use counts: functions and variables that are not static, and exports.
    """
    before, after = _table(old), _table(new)
    found = []
    for key in dict.fromkeys((*before, *after)):
        kind, name, owner = key
        was, now = before.get(key, []), after.get(key, [])
        if sorted(g.text for g in was) == sorted(g.text for g in now):
            continue
        how = "changed" if was and now else "removed" if was else "added"
        texts = {g.text for g in (was if now else ())}
        shown = next((g for g in now if g.text not in texts), (now or was)[0])
        found.append(NameChange(name, kind, how, shown.place, owner))
    return tuple(found)


def _table(files: Mapping[str, bytes]) -> dict[tuple[str, str, str], list[Given]]:
    found: dict[tuple[str, str, str], list[Given]] = {}
    for path, data in files.items():
        for given in gives(path, data):
            found.setdefault((given.kind, given.name, given.owner), []).append(given)
    return found


def gives(path: str, source: bytes) -> tuple[Given, ...]:
    """What a source gives to others; all branches of its conditions.

    What a header has under other conditions is something else.
    """
    tokens = lexed(source)
    key = ("gives", path)
    if key not in tokens.made:  # asked for by the users' and by the linker's check
        tokens.made[key] = tuple(_all_given(path, tokens))
    found: tuple[Given, ...] = tokens.made[key]
    return found


def _all_given(path: str, tokens: Tokens) -> Iterator[Given]:
    if not path.endswith(".h"):
        yield from _gives(path, tokens, header=False)
        return
    under = standing(tokens)
    for given in (*_macros(path, tokens), *_gives(path, tokens, header=True)):
        conditions = under(given.place.line) if given.kind != "body" else ()
        yield msgspec.structs.replace(given, text=" | ".join((given.text, *conditions)))


def _gives(path: str, tokens: Tokens, *, header: bool) -> Iterator[Given]:
    bodies = outline(tokens)
    inside = [False] * len(tokens.texts)
    for function in bodies:
        inside[function.first : function.last + 1] = [True] * (function.last + 1 - function.first)
        yield from _function(path, tokens, function, header)
    start = depth = 0
    for index, text in enumerate(tokens.texts):
        if inside[index]:
            start = index + 1
            continue
        depth += text in "({["
        depth -= text in ")}]"
        if text == ";" and depth == 0:
            place = Place(path, tokens.line(tokens.starts[start]))
            words = tokens.texts[start : index + 1]
            lines = [tokens.line(at) for at in tokens.starts[start : index + 1]]
            yield from _declared(words, lines, place, header)
            start = index + 1


def _macros(path: str, tokens: Tokens) -> Iterator[Given]:
    for directive in tokens.directives:
        match = _DEFINE.match(directive.text)
        if match:
            plain = re.sub(r"/\*.*?\*/|//[^\n]*|\\\r?\n", " ", directive.text, flags=re.S)
            text = " ".join(plain.split())
            yield Given(match.group(1), "macro", text, Place(path, directive.line))
        elif match := _INCLUDE.match(directive.text):
            yield Given(match.group(1), "include", "", Place(path, directive.line))


def _function(path: str, tokens: Tokens, function: Outline, header: bool) -> Iterator[Given]:
    head = tokens.texts[function.first : function.body_at]
    place = Place(path, tokens.line(tokens.starts[function.name_at]))
    if header:
        yield Given(function.name, "function", " ".join(head), place)
        body = tokens.texts[function.body_at : function.last + 1]
        yield Given(function.name, "body", " ".join(body), place)
    elif "static" not in head:
        yield Given(function.name, "function", " ".join(head), place)


def _declared(words: list[str], lines: list[int], place: Place, header: bool) -> Iterator[Given]:
    """What one declaration at file scope gives."""
    text = " ".join(words)
    if _EXPORT.fullmatch(words[0]) and len(words) > 2:
        name = words[2]
        yield Given(name, "export", words[0].replace("_GPL", ""), place)
        return
    if not header:
        if name := _variable(words):
            yield Given(name, "variable", "", place)
        return
    if words[0] in _TAGGED and "{" in words:
        yield from _tagged(words, lines, place)
    elif words[0] == "typedef":
        if name := _typedef(words):
            yield Given(name, "typedef", text, place)
            if words[1] in _TAGGED and "{" in words:
                yield from _tagged(words[1:], lines[1:], place, name)
    elif name := _callee(words):
        yield Given(name, "prototype", text, place)
    elif name := _variable([word for word in words if word != "extern"]):
        yield Given(name, "variable", text, place)


def _tagged(words: list[str], lines: list[int], place: Place, name: str = "") -> Iterator[Given]:
    """A struct's members, an enumeration's constants, and the tag (else the ``name``)."""
    tag = words[1] if words[1] != "{" else name
    opened = words.index("{")
    if words[0] == "enum":
        for before, word, line in zip(words[opened:], words[opened + 1 :], lines[opened + 1 :],
                                      strict=False):  # fmt: skip
            if before in ("{", ",") and word.isidentifier():
                yield Given(word, "enumerator", "", Place(place.path, line), tag)
        return
    if tag:
        yield Given(tag, "tag", words[0], place)
    depth = 0
    start = opened + 1
    for index in range(opened + 1, len(words)):
        word = words[index]
        depth += word in "({["
        depth -= word in ")}]"
        if depth < 0:
            return
        if word == ";" and depth == 0:
            member = words[start:index]
            for name in _members(member):
                at = start + len(member) - 1 - member[::-1].index(name)
                yield Given(name, "member", " ".join(member), Place(place.path, lines[at]), tag)
            start = index + 1


def _members(words: list[str]) -> list[str]:
    """The names that a member's declaration declares; of an unnamed struct all inside."""
    if "{" in words and "}" in words:
        closes = len(words) - 1 - words[::-1].index("}")
        names = [name for part in _parts(words[words.index("{") + 1 : closes]) for name in
                 _members(part)]  # fmt: skip
        return [*names, *(word for word in words[closes + 1 :] if word.isidentifier())]
    for index, word in enumerate(words[:-2]):
        if word == "(" and words[index + 1] == "*" and words[index + 2].isidentifier():
            return [words[index + 2]]
    found: list[str] = []
    depth = 0
    for index, word in enumerate(words):
        depth += word in "(["
        depth -= word in ")]"
        ends = index + 1 == len(words) or words[index + 1] in (",", "[", ":")
        if not depth and index and word.isidentifier() and ends:
            found.append(word)
    return found


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Declarations one behind another, without their semicolons."""
    start = depth = 0
    for index, word in enumerate(words):
        depth += word in "({["
        depth -= word in ")}]"
        if word == ";" and depth == 0:
            yield words[start:index]
            start = index + 1


def _callee(words: list[str]) -> str:
    """The function that a declaration is of; "" for a macro's call and all else."""
    for index in range(1, len(words)):
        word, before = words[index - 1], words[index - 2] if index > 1 else ""
        if words[index] == "(" and word.isidentifier() and (before == "*" or _type(before)):
            return "" if word.startswith("__attribute") else word
    return ""


def _type(word: str) -> bool:
    return word.isidentifier() and word not in ("return", "else", "__printf", "__attribute__")


def _typedef(words: list[str]) -> str:
    for index, word in enumerate(words[:-2]):
        if word == "(" and words[index + 1] == "*" and words[index + 2].isidentifier():
            return words[index + 2]
    name = words[-2] if len(words) > 2 else ""
    return name if name.isidentifier() else ""


def _variable(words: list[str]) -> str:
    """A variable that other files may use, by its definition or declaration."""
    if words[0] in _TAGGED and len(words) == 3:
        return ""  # a tag that is declared
    if any(word in _STORAGE for word in words[:3]) or "(" in words[:4]:
        return ""
    for index, word in enumerate(words):
        if word in ("=", "[", ";") and index > 1:
            name = words[index - 1]
            return name if name.isidentifier() and not name.startswith("__") else ""
        if word in "({":
            return ""
    return ""


def followed(changes: Iterable[NameChange]) -> dict[str, list[NameChange]]:
    """Changes by the word that users of the name have."""
    found: dict[str, list[NameChange]] = {}
    for change in changes:
        found.setdefault(change.name, []).append(change)
    return found
