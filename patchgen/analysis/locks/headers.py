# SPDX-License-Identifier: GPL-2.0-only
"""Whether a file may define a function, told from its bytes: most headers do not.

To lex a header costs a hundred times as much as to look for a name in it.  The answer is
never a wrong no; a wrong yes costs the lexing.
"""

from __future__ import annotations

import re

#: What stands between a name and the bracket of its parameters.
_GAP = re.compile(rb"(?:\s|\\\n|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
#: What decides how a declarator goes on, and what may hide that.
_PART = re.compile(
    rb'[(){};]|/\*.*?(?:\*/|\Z)|//[^\n]*|"(?:[^"\\\n]|\\.)*"?'
    rb"|'(?:[^'\\\n]|\\.)*'?|^[ \t]*#(?:\\\r?\n|/\*.*?\*/|[^\n])*",
    re.DOTALL | re.MULTILINE,
)
_WORD = re.compile(rb"\w")


def may_define(source: bytes, name: str) -> bool:
    """Whether ``source`` may have a definition of the function ``name``."""
    word = name.encode()
    at = source.find(word)
    while at >= 0:
        end = at + len(word)
        whole = not _WORD.match(source, at - 1, at) if at else True
        if whole and not _WORD.match(source, end) and _defines(source, at, end):
            return True
        at = source.find(word, end)
    return False


def _defines(source: bytes, start: int, end: int) -> bool:
    """Whether a body may follow the name that stands between two offsets."""
    gap = _GAP.match(source, end)
    end = gap.end() if gap else end
    if source[end : end + 1] != b"(":
        # ``SYSCALL_DEFINE0(name) {``: a macro's first argument is the name.
        return source[:start].rstrip()[-1:] in (b"(", b"/")
    depth = 0
    for match in _PART.finditer(source, end):
        part = match.group()
        if part == b"(":
            depth += 1
        elif part == b")":
            depth -= 1
            if depth < 0:  # the name is an argument itself
                return False
        elif depth == 0 and part in (b"{", b";", b"}"):
            return part == b"{"
    return depth > 0
