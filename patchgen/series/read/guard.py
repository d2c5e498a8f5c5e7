# SPDX-License-Identifier: GPL-2.0-only
"""What may stand in the text of a mail: nothing that git would take for a patch.

``git am`` (mailinfo.c, patchbreak()) ends the message at ``---``, ``diff -`` or
``Index: ``, takes ``From:``, ``Subject:`` and ``Date:`` at the top of the body for
headers, and cuts an mbox at ``From `` lines with a time in them.
"""

from __future__ import annotations

import re
import unicodedata

from patchgen.model.outcome import UserError

_BREAK = re.compile(r"diff -|Index: |---(\s*$|\s+\S)|-- $|@@ -\d|(\+\+\+|\*\*\*) \S")
_SEPARATOR = re.compile(r">*From .*\d:\d\d")
_SCISSORS = re.compile(r"[-\s]*(8<|>8|%<|>%)[-\s8<>%]*$")
_HEADER = re.compile(r"(From|Subject|Date|Content-Type):", re.IGNORECASE)


def text_fault(text: str, *, in_cover: bool = False) -> str:
    """Why ``text`` cannot stand as the body of a commit message, or "".

    The answer names the line, counted from 1.  In a cover letter, which is never
    applied, rules and tables of dashes are let through.
    """
    lines = text.split("\n")
    if not in_cover and _HEADER.match(next((line for line in lines if line.strip()), "")):
        return "line 1 would be taken for a mail header"
    for number, line in enumerate(lines, 1):
        for char in line:
            if (char != "\t" and unicodedata.category(char) in ("Cc", "Cs")) or is_bidi(char):
                return f"line {number} holds the control character {char!a}"
        if _SEPARATOR.match(line):
            return f"line {number} would be taken for the start of another mail"
        if line.startswith("diff --git "):
            return f"line {number} would be taken for the start of a diff"
        if not in_cover and (_BREAK.match(line) or _SCISSORS.fullmatch(line)):
            return f"line {number} would be taken for the end of the message"
    return ""


def is_bidi(char: str) -> bool:
    """Bidirectional marks and overrides, which make text read other than it is."""
    return char in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def check_text(text: str, where: str, *, in_cover: bool = False) -> None:
    """UserError when ``text`` cannot stand as the body of a mail."""
    if fault := text_fault(text, in_cover=in_cover):
        raise UserError(fault, where)
