# SPDX-License-Identifier: GPL-2.0-only
"""Mails of several parts: a signed text, or a text with patches attached.

git mailinfo reads all parts one behind the other, whatever they are called.  Here they
are only read if each is text that a person sees as such, and a signature is left out
only if nothing in it could be applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import Message
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from patchgen.model.outcome import UserError
from patchgen.series.read.bare import DIFF

TEXT = ("text/plain", "text/x-patch", "text/x-diff")
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature",
               "application/x-pkcs7-signature")  # fmt: skip

_PLAIN = "send the patch as plain text"

# Whatever git apply begins to read a diff at.
_DIFF = re.compile(rb"^(?:diff |Index: |---\s|\+\+\+\s|@@ -)", re.MULTILINE)

if TYPE_CHECKING:
    Header = Message[str, str]
    Decode = Callable[[Header, bytes], bytes]


def joined(message: Header, body: bytes, where: str, decode: Decode) -> tuple[Header, bytes]:
    """The header of the first part that counts, and the decoded text of all of them.

    ``decode`` takes off a part's transfer encoding.  UserError for parts that are no
    text, for parts within parts, and for two charsets.
    """
    kind = message.get_content_type()
    parts = _split(message, body, where)
    if kind == "multipart/signed":
        if len(parts) != 2 or parts[1][0].get_content_type() not in _SIGNATURES:
            raise _refused(f"{kind}, and what should be its signature is another part", where)
        if _DIFF.search(_raw(*parts.pop())):
            raise UserError(
                "a diff in the mail's signature, which git am applies", where, "send one part"
            )
    elif kind != "multipart/mixed":
        raise _refused(kind, where)
    for head, _ in parts:
        if (its := head.get_content_type()) not in TEXT:
            raise UserError(_part_fault(its), where, _PLAIN)
    charsets = {head.get_content_charset() or "us-ascii" for head, _ in parts} - {"us-ascii"}
    texts = [decode(head, text) for head, text in parts]
    if len(charsets) > 1:
        return _in_utf8([head for head, _ in parts], texts, where), b"".join(texts)
    first = next((head for head, _ in parts if head.get_content_charset() in charsets), parts[0][0])
    return first, b"".join(texts)


def _in_utf8(heads: list[Header], texts: list[bytes], where: str) -> Header:
    """Parts in several charsets: those above the diff to UTF-8, in place; the diff's header.

    Of a diff git am converts nothing, so that its part must be in UTF-8 itself.
    """
    at = next((n for n, text in enumerate(texts) if DIFF.search(text)), 0)
    if heads[at].get_content_charset() not in (None, "us-ascii", "utf-8"):
        charset = heads[at].get_content_charset()
        raise UserError(f"the diff's part is in {charset}, others are not", where, _PLAIN)
    for number in range(at):
        try:
            text = texts[number].decode(heads[number].get_content_charset() or "us-ascii")
        except (LookupError, UnicodeError) as error:
            raise UserError(f"a part's charset: {error}", where, "send UTF-8") from error
        texts[number] = text.encode()
    head = HeaderParser().parsestr("Content-Type: text/plain; charset=utf-8\n\n")
    return head


def _split(message: Header, body: bytes, where: str) -> list[tuple[Header, bytes]]:
    boundary = message.get_boundary()
    if not boundary:
        raise _refused(message.get_content_type(), where)
    mark = re.escape(boundary.encode("latin-1", "replace"))
    pieces = re.split(rb"(?:^|\r?\n)--" + mark + rb"(?:[ \t]*\r?\n|--[^\n]*(?:\n|$))", body)
    # git takes every line for a boundary that begins with one.
    if len(re.findall(rb"^--" + mark, body, re.MULTILINE)) != len(pieces) - 1:
        raise UserError("a line begins with the boundary of the parts", where, "send one part")
    # What is above the first part is for mailers of old, and neither shown nor applied.
    if len(pieces) < 3 or pieces[-1].strip() or _DIFF.search(pieces[0]):
        raise _refused(f"{message.get_content_type()} with text outside its parts", where)
    found = []
    for piece in pieces[1:-1]:
        match = re.match(rb"\r?\n|(?s:(.*?))\r?\n\r?\n", piece)
        if match is None:
            raise _refused(f"{message.get_content_type()} with a part without text", where)
        head = HeaderParser().parsestr((match[1] or b"").decode("latin-1"))
        for name in ("content-type", "content-transfer-encoding"):
            if len(head.get_all(name) or ()) > 1:
                raise UserError(f"a part has two {name} headers", where, "remove one")
        found.append((head, piece[match.end() :] + b"\n"))
    return found


def _raw(head: Header, text: bytes) -> bytes:
    """A part as it stands, and with any transfer encoding taken off as far as that goes."""
    head.set_payload(text.decode("latin-1"))
    decoded = head.get_payload(decode=True)
    return text + b"\n" + (decoded if isinstance(decoded, bytes) else b"")


def _part_fault(kind: str) -> str:
    if kind.startswith("multipart/"):
        return "the mail has parts within parts, and git am writes their headers into the message"
    return f"the mail has a part of {kind}: git am reads it, and no mail reader shows it as text"


def _refused(kind: str, where: str) -> UserError:
    if kind == "multipart/alternative":
        kind += ": a person may be shown another form of it than git am applies"
    elif kind == "multipart/related":
        kind += ": git am reads what its parts are for programs as text"
    return UserError(f"the mail is {kind}", where, _PLAIN)
