# SPDX-License-Identifier: GPL-2.0-only
"""A Makefile's logical lines: joined, without comments, each with its number.

What GNU make calls a recipe line begins with a tab behind a rule; in it nothing is a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from patchgen.model.base import Value

Kind: TypeAlias = Literal["text", "recipe", "define"]

#: Lines of one Makefile; the largest of any kernel so far has some 2,500.
_MOST = 50_000
_COMMENT = re.compile(r"(?<!\\)#.*", re.DOTALL)
_DEFINE = re.compile(r"\s*(?:override\s+|export\s+)*define\s+(\S.*?)\s*$")
_ENDEF = re.compile(r"\s*endef\b")
_ASSIGN = re.compile(r"^[^=:#]*(?:[:+?!]|::|:::)?=")
_RULE = re.compile(r"^[^\s=#][^=#]*?::?(?![:=])")


class Line(Value, frozen=True, array_like=True):
    """``text`` of a logical line that begins at ``number``.

    Of a "define" the text is its value, and ``name`` the variable's name.
    """

    number: int
    kind: Kind
    text: str
    name: str = ""


def logical(text: str) -> Iterator[Line]:
    """The lines of a Makefile in order; those without anything in them are left out."""
    rows = text.split("\n")[:_MOST]
    at = 0
    in_rule = False
    while at < len(rows):
        start, raw = at, rows[at]
        at += 1
        recipe = in_rule and raw.startswith("\t")
        while _goes_on(raw) and at < len(rows):
            following = rows[at].removeprefix("\t") if recipe else rows[at].lstrip()
            raw = f"{raw[:-1].rstrip()} {following}"
            at += 1
        if recipe:
            yield Line(start + 1, "recipe", raw[1:])
            continue
        defined = _DEFINE.match(raw)
        if defined:
            body: list[str] = []
            depth = 1
            while at < len(rows):
                depth += bool(_DEFINE.match(rows[at])) - bool(_ENDEF.match(rows[at]))
                at += 1
                if not depth:
                    break
                body.append(rows[at - 1])
            yield Line(start + 1, "define", "\n".join(body), defined[1].rstrip(" :+?="))
            continue
        plain = _COMMENT.sub("", raw).replace("\\#", "#").strip()
        if plain:
            in_rule = _is_rule(plain, in_rule)
            yield Line(start + 1, "text", plain)


def _goes_on(row: str) -> bool:
    return (len(row) - len(row.rstrip("\\"))) % 2 == 1


def _is_rule(plain: str, before: bool) -> bool:
    """Whether tabs behind this line make recipes; a condition changes nothing."""
    word = re.split(r"[\s(]", plain, maxsplit=1)[0]
    if word in ("ifdef", "ifndef", "ifeq", "ifneq", "else", "endif"):
        return before
    rule = _RULE.match(flat := re.sub(r"\$\([^()]*\)|\$\{[^{}]*\}", "x", plain))
    if rule:  # but for a variable of a target's own
        return not _ASSIGN.match(flat[rule.end() :])
    return before and not _ASSIGN.match(plain)
