# SPDX-License-Identifier: GPL-2.0-only
"""One mail, decoded: headers as written, the body as the bytes that were meant."""

from __future__ import annotations

import base64
import binascii
import re
from email.message import Message
from email.parser import HeaderParser

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.read.multipart import TEXT, joined
from patchgen.series.read.sources import RawMail

_SUBJECT = re.compile(rb"^subject:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE | re.IGNORECASE)
_KEPT = ("from", "date", "subject")
_NO_HEADER = re.compile(rb"^(?![!-9;-~]+:|[ \t]|>?From |\r?$).*$|\A[ \t].*$", re.MULTILINE)
_ONCE = ("content-type", "content-transfer-encoding")


class Mail(Value, frozen=True):
    """A mail with its transfer encoding taken off.

    ``headers`` holds From, Date, Subject and Message-ID as raw bytes with their
    folding, keyed in small letters; ``charset`` is what the body is written in.  ``lacks``
    is what a patch that came as no mail says nothing of.
    """

    where: str
    headers: dict[str, bytes]
    charset: str
    body: bytes
    lacks: str = ""

    @property
    def plain(self) -> bytes:
        """The mail again, in 8bit and without anything that git would trip over."""
        head = b"".join(
            b"%s: %s\n" % (name.title().encode(), self.headers[name])
            for name in _KEPT
            if name in self.headers
        )
        mime = f"Content-Type: text/plain; charset={self.charset}\n" if self.charset else ""
        mime += "Content-Transfer-Encoding: 8bit\n"
        return head + b"MIME-Version: 1.0\n" + mime.encode() + b"\n" + self.body


def subject_of(mail: bytes) -> bytes:
    """The first Subject header of an encoded mail as it is written; b"" without one."""
    head, _ = _split(mail)
    found = _SUBJECT.search(head)
    return found[1] if found else b""


def decode(raw: RawMail) -> Mail:
    """Take the transfer encoding off, or UserError for a form that hides things."""
    head, body = _split(raw.data)
    headers = _headers(head, raw.where)
    message = HeaderParser().parsestr(head.decode("latin-1"))
    if message.get_content_maintype() == "multipart":
        message, body = joined(message, body, raw.where, lambda m, b: _part(m, b, raw.where))
    else:
        body = _part(message, body, raw.where)
    charset = message.get_content_charset() or ""
    if not re.fullmatch(r"[A-Za-z0-9._:-]*", charset):
        raise UserError(f"the mail has an odd charset: {charset!r}", raw.where, "send UTF-8")
    if b"\0" in body:
        raise UserError("the mail holds a NUL byte", raw.where, "git am stops at it")
    return Mail(raw.where, headers, charset, body, raw.lacks)


def _part(message: Message[str, str], body: bytes, where: str) -> bytes:
    """The text of a mail of one part, or of one part of a mail."""
    kind = message.get_content_type()
    if kind not in TEXT:
        raise UserError(f"the mail is {kind}, not plain text", where, "send plain text")
    if str(message.get_param("format", "")).lower() == "flowed":
        raise UserError(
            "the mail is format=flowed, which breaks long lines of a patch",
            where,
            "send it with git send-email",
        )
    return _transfer(str(message.get("Content-Transfer-Encoding", "")), body, where)


def _split(data: bytes) -> tuple[bytes, bytes]:
    match = re.search(rb"\r?\n\r?\n", data)
    return (data[: match.start()], data[match.end() :]) if match else (data, b"")


def _headers(head: bytes, where: str) -> dict[str, bytes]:
    """The headers that count; a second one of a kind could say two things."""
    found: dict[str, bytes] = {}
    if odd := _NO_HEADER.search(head):
        raise UserError(
            f"a line among the headers is none: {odd[0].decode('latin-1').strip()[:40]!a}",
            where,
            "git am would take the rest of them for text: remove it",
        )
    for match in re.finditer(rb"^([!-9;-~]+):[ \t]*(.*(?:\r?\n[ \t].*)*)", head, re.MULTILINE):
        name = match[1].decode().lower()
        if name == "message-id":  # no part of a commit; archives and lists add their own
            found.setdefault(name, match[2].replace(b"\r", b"").strip())
        if name not in (*_KEPT, *_ONCE):
            continue
        if name in found:
            raise UserError(f"the mail has two {name} headers", where, "remove one")
        found[name] = match[2].replace(b"\r", b"").rstrip()
    return found


def _transfer(encoding: str, body: bytes, where: str) -> bytes:
    encoding = encoding.strip().lower()
    if encoding in ("", "7bit", "8bit", "binary"):
        return body
    try:
        if encoding == "base64":
            decoded = base64.b64decode(re.sub(rb"\s+", b"", body), validate=True)
        elif encoding == "quoted-printable":
            decoded = _unquoted(body)
        else:
            what = f"the mail has an unknown transfer encoding: {encoding!r}"
            raise UserError(what, where, "send it as 8bit")
    except binascii.Error as error:
        what = f"the mail's {encoding} cannot be decoded: {error}"
        raise UserError(what, where, "get the mail again, whole") from error
    lines = decoded.count(b"\n")
    if lines and decoded.count(b"\r\n") == lines:
        # Some lines: they are the file's.  Every line: they are the mailer's, and git am
        # keeps them all the same, so that the patch fits no file.
        raise UserError(
            f"every line of the {encoding} text ends in CR LF, and git am keeps that",
            where,
            "send it as 8bit (git am --quoted-cr=strip takes it as it is)",
        )
    return decoded


def _unquoted(body: bytes) -> bytes:
    """Quoted-printable; what is no valid escape is an error, not text."""
    # Blanks before a line's end stay, as git has it (RFC 2045 would drop them).
    body = body.replace(b"\r\n", b"\n").replace(b"=\n", b"")
    if bad := re.search(rb"=(?![0-9A-Fa-f]{2}).{0,2}", body):
        raise binascii.Error(f"odd escape {bad[0].decode('latin-1')!a}")
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), body)
