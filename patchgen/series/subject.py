# SPDX-License-Identifier: GPL-2.0-only
"""``[RFC PATCH net-next v3 02/15] mm: summary``, taken apart."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header

from patchgen.model.base import Value

_TAGS = re.compile(r"\s*((?:re|aw|fwd?):\s*)*((?:\[[^\]]*\]\s*)*)(.*)", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(\d{1,4})/(\d{1,4})")
_VERSION = re.compile(r"(?:RFC|PATCH|-)*v(\d{1,4})", re.IGNORECASE)  # [PATCHv2], [PATCH -v2]


class Subject(Value, frozen=True):
    """A subject line; ``number`` and ``total`` are None when it is not numbered."""

    text: str
    summary: str
    number: int | None
    total: int | None
    version: int
    rfc: bool
    reply: bool


def parse_subject(raw: bytes) -> Subject:
    """Take a Subject header (folded and encoded, as in the mail) apart."""
    text = " ".join(_decoded(raw).split())
    match = _TAGS.match(text)
    assert match is not None
    words = re.sub(r"[\[\],]", " ", match[2]).split()
    number = next((found for word in words if (found := _NUMBER.fullmatch(word))), None)
    version = next((found for word in words if (found := _VERSION.fullmatch(word))), None)
    return Subject(
        text=text,
        summary=match[3].strip(),
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else None,
        version=int(version[1]) if version else 1,
        rfc="RFC" in (word.upper() for word in words),
        reply=bool(match[1]),
    )


def _decoded(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    out = []
    for data, charset in parts:
        if isinstance(data, str):
            out.append(data)
            continue
        try:
            out.append(data.decode(charset or "utf-8", errors="replace"))
        except (LookupError, UnicodeError):  # some codecs (idna) cannot replace
            out.append(data.decode("latin-1"))
    return "".join(out)
