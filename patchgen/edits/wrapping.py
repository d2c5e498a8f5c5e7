# SPDX-License-Identifier: GPL-2.0-only
"""Commit messages of computed text, never wider than checkpatch lets them be.

Widths are bytes of UTF-8: checkpatch counts these.
"""

from __future__ import annotations

import re
import textwrap

#: Paragraphs wrap here (Documentation/process/submitting-patches.rst).
MESSAGE_WIDTH = 72
#: No line is wider (checkpatch: COMMIT_LOG_LONG_LINE).
MESSAGE_LIMIT = 75

_ITEM = re.compile(r"\s*(?:[-*] )?")
_ELISION = "..."


def reflow(text: str, width: int = MESSAGE_WIDTH, limit: int = MESSAGE_LIMIT) -> str:
    """Wrap paragraphs at ``width``; lines of lists and code stay, up to ``limit``.

    Blank lines separate paragraphs; runs of them become one.  A block with a line that
    begins with white space is a list or code: a line of it that is too wide goes on below
    its own text.  A word that fits on no line loses its middle.
    """
    out: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if any(line[:1].isspace() for line in lines):
            for line in lines:
                out += [line] if _width(line) <= limit else _item(line, limit)
        else:
            out += _paragraph(block, width, limit)
        out.append("")
    return "\n".join(out[:-1])


def _paragraph(block: str, width: int, limit: int) -> list[str]:
    short = re.sub(r"\S+", lambda word: _fitted(word[0], width), block)
    lines = textwrap.wrap(short, width, break_long_words=False, break_on_hyphens=False)
    # It counts characters; and two spaces behind a sentence stay two.
    return (
        lines
        if all(_width(line) <= limit for line in lines)
        else _filled(block.split(), "", "", width)
    )


def _item(line: str, limit: int) -> list[str]:
    """A line of a list on several, all but the first below the item's text."""
    mark = _ITEM.match(line)
    assert mark is not None
    lead = mark[0].expandtabs(8)[: limit // 2]
    return _filled(line[mark.end() :].split(), lead, " " * len(lead), limit)


def _filled(words: list[str], first: str, rest: str, width: int) -> list[str]:
    lines: list[str] = []
    current, empty = first, True
    for word in (_fitted(word, width - len(rest)) for word in words):
        if not empty and _width(current) + 1 + _width(word) > width:
            lines.append(current)
            current, empty = rest, True
        current += word if empty else f" {word}"
        empty = False
    return [*lines, current]


def _fitted(word: str, width: int) -> str:
    """The word as it is; where no line holds it, a path its end, another both its ends."""
    if _width(word) <= width:
        return word
    room = width - len(_ELISION)
    if "/" in word:
        tail = _tail(word, room)
        cut = tail.find("/")
        return _ELISION + (tail[cut:] if cut > 0 else tail)
    tail = _tail(word, room // 3)
    head = word.encode()[: room - _width(tail)].decode(errors="ignore")
    return head + _ELISION + tail


def _tail(word: str, size: int) -> str:
    return word.encode()[-size:].decode(errors="ignore")


def _width(text: str) -> int:
    return len(text.encode(errors="replace"))
