# SPDX-License-Identifier: GPL-2.0-only
"""Paragraphs at most 75 columns wide; tables, code, tags and quotes as they are."""

from __future__ import annotations

import re
import textwrap

WIDTH = 75

_ITEM = re.compile(r"(- |\* |\d+\. |\[\d+\] )")
_VERBATIM = re.compile(r"\s|[>|+]|[A-Z][A-Za-z-]*: \S+$")


def wrap(text: str, width: int = WIDTH) -> str:
    """``text`` with its paragraphs and list items filled to ``width`` columns.

    Lines that begin with white space, ``>``, ``|`` or ``+`` stay as they are; words
    are never broken, so that a long link stays one line.
    """
    out: list[str] = []
    paragraph: list[str] = []

    def flush() -> None:
        if paragraph:
            out.extend(_fill(" ".join(paragraph), width))
            paragraph.clear()

    for line in text.strip("\n").split("\n"):
        line = line.rstrip()
        if not line:
            flush()
            out.append(line)
        elif paragraph and _continues_item(paragraph, line):
            paragraph.append(line.strip())
        elif _VERBATIM.match(line):
            flush()
            out.append(line)
        else:
            if _ITEM.match(line):
                flush()
            paragraph.append(line)
    flush()
    return "\n".join(out)


def _continues_item(paragraph: list[str], line: str) -> bool:
    """An indented line right below a list item belongs to the item."""
    item = _ITEM.match(paragraph[0])
    return bool(item) and line.startswith("  ") and not line.lstrip().startswith(("- ", "* "))


def _fill(text: str, width: int) -> list[str]:
    item = _ITEM.match(text)
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=" " * (len(item[0]) if item else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )
