# SPDX-License-Identifier: GPL-2.0-only
"""Where the functions and tables of a source use a name that another may define."""

from __future__ import annotations

import re

from patchgen.model.base import Place, Value
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import Outline, outline
from patchgen.source.facts.state import TreeState
from patchgen.verify.holding import files_with
from patchgen.verify.names import gives


class Use(Value, frozen=True):
    """A place that uses a name, and the function that it is in ("": a table)."""

    place: Place
    function: str


def look(source: bytes, path: str, name: str) -> list[Use] | None:
    """The uses of a name in a file's functions and tables; None where it may be defined."""
    tokens = lexed(source)
    bodies = outline(tokens)
    for function in bodies:
        if function.name == name:
            own = "static" in tokens.texts[function.first : function.body_at]
            return [] if own and path.endswith(".c") else None
    if any(re.match(rf"\s*#\s*define\s+{re.escape(name)}\b", d.text) for d in tokens.directives):
        return None
    for given in gives(path, source):
        if given.name == name and given.kind == "variable" and path.endswith(".c"):
            return None
    if not path.endswith(".c"):
        return []  # a declaration, or an inline that is looked at where it is used
    uses: list[Use] = []
    depth = 0
    stack: list[str] = []
    for index, text in enumerate(tokens.texts):
        if text in "({[":
            stack.append(text)
        elif text in ")}]" and stack:
            stack.pop()
        depth = len(stack)
        if text != name:
            continue
        place = Place(path, tokens.line(tokens.starts[index]))
        owner = next((f for f in bodies if f.first <= index <= f.last), None)
        if owner is not None:
            member = tokens.texts[index - 1] in (".", "->")
            if index > owner.body_at and not member and not _is_local(tokens, owner, name):
                uses.append(Use(place, owner.name))
        elif depth and stack[0] == "(":
            if tokens.texts[index - 1] == "(" and not _export(tokens, index):
                return None  # DEFINE_SOMETHING(name)
        elif depth and tokens.texts[index - 1] in ("=", "&", ",", "{"):
            uses.append(Use(place, ""))
    return uses


_BEHIND = (";", "=", ",", ")", "[", ":")
_NO_TYPE = ("return", "else", "goto", "case", "sizeof")


def _is_local(tokens: Tokens, owner: Outline, name: str) -> bool:
    """Whether a function has a parameter or variable of the name, or a label."""
    texts = tokens.texts
    for index in range(owner.first + 1, owner.last):
        if texts[index] != name or texts[index + 1] not in _BEHIND:
            continue
        before = texts[index - 1]
        if before == "*" or (before.isidentifier() and before not in _NO_TYPE):
            return True
    return False


def _export(tokens: Tokens, index: int) -> bool:
    return index > 1 and tokens.texts[index - 2].startswith("EXPORT_")


def user_outside(after: TreeState, name: str, source: str) -> str:
    """The first place in another source that uses a function; "" where something defines it."""
    first = ""
    for path in files_with(after, [name])[name]:
        if path == source:
            continue
        uses = look(after.read(path) or b"", path, name)
        if uses is None:
            return ""
        first = first or (str(uses[0].place) if uses else "")
    return first
