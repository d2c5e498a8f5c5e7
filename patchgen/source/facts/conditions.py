# SPDX-License-Identifier: GPL-2.0-only
"""Which CONFIG options would make a skipped place active."""

from __future__ import annotations

import re
from collections.abc import Iterable

from patchgen.source.c.lexer import Tokens

_SYMBOL = r"\bCONFIG_(\w+)"
_NEGATED = r"(?:!\s*(?:defined\s*\(?|IS_ENABLED\s*\(|IS_REACHABLE\s*\()\s*)CONFIG_(\w+)"


def switches(
    tokens: Tokens, offsets: Iterable[int]
) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """(options on, options off) that may make the places active, each pair once.

    Taken from the conditions around each place as written; what does not depend on
    a CONFIG option yields nothing.
    """
    found = dict.fromkeys(_switch(stack_at(tokens, offset)) for offset in offsets)
    return tuple(pair for pair in found if pair[0] or pair[1])


def stack_at(tokens: Tokens, offset: int) -> tuple[tuple[str, bool], ...]:
    """The conditions around ``offset``, outermost first: text, and whether it holds.

    An ``#else`` branch has its ``#if``'s text and False.
    """
    stack: list[tuple[str, bool]] = []
    for directive in tokens.directives:
        if directive.span.start > offset:
            break
        text = re.sub(r"/\*.*?\*/|\\\n", " ", directive.text, flags=re.S).strip()[1:].lstrip()
        if text.startswith("ifndef"):
            stack.append((text[6:].strip(), False))
        elif text.startswith("ifdef"):
            stack.append((text[5:].strip(), True))
        elif text.startswith("if"):
            stack.append((text[2:].strip(), True))
        elif text.startswith("elif") and stack:
            stack[-1] = (text[4:].strip(), True)
        elif text.startswith("else") and stack:
            stack[-1] = (stack[-1][0], not stack[-1][1])
        elif text.startswith("endif") and stack:
            stack.pop()
    return tuple(stack)


def _switch(stack: tuple[tuple[str, bool], ...]) -> tuple[frozenset[str], frozenset[str]]:
    on: set[str] = set()
    off: set[str] = set()
    for text, holds in stack:
        negated = set(re.findall(_NEGATED, text))
        plain = set(re.findall(_SYMBOL, text)) - negated
        on |= plain if holds else negated
        off |= negated if holds else plain
    return frozenset(on - off), frozenset(off)
