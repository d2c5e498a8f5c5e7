# SPDX-License-Identifier: GPL-2.0-only
"""Mails for `side_by_side` in the shapes that public lists and their archives have.

Each is made of parts that occur, put together by chance: what wrote the mail and what it
went through, the tags of its subject, what stands above, between and behind the diff, and
how it was encoded.  Most of them git am takes.
"""

from __future__ import annotations

import base64
import quopri
import random
import re
from collections.abc import Callable

from tests.series.odd_diffs import FILES, FORMS, edit
from tests.series.odd_mails import Letter
from tests.series.posted_parts import (
    AUTHORS,
    CHARSETS,
    DATES,
    FIRSTS,
    HEADERS,
    NOTES,
    SUBJECTS,
    TAGS,
    TAILS,
    TEXTS,
    TOPS,
)

_NAMES = [name for name in sorted(FILES) if name not in ("crlf.c", "mm/a.c.orig", "a/mm/a.c")]


def posted_diff(chance: random.Random, path: str) -> bytes:
    """A sound diff as git, quilt or diff writes it."""
    kind = chance.randrange(10)
    if kind == 9:
        return chance.choice(FORMS)(chance, path)
    whole = edit(chance, path)
    if kind < 6:
        return whole
    hunks = whole[whole.index(b"@@ ") :]
    name = path.encode()
    old, new = chance.choice(
        (
            (b"a/%s" % name, b"b/%s" % name),
            (b"linux-6.1.orig/%s" % name, b"linux-6.1/%s" % name),
            (b"a/%s~mm-x" % name, b"a/%s" % name),
            (b"a/%s\t2023-11-14 22:13:20.000000000 +0100" % name,
             b"b/%s\t2023-11-14 22:13:21.000000000 +0100" % name),
            (b"linux.orig/%s\tTue Nov 14 22:13:20 2023" % name,
             b"linux/%s\tTue Nov 14 22:13:21 2023" % name),
            (b"x.orig/%s" % name, b"x/%s" % name),
        )
    )  # fmt: skip
    plain = [side.split(b"\t")[0] for side in (old, new)]
    lead = chance.choice((b"", b"", b"Index: %s\n%s\n" % (plain[1], b"=" * 67),
                          b"diff -puN %s %s\n" % (plain[0], plain[1]),
                          b"diff -Nru %s %s\n" % (plain[0], plain[1])))  # fmt: skip
    return b"%s--- %s\n+++ %s\n%s" % (lead, old, new, hunks)


def headers(chance: random.Random) -> list[bytes]:
    """What a mail's writer, its lists and an archive put above it."""
    found = [
        b"From: " + chance.choice(AUTHORS),
        b"Date: " + chance.choice(DATES),
        b"Subject: " + chance.choice(TAGS) + chance.choice(SUBJECTS),
    ]
    if found[1] == b"Date: ":
        del found[1]
    more = chance.sample(HEADERS, chance.choice((0, 0, 2, 5, 9)))
    at = chance.randrange(len(found) + 1)
    found[at:at] = more
    if chance.random() < 0.2:
        chance.shuffle(found)
    if chance.random() < 0.1:
        found = [re.sub(rb"^[^:]+", lambda name: name[0].lower(), one) for one in found]
    return found


def plainly(chance: random.Random, letter: Letter) -> None:
    charset = chance.choice(CHARSETS)
    way = chance.choice((b"8bit", b"7bit", b"8BIT", b"binary", b""))
    letter.headers += [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=" + charset]
    if way:
        letter.headers.append(b"Content-Transfer-Encoding: " + way)


def coded(chance: random.Random, letter: Letter) -> None:
    way = chance.choice((b"base64", b"quoted-printable", b"Quoted-Printable", b"BASE64"))
    letter.headers += [b"Content-Type: text/plain; charset=UTF-8",
                       b"Content-Transfer-Encoding: " + way, b"MIME-Version: 1.0"]  # fmt: skip
    crlf = chance.random() < 0.15
    letter.encode = lambda body: _coded(way, body.replace(b"\n", b"\r\n") if crlf else body)


def _coded(way: bytes, body: bytes) -> bytes:
    if way.lower() == b"base64":
        return base64.encodebytes(body)
    return quopri.encodestring(body) if way.lower() == b"quoted-printable" else body


_FOOTER = b"_______________________________________________\nlinux-x mailing list\n"


def parts(chance: random.Random, letter: Letter) -> None:
    """Text and patch, a signed text, a list's footer of its own, html beside the text."""
    kind = chance.choice(
        ("attached", "attached", "signed", "signed", "footer", "footer", "both", "html", "one",
         "signed footer", "html attached")
    )  # fmt: skip
    way = chance.choice((b"", b"8bit", b"base64", b"quoted-printable"))
    patch = chance.choice(
        (b"text/x-patch", b"text/x-diff", b"text/plain", b"text/x-patch; charset=US-ASCII",
         b'text/x-patch; charset="UTF-8"', b"application/octet-stream", b"application/x-patch")
    )  # fmt: skip
    names = chance.choice(
        (b'\nContent-Disposition: attachment; filename="0001-mm.patch"',
         b"\nContent-Disposition: inline;\n filename=0001-mm.patch", b"",
         b"\nContent-Disposition: attachment\nX-Attachment-Id: f_1\nContent-ID: <f_1>")
    )  # fmt: skip
    plain = b"text/plain; charset=" + chance.choice((b"utf-8", b'"UTF-8"', b"us-ascii"))
    top = {"signed": b'signed; micalg=pgp-sha256;\n\tprotocol="application/pgp-signature"',
           "html": b"alternative"}.get(kind, b"mixed")  # fmt: skip
    letter.headers += [b"MIME-Version: 1.0", b'Content-Type: multipart/%s;\n boundary="=_0"' % top]
    preamble = chance.choice((b"", b"This is a multi-part message in MIME format.\n", b"\n"))

    def part(kind: bytes, text: bytes, way: bytes = b"", more: bytes = b"") -> bytes:
        code = b"\nContent-Transfer-Encoding: " + way if way else b""
        return b"Content-Type: " + kind + code + more + b"\n\n" + _coded(way, text)

    def several(mark: bytes, *pieces: bytes) -> bytes:
        return b"".join(b"--%s\n%s\n" % (mark, one) for one in pieces) + b"--%s--\n" % mark

    def encode(body: bytes) -> bytes:
        head, rule, rest = body.partition(b"\n---\n")
        text, diff = (head + b"\n", rule[1:] + rest) if rule else (body, b"")
        if kind in ("attached", "html attached") and chance_of_all:
            text, diff = b"Please see attached.\n", body  # the patch's text is there as well
        whole, tail = part(plain, body, way), part(b"text/plain; charset=us-ascii", _FOOTER)
        name = b'application/pgp-signature; name="signature.asc"'
        signature = part(
            name, b"-----BEGIN PGP SIGNATURE-----\n\niQ=\n-----END PGP SIGNATURE-----\n"
        )
        html = part(b"text/html; charset=utf-8", b"<p>A reason.</p>\n")
        sign = b'multipart/signed; boundary="=_1"'
        both = part(b'multipart/alternative; boundary="=_1"',
                    several(b"=_1", part(plain, text), html))  # fmt: skip
        pieces = {
            "attached": (part(plain, text), part(patch, diff, way, names)),
            "signed": (whole, signature),
            "footer": (whole, tail), "html": (whole, html), "one": (whole,),
            "both": (part(plain, text), part(patch, diff, way, names), tail),
            "signed footer": (part(sign, several(b"=_1", whole, signature)), tail),
            "html attached": (both, part(patch, diff, way, names)),
        }[kind]  # fmt: skip
        return preamble + several(b"=_0", *pieces)

    chance_of_all = chance.random() < 0.3
    letter.encode = encode


def network(chance: random.Random, letter: Letter) -> None:
    letter.whole = lambda data: data.replace(b"\n", b"\r\n")


def asis(chance: random.Random, letter: Letter) -> None:
    pass


_WAYS: tuple[Callable[[random.Random, Letter], None], ...] = (
    asis, asis, asis, plainly, plainly, plainly, coded, parts, parts, network,
)  # fmt: skip


def make_posted(seed: int, number: int) -> tuple[bytes, list[str]]:
    """Mail ``number`` of ``seed``, and how it was sent."""
    chance = random.Random(f"posted/{seed}/{number}")
    names = chance.sample(_NAMES, chance.choice((1, 1, 1, 2, 3)))
    letter = Letter(b"".join(posted_diff(chance, name) for name in names))
    letter.first = chance.choice(FIRSTS)
    letter.headers = headers(chance)
    letter.text = chance.choice(TOPS) + chance.choice(TEXTS)
    letter.note = chance.choice(NOTES)
    letter.tail = chance.choice(TAILS)
    way = chance.choice(_WAYS)
    way(chance, letter)
    return letter.bytes(), ["posted", way.__name__]
