# SPDX-License-Identifier: GPL-2.0-only
"""Mails for `side_by_side`: sound, or odd in ways that occur or that somebody thought of."""

from __future__ import annotations

import base64
import quopri
import random
import re
from collections.abc import Callable

from tests.series.odd_diffs import make_diff

Change = Callable[[random.Random, "Letter"], None]


class Letter:
    """A mail in the making."""

    def __init__(self, diff: bytes) -> None:
        self.first = b""
        self.headers = [
            b"From: A U Thor <author@example.org>",
            b"Date: Tue, 14 Nov 2023 22:13:20 +0100",
            b"Subject: [PATCH] mm: change something",
        ]
        self.text = b"A reason.\n\nSigned-off-by: A U Thor <author@example.org>\n"
        self.note = b"---\n mm/a.c | 2 +-\n 1 file changed\n\n"
        self.diff = diff
        self.tail = b"-- \n2.39.5\n\n"
        self.encode: Callable[[bytes], bytes] = bytes
        self.whole: Callable[[bytes], bytes] = bytes

    def bytes(self) -> bytes:
        body = self.encode(self.text + self.note + self.diff + self.tail)
        return self.whole(self.first + b"\n".join(self.headers) + b"\n\n" + body)


def make_mail(seed: int, number: int) -> tuple[bytes, list[str]]:
    """Mail ``number`` of ``seed``, and the names of what is odd about it."""
    chance = random.Random(f"{seed}/{number}")
    diff, odd = make_diff(chance)
    letter = Letter(diff)
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        change = chance.choice(CHANGES)
        change(chance, letter)
        odd.append(change.__name__)
    return letter.bytes(), odd


def drop_header(chance: random.Random, letter: Letter) -> None:
    if letter.headers:  # drop_headers may have been there before
        del letter.headers[chance.randrange(len(letter.headers))]


def drop_headers(chance: random.Random, letter: Letter) -> None:
    """What is left may be a diff with some text above it, or a distribution's patch."""
    letter.headers = chance.choice(
        ([], [b"some text"], [b"Description: x", b" y"], [b"Author: A <a@b.c>", b"Description: x"],
         [b"Subject: x"], [b"From: A <a@b.c>"], [b"From: A <a@b.c>", b"Last-Update: 2020-01-01"])
    )  # fmt: skip


def double_header(chance: random.Random, letter: Letter) -> None:
    other = chance.choice(
        (b"From: B <b@example.org>", b"Subject: [PATCH] other", b"Date: Wed, 15 Nov 2023 1:2:3 +0")
    )
    letter.headers.insert(chance.randrange(len(letter.headers) + 1), other)


def more_headers(chance: random.Random, letter: Letter) -> None:
    letter.headers.insert(
        chance.randrange(len(letter.headers) + 1),
        chance.choice(
            (
                b"To: x@example.org,\n y@example.org",
                b"Content-Type: text/plain; charset=ISO-8859-1",
                b"Content-Type: text/plain; charset=no-such",
                b"Content-Type: text/html",
                b"Content-Type: text/plain; format=flowed",
                b"Content-Type: text/plain",
                b"X: diff --git a/mm/b.c b/mm/b.c",
                b"no header at all",
                b" folded: too early",
                b"Content-Transfer-Encoding: x-unknown",
                b"MIME-Version: 1.0",
            )
        ),
    )


def odd_date(chance: random.Random, letter: Letter) -> None:
    dates = (
        b"2023-11-14 22:13:20 +0100", b"2023-11-14T22:13:20Z", b"1700000000 +0000", b"yesterday",
        b"Tue, 14 Nov 2023 22:13:20 CET", b"Tue Nov 14 22:13:20 2023", b"14 Nov 23 22:13 +0100",
        b"Tue, 14 Nov 2023 22:13:20 -0000", b"14 Nov 2023", b"", b"Fri, 1 Jan 1960 00:00:00 +0000",
        b"Tue, 14 Nov 2023 22:13:20 +0545 (NPT)", b"@1700000000 +0200", b"11/14/2023 22:13",
    )  # fmt: skip
    letter.headers = [one for one in letter.headers if not one.startswith(b"Date")]
    letter.headers.append(b"Date: " + chance.choice(dates))


def odd_author(chance: random.Random, letter: Letter) -> None:
    names = (
        "Zoë Ü <z@example.org>".encode(), "Zo\xeb <z@example.org>".encode("latin-1"),
        b"=?utf-8?q?Zo=C3=AB?= <z@example.org>", b"a@example.org (A U)", b"a@example.org",
        b'"Thor, A" <a@example.org>', b"A <>", b"<a@example.org>", b"A U Thor", b"A <a@b> <c@d>",
        b"=?idna?q?xn--a?= <a@example.org>", b"A\n U Thor <a@example.org>",
        b"A  U. <a@example.org>",
        b"a@example.org <b@example.org>", b"A \"B\" <a@example.org>", b"A (B) <a@example.org>",
    )  # fmt: skip
    letter.headers = [one for one in letter.headers if not one.startswith(b"From")]
    letter.headers.insert(0, b"From: " + chance.choice(names))


def odd_subject(chance: random.Random, letter: Letter) -> None:
    texts = (
        b"[PATCH v2 1/1] mm: x", b"[PATCH 2/2] mm: x", b"[PATCH 12/11] mm: x", b"Re: [PATCH] mm: x",
        b"mm: x", b"[PATCH]", b"", b"[RFC][PATCH net] x: [y] z", b"=?utf-8?q?x=C3=A9?=", b"x\n y",
        b"=?utf-8?q?a?= =?utf-8?q?b?=", b"caf\xe9", b"[PATCH] diff --git a/x b/x", b"[PATCH 0/1] x",
        b"=?no-such?q?a?=", b"[patch] x", b"[PATCH] x \x0c y", b"[PATCH]\tmm:\tx", b"PATCH: x",
    )  # fmt: skip
    letter.headers = [one for one in letter.headers if not one.startswith(b"Subject")]
    letter.headers.append(b"Subject: " + chance.choice(texts))


def odd_text(chance: random.Random, letter: Letter) -> None:
    texts = (
        b"caf\xe9\n", "café \uffff\n".encode(), b"a\x0cb\n\x0c\n\x0b\nend\n", b"",
        b"From: In Body <in@example.org>\n\ntext\n", b"Subject: in body\n\ntext\n",
        b"Date: 2020-01-01 00:00:00 +0000\n\ntext\n", b"text  \n\n\n\n\ttext\t\n",
        b"> diff --git a/mm/b.c b/mm/b.c\n> --- a/mm/b.c\n> +++ b/mm/b.c\n",
        b"--- see below\ntext\n",
        b"text\n-- >8 --\nother text\n", b"---\nnote\n---\nnote\n", b">From me at 12:30 2020\n",
        b"  Subject: x\n", b"text\x1b[2J\n", "\u202etext\n".encode(), b"@@ -1 +1 @@\n",
        b"text\r\nx\r\n",
        b"Index: mm/b.c\n", b"diff -u x y\n", b"[PATCH] x\n", b"text\0text\n", b"From: <>\n\nx\n",
        b"+++ x\n", b"--- \n", b"----\n", b"text\rtext\n", b"text\\n\n", b"\n\n\n",
    )  # fmt: skip
    letter.text = chance.choice(texts)


def odd_note(chance: random.Random, letter: Letter) -> None:
    notes = (
        b"", b"---\n", b"--- \t\n\n", b"---\nv2: x\n", b"---\n@@ -1 +1 @@\n", b"---\n+++ x\n",
        b"---\n---  a/mm/b.c\n+++  b/mm/b.c\n@@ -1 +1 @@\n-b0\n+evil\n", b"---\n\n---\n\n",
        b"---\ndiff --git a/mm/b.c b/mm/b.c\n", b"---\n--- a/mm/b.c\n", b"---\r\nnote\r\n",
        b"---\n--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1,2 +1,2 @@\n-b0\n+evil\n b1\n",
        b"---\n> ---\n> diff --git a/mm/b.c b/mm/b.c\n", b"---\nbase-commit: 1234567\n",
    )  # fmt: skip
    letter.note = chance.choice(notes)


def odd_tail(chance: random.Random, letter: Letter) -> None:
    tails = (
        b"", b"\n", b"--\n2.39\n", b"-- \n", b"\nbase-commit: " + b"1" * 40 + b"\n-- \n2.39.5\n",
        b"base-commit: 12345678\n", b"\nv2:\n - a change\n - another\n",
        b"_______________________________________________\nlinux-x mailing list\nlinux-x@x.org\n",
        b"-- \n2.39.5\n\n___\nlist footer\n--\nTo unsubscribe\n", b"+one more line\n",
        b" one more\n",
        b"\n+one more line\n",
        b"-- \n--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1,2 +1,2 @@\n-b0\n+evil\n b1\n",
        b"text\n@@ -1 +1 @@\n-b0\n+evil\n", b"\\ No newline at end of file\n", b"*** x\n--- y\n",
        b"text\ndiff --git a/mm/b.c b/mm/b.c\nold mode 100644\nnew mode 100755\n", b"\n\n\n\x0c\n",
        b"\nOn Monday X wrote:\n> @@ -1 +1 @@\n> -a\n", b"Changes:\n* x\n", b"-- \n2.39.5",
        b"-- \nrename from mm/b.c\nrename to x\n", b"GIT binary patch\n", b"-- \n\0\n",
    )  # fmt: skip
    letter.tail = chance.choice(tails)


def encoded(chance: random.Random, letter: Letter) -> None:
    crlf = chance.random() < 0.3

    def encode(body: bytes) -> bytes:
        if kind == b"base64":
            return base64.encodebytes(body.replace(b"\n", b"\r\n") if crlf else body)
        return quopri.encodestring(body).replace(b"\n", b"=0D\n" if crlf else b"\n")

    kind = chance.choice((b"base64", b"quoted-printable"))
    letter.headers.append(b"Content-Transfer-Encoding: " + kind)
    letter.encode = encode


def damaged_encoding(chance: random.Random, letter: Letter) -> None:
    letter.headers.append(
        b"Content-Transfer-Encoding: " + chance.choice((b"base64", b"quoted-printable"))
    )


def multipart(chance: random.Random, letter: Letter) -> None:
    kind = chance.choice((b"mixed", b"alternative", b"signed", b"related"))
    first, second = chance.choice(
        ((b"text/plain", b"text/x-patch"), (b"text/plain", b"text/html"),
         (b"text/plain", b"application/octet-stream"), (b"text/plain", b"text/plain"),
         (b"text/plain", b"application/pgp-signature"))
    )  # fmt: skip
    attach = chance.random() < 0.5
    letter.headers.append(b"Content-Type: multipart/" + kind + b'; boundary="=_x"')
    last = chance.choice(
        (b"", b"a signature\n", b"--- a/mm/b.c\n+++ b/mm/b.c\n@@ -1 +0,0 @@\n-b0\n")
    )

    def encode(body: bytes) -> bytes:
        head, rule, rest = body.partition(b"---\n")
        one, other = (head, rule + rest) if attach and rule else (body, last)
        return (
            b"--=_x\nContent-Type: " + first + b"\n\n" + one + b"\n--=_x\nContent-Type: " + second
            + b"\nContent-Disposition: attachment; filename=x.patch\n\n" + other + b"\n--=_x--\n"
        )  # fmt: skip

    letter.encode = encode


def line_ends(chance: random.Random, letter: Letter) -> None:
    some = chance.random() < 0.4
    pick = random.Random(chance.random())

    def whole(data: bytes) -> bytes:
        lines = data.split(b"\n")
        return b"\n".join(
            line + b"\r" if not some or pick.random() < 0.5 else line for line in lines
        )

    letter.whole = whole


def from_line(chance: random.Random, letter: Letter) -> None:
    letter.first = chance.choice(
        (b"From 1234 Mon Sep 17 00:00:00 2001\n", b"From nobody\n", b"\n\n", b">From x\n",
         b"From x Mon Sep 17 00:00:00 2001\r\n", b"\xef\xbb\xbf", b" \n", b"From - 1:1 2\n")
    )  # fmt: skip


def cut(chance: random.Random, letter: Letter) -> None:
    at = chance.random()
    letter.whole = lambda data: data[: int(len(data) * at)] + chance.choice((b"", b"\n"))


def scrambled(chance: random.Random, letter: Letter) -> None:
    pick = random.Random(chance.random())

    def whole(data: bytes) -> bytes:
        lines = data.split(b"\n")
        one, other = pick.randrange(len(lines)), pick.randrange(len(lines))
        kind = pick.randrange(3)
        if kind == 0:
            lines[one], lines[other] = lines[other], lines[one]
        elif kind == 1:
            lines.insert(other, lines[one])
        else:
            del lines[one]
        return b"\n".join(lines)

    letter.whole = whole


def quoted(chance: random.Random, letter: Letter) -> None:
    """The patch as the quotation of a reply, once or twice."""
    mark = chance.choice((b"> ", b">", b"> > "))
    part = chance.choice(("diff", "all"))
    if part == "all":
        letter.encode = lambda body: re.sub(rb"^", mark, body, flags=re.MULTILINE)
    else:
        letter.diff += re.sub(rb"^", mark, letter.diff, flags=re.MULTILINE)


CHANGES: tuple[Change, ...] = (
    drop_header, drop_headers, double_header, more_headers, odd_date, odd_author,
    odd_subject, odd_text, odd_text,
    odd_note, odd_note, odd_tail, odd_tail, encoded, damaged_encoding, multipart, line_ends,
    from_line,
    cut, scrambled, quoted,
)  # fmt: skip
