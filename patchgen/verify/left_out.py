# SPDX-License-Identifier: GPL-2.0-only
"""Changed code that a parse left out: where it is, and whether an error there is certain."""

from __future__ import annotations

import re
from collections.abc import Sequence

from patchgen.model.base import Span
from patchgen.source.c.lexer import Tokens
from patchgen.verify.lines import FileLines


def left_out(tokens: Tokens, file: FileLines, skipped: Sequence[Span]) -> list[int]:
    """Offsets of the first token of each changed line that a parse skipped."""
    if not skipped:
        return []
    found: dict[int, int] = {}
    for start in tokens.starts:
        line = tokens.line(start)
        if line in file.touched and line not in found and any(start in span for span in skipped):
            found[line] = start
    return list(found.values())


_NO_TYPE = frozenset((b"return", b"else", b"goto", b"case", b"sizeof", b"do", b"typeof"))


def declares(source: bytes, name: str) -> bool:
    """Whether a source can declare a name: it stands behind a type or in a definition."""
    word = re.escape(name.encode())
    if re.search(rb"^[ \t]*#[ \t]*define[ \t]+%s\b" % word, source, re.M):
        return True
    if re.search(rb"[{,]\s*%s\s*[=,}]" % word, source):
        return True
    behind = re.finditer(rb"(\w+)[ \t]*[ \t*][ \t*]*\b%s\s*[(;=,\[:{]" % word, source)
    return any(match.group(1) not in _NO_TYPE for match in behind)


def ranges(lines: Sequence[int]) -> str:
    """``lines 3-5, 9``."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line <= parts[-1][1] + 2:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    shown = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts[:3])
    more = ", ..." if len(parts) > 3 else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"
