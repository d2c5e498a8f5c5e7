# SPDX-License-Identifier: GPL-2.0-only
"""The ledger: every textual mention of an API name, and what became of it.

The count starts from the raw tokens of the file, comments and strings apart, with
no help from the preprocessor; so nothing can drop out of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

from patchgen.model.base import Span
from patchgen.model.code import Function, Unknown
from patchgen.model.facts import Mention, OpsTable
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.walk import walk

# Patterns are compiled where they are used: what is known already is not looked at.
_WORD = rb"[A-Za-z_][A-Za-z0-9_]*"
_BLANKED = rb'/\*.*?(?:\*/|\Z)|//(?:\\\r?\n|[^\n])*|"(?:[^"\\\n]|\\.)*"?|\'(?:[^\'\\\n]|\\.)*\'?'
#: Marks a directive as part of macro bodies.
_DEFINE = r"\s*#\s*define\b"
_INCLUDE = r"\s*#\s*include\b"


def mentions(
    tokens: Tokens,
    path: str,
    names: frozenset[str],
    skipped: Iterable[Span],
    functions: Iterable[Function],
    tables: Iterable[OpsTable],
    error: str,
    configuration: str,
) -> tuple[Mention, ...]:
    """Every mention of one of ``names``, each in one state.

    ``tokens`` are all of the file's, whatever the preprocessor skips.
    ``error`` is the first error of the parse, or ""; ``configuration`` tells for
    inactive mentions what was tried.
    """
    found: list[Mention] = []
    off = sorted(skipped)
    lost = {span: reason for function in functions for span, reason in _not_understood(function)}
    code = [function.body.span for function in functions] + [table.span for table in tables]
    code.sort()

    def state_of(offset: int, in_macro: bool) -> tuple[str, str]:
        if _inside(off, offset):
            return "inactive", configuration
        if error:
            return "unparsed", error
        for span, reason in lost.items():
            if offset in span:
                return "unparsed", reason
        if in_macro:
            return "macro", ""
        return ("analysed", "") if _inside(code, offset) else ("declaration", "")

    for text, start in zip(tokens.texts, tokens.starts, strict=True):
        if text in names:
            state, detail = state_of(start, False)
            found.append(Mention(path, tokens.line(start), start, text, state, detail))
    blanks = re.compile(_BLANKED, re.DOTALL)
    for directive in tokens.directives:
        if re.match(_INCLUDE, directive.text):
            continue  # a file's name, not a use of what it declares
        is_define = bool(re.match(_DEFINE, directive.text))
        raw = tokens.source[directive.span.start : directive.span.end]
        blanked = blanks.sub(lambda match: b" " * len(match.group()), raw)
        for match in re.finditer(_WORD, blanked):
            name = match.group().decode("ascii")
            if name not in names:
                continue
            # Where a skipped part begins with this line, its condition was looked at.
            evaluated = any(span.start in directive.span for span in off)
            offset = directive.span.start + match.start()
            state, detail = ("macro", "") if evaluated else state_of(offset, True)
            if state == "macro" and not is_define:
                state, detail = "declaration", "preprocessor condition"
            found.append(Mention(path, tokens.line(offset), offset, name, state, detail))
    return tuple(sorted(found, key=lambda mention: mention.offset))


def _inside(spans: list[Span], offset: int) -> bool:
    """Whether a sorted, disjoint list of spans holds ``offset``."""
    index = bisect_right(spans, Span(offset, 1 << 62)) - 1
    return index >= 0 and offset < spans[index].end


def _not_understood(function: Function) -> Iterable[tuple[Span, str]]:
    for node in walk(function.body):
        if isinstance(node, Unknown):
            yield node.span, f"{function.path}:{node.line}: not understood: {node.reason}"
