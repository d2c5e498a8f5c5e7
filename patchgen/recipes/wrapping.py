# SPDX-License-Identifier: GPL-2.0-only
"""Call arguments laid out as the kernel does: tabs of 8, 80 columns, aligned.

Documentation/process/coding-style.rst, chapter 2; checkpatch's "Alignment should
match open parenthesis".
"""

from __future__ import annotations

import re

from patchgen.model.code import Expr

WIDTH = 80
TAB = 8


def columns(text: str) -> int:
    """Width of a line's text in columns, tabs to multiples of 8."""
    width = 0
    for char in text:
        width += TAB - width % TAB if char == "\t" else 1
    return width


def indent(width: int) -> str:
    """White space of ``width`` columns: tabs, then spaces."""
    return "\t" * (width // TAB) + " " * (width % TAB)


def line_prefix(source: bytes, offset: int) -> str:
    """The text of the line before ``offset``."""
    start = source.rfind(b"\n", 0, offset) + 1
    return source[start:offset].decode("utf-8", "replace")


def wrap_arguments(prefix: str, arguments: list[str], tail: str = ");") -> list[str]:
    """Lines for ``arguments`` after an opening parenthesis that ends ``prefix``.

    The first line comes without the prefix.  Arguments go on a line while they
    fit into 80 columns; the next line is aligned with the parenthesis, or, where
    no argument fits there, indented by the fewest tabs that the alignment allows.
    """
    base = columns(prefix)
    widest = max((len(argument) for argument in arguments), default=0)
    align = base if base + widest + len(tail) <= WIDTH else _shifted(prefix, widest + len(tail))
    lines: list[str] = []
    current, width = "", base
    for number, argument in enumerate(arguments):
        end = "," if number + 1 < len(arguments) else tail
        glue = " " if current.strip() else ""
        if current.strip() and width + len(glue) + len(argument) + len(end) > WIDTH:
            lines.append(current)
            current, glue, width = indent(align), "", align
        current += glue + argument + end
        width += len(glue) + len(argument) + len(end)
    lines.append(current)
    return lines


def _shifted(prefix: str, wanted: int) -> int:
    """Indentation one tab deeper than the statement, when alignment does not fit."""
    own = columns(re.match(r"\s*", prefix).group())  # type: ignore[union-attr]
    return min(own + TAB, max(own + TAB, WIDTH - wanted))


def argument_texts(source: bytes, call: Expr) -> list[str]:
    """The arguments of a call as written, white space folded."""
    return [
        re.sub(r"\s+", " ", source[a.span.start : a.span.end].decode("utf-8", "replace"))
        for a in call.args[1:]
    ]
