# SPDX-License-Identifier: GPL-2.0-only
"""Mail headers as ``git format-patch`` writes them: RFC 2047, folding, subjects."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.header import Header
from email.utils import format_datetime, formataddr

from patchgen.commits.identity import Identity
from patchgen.model.base import Value
from patchgen.model.outcome import UserError

_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP
_WIDTH = 76


class MailOptions(Value, frozen=True):
    """How the mails of a series are addressed and numbered.

    ``subject_prefix`` replaces ``PATCH`` ("PATCH net-next").  ``to`` and ``cc`` go
    on every mail, ``in_reply_to`` (a Message-ID without brackets) on the cover
    letter: a new version links to the old one and does not reply to it.
    ``change_id`` is stable across versions.  ``sender`` is who sends: an author who
    is somebody else is named in the first line of the body.
    """

    version: int = 1
    rfc: bool = False
    resend: bool = False
    subject_prefix: str = "PATCH"
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    change_id: str = ""
    in_reply_to: str = ""
    sender: Identity | None = None


def message_id(text: str) -> str:
    """A Message-ID as given on the command line, without brackets; "" stays "".

    UserError: it is none (RFC 5322: something, @, something; no spaces).
    """
    found = text.strip().removeprefix("<").removesuffix(">")
    if found and not re.fullmatch(r"[^\s<>@]+@[^\s<>@]+", found):
        raise UserError(f"not a Message-ID: {text!r}", hint="it has the form <name@host>")
    return found


def tag(options: MailOptions, number: int, total: int) -> str:
    """``[RFC PATCH v2 01/12]``: numbers have one width."""
    words = ["RFC"] if options.rfc else []
    words.append(options.subject_prefix)
    if options.resend:
        words.append("RESEND")
    if options.version > 1:
        words.append(f"v{options.version}")
    words.append(f"{number:0{len(str(total))}}/{total}")
    return f"[{' '.join(words)}]"


def subject(text: str) -> bytes:
    """The Subject header, folded."""
    return _header("Subject", text)


def mailbox(identity: Identity) -> str:
    """``Name <address>`` for a header: quoted or encoded as the name needs."""
    if identity.name.isascii():
        return formataddr((identity.name, identity.email))
    return f"{Header(identity.name, _UTF8, maxlinelen=200).encode()} <{identity.email}>"


def addresses(name: str, people: tuple[str, ...]) -> bytes:
    """A To or Cc header, one address a line; b"" when there is none."""
    if not people:
        return b""
    return f"{name}: {(',' + chr(10) + ' ').join(_address(one) for one in people)}\n".encode()


def _address(text: str) -> str:
    _check("address", text)
    match = re.fullmatch(r'\s*"?(.*?)"?\s*<([^<>\s]+@[^<>\s]+)>\s*', text)
    if match and match[1]:
        return mailbox(Identity(match[1], match[2]))
    bare = match[2] if match else text.strip()
    if not re.fullmatch(r"[^\s<>,;@]+@[^\s<>,;@]+", bare):
        raise UserError(f"not a mail address: {text!r}", hint='write "Name <user@host>"')
    return bare


def date(seconds: int) -> str:
    """``Tue, 14 Nov 2023 22:13:20 +0000``."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _header(name: str, text: str) -> bytes:
    _check(name, text)
    if not text.isascii():
        value = Header(text, _UTF8, maxlinelen=_WIDTH, header_name=name).encode()
        return f"{name}: {value}\n".encode()
    lines = textwrap.wrap(
        f"{name}: {text}",
        _WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
        subsequent_indent=" ",
    )
    return ("\n".join(lines) + "\n").encode()


def _check(name: str, text: str) -> None:
    """A header is one line: nothing in it may begin another."""
    for char in text:
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            raise UserError(f"control character {char!a} in the {name} {text!a}")
