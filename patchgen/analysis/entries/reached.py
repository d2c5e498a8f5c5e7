# SPDX-License-Identifier: GPL-2.0-only
"""What rests on a function's callers: that all of them are seen, and no other name leads there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from patchgen.model.base import Evidence, Place
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, root, text
from patchgen.source.c.walk import calls, walk


def taken_elsewhere(function: Function, known: Mapping[str, Function]) -> Evidence | None:
    """Where a function's address is taken, or it stands in a macro; None: it is only called.

    Who calls through the pointer, or the macro, is not followed.
    """
    if not isinstance(known, Definitions):
        return None
    word = re.compile(rf"\b{re.escape(function.name)}\b")
    for path, tokens in known.tokens.items():
        for at, name in enumerate(tokens.texts):
            if name == function.name and tokens.texts[at + 1 : at + 2] != ["("]:
                place = Place(path, tokens.line(tokens.starts[at]))
                return Evidence(place, f"{function.name}() may be called through a pointer")
        for directive in tokens.directives:
            if word.search(directive.text):
                place = Place(path, directive.line)
                return Evidence(place, f"{function.name}() may be called through a macro")
    seen = dict.fromkeys(known.tokens, 0)
    for caller in known.mentioning(function.name):
        seen[caller.path] += sum(1 for _ in calls(caller.body, function.name))
    for path, tokens in known.tokens.items():
        # The definition and each declaration have a parenthesis, too.
        written = [at for at, name in enumerate(tokens.texts) if name == function.name]
        outside = sum(1 for at in written if not _inside(tokens.starts[at], path, known))
        if len(written) - outside != seen[path]:
            place = Place(path, function.line)
            return Evidence(place, f"a call of {function.name}() is not understood")
    return None


def _inside(offset: int, path: str, known: Definitions) -> bool:
    """Whether an offset lies in the body of a function."""
    return any(start <= offset < end for start, end in known.bodies(path))


def aliased(function: Function, place: str) -> Evidence | None:
    """Where a function gives what leads to ``place`` (as written) another name; None: nowhere.

    A store through that name would change the place unseen.
    """
    first = re.match(r"[*&(]*(\w+)", place)
    if first is None:
        return None
    name, member = first[1], re.search(r"(?:->|\.)(\w+)$", place)
    for target, value in _copies(function):
        given = bare(value)
        taken = given.kind == "unary" and given.name == "&" and root(given.args[0]) == name
        plain = bare(given.args[0]) if taken else given
        whole = plain.kind == "name" and plain.name == name
        same = member is not None and plain.kind in ("arrow", "member") and plain.name == member[1]
        pointer = taken or (whole and ("->" in place or place.startswith("*")))
        if pointer and (whole or same):
            where = Place(function.path, value.line)
            return Evidence(where, f"{target} is another name for what {text(value)} leads to")
    return None


def _copies(function: Function) -> Iterator[tuple[str, Expr]]:
    for node in walk(function.body):
        if isinstance(node, Decl):
            yield from ((v.name, v.init) for v in node.variables if v.init is not None)
        elif isinstance(node, Expr) and node.kind == "assign" and node.name == "=":
            yield text(node.args[0]), node.args[1]
