# SPDX-License-Identifier: GPL-2.0-only
"""The preprocessor conditions that a line of a file stands under."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from patchgen.source.c.lexer import Tokens

_CONDITION = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b[ \t]*((?s:.*))")
_DEFINE = re.compile(r"\s*#\s*define\s+(\w+)")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\\\r?\n", re.S)


def standing(tokens: Tokens) -> Callable[[int], tuple[str, ...]]:
    """For a line its conditions, outermost first, without a header's own guard.

    Each is written with all of the branches before it: ``A / B / else``.
    """
    lines = [0]
    stacks: list[tuple[str, ...]] = [()]
    stack: list[str] = []
    guard = ""
    for number, directive in enumerate(tokens.directives):
        match = _CONDITION.match(directive.text)
        if match is None:
            continue
        word, rest = match[1], " ".join(_COMMENT.sub(" ", match[2]).split())
        if word in ("if", "ifdef", "ifndef"):
            if word == "ifndef" and not stack and not guard and _guards(tokens, number, rest):
                guard, rest = rest, ""
            stack.append(f"{word} {rest}" if rest else "")
        elif stack and word == "endif":
            stack.pop()
        elif stack and stack[-1]:
            stack[-1] += f" / {word} {rest}".rstrip()
        lines.append(directive.line)
        stacks.append(tuple(filter(None, stack)))
    return lambda line: stacks[bisect_right(lines, line) - 1]


def _guards(tokens: Tokens, number: int, name: str) -> bool:
    """Whether a condition is followed by the definition of its name at once."""
    behind = tokens.directives[number + 1 : number + 2]
    match = _DEFINE.match(behind[0].text) if behind else None
    return match is not None and match[1] == name
