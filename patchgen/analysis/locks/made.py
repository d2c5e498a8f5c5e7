# SPDX-License-Identifier: GPL-2.0-only
"""Functions whose definition is a macro's call at file scope: ``DEFINE_TAKER(name, lock)``."""

from __future__ import annotations

from collections.abc import Mapping

from patchgen.model.base import Span
from patchgen.model.code import Function
from patchgen.source.c.body import parse_function
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.macros import Macro, TooLarge, expand
from patchgen.source.c.outline import matching, outline
from patchgen.source.c.placed import Placed


def made_functions(
    source: bytes, path: str, macros: Mapping[str, Macro | None]
) -> tuple[Function, ...]:
    """The functions that calls of the file's own macros define."""
    tokens = lexed(source)
    texts = tokens.texts
    found: list[Function] = []
    at = 0
    while at < len(texts):
        text = texts[at]
        if text in ("{", "("):
            at = max(matching(tokens, at), at) + 1
            continue
        macro = macros.get(text) if tokens.kinds[at] == "name" else None
        if macro is None or macro.params is None or texts[at + 1 : at + 2] != ["("]:
            at += 1
            continue
        close = matching(tokens, at + 1)
        if close < 0:
            break
        found += _defined(tokens, path, macros, at, close)
        at = close + 1
    return tuple(found)


def _defined(
    tokens: Tokens,
    path: str,
    macros: Mapping[str, Macro | None],
    at: int,
    close: int,
) -> list[Function]:
    call = slice(at, close + 1)
    try:
        words = expand(list(zip(tokens.kinds[call], tokens.texts[call], strict=True)), macros)
    except TooLarge:
        return []
    span = Span(tokens.starts[at], tokens.ends[close])
    placed = Placed([k for k, _ in words], [t for _, t in words], span, tokens.line(span.start))
    return [parse_function(placed, one, path) for one in outline(placed)]
