# SPDX-License-Identifier: GPL-2.0-only
"""Mails whose size is no trouble, and whose shape must not make it one."""

import contextlib
import time

import pytest

from patchgen.model.outcome import UserError
from patchgen.series.read.body import read_patch
from patchgen.series.read.mail import decode
from patchgen.series.read.sources import split_mbox

HEAD = b"From: A <a@b.c>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nSubject: [PATCH] x\n"
QUOTED = HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n"
MANY = 300_000

MAILS = {
    "a time and digits": b"From 1:11 " + b"1" * MANY,
    "times": b"From " + b"1:11" * (MANY // 4),
    "times and blanks": b"From " + b"1:11 " * (MANY // 5) + b"\n" + HEAD,
    "years": b"From 1:11" + b" 111" * (MANY // 4) + b"\n" + HEAD,
    "many short ones": b"From 1:11 1111\n" * (MANY // 15),
    "lines that are nearly ones": HEAD + b"\n" + b"\nFrom 1:11 111\n" * (MANY // 15),
    "blanks": QUOTED + b" " * MANY + b"\n",
    "blanks at the end": QUOTED + b" " * MANY,
    "blanks before ends": QUOTED + (b" " * 1000 + b"=\n") * (MANY // 1000),
    "escapes": QUOTED + b"=20" * (MANY // 3),
    "odd escapes": QUOTED + b"=" * MANY,
    "tabs in a header": b"Subject:" + b"\t" * MANY + b"\n" + HEAD,
    "blank folded lines": b"Subject: x\n" + b" \n" * (MANY // 2) + HEAD,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * (MANY // 14) + b"\n" + HEAD,
    "open encoded words": b"Subject: " + b"=?" * (MANY // 2) + b"\n" + HEAD,
    "rules": HEAD + b"\n" + b"---" + b" " * MANY + b"x\n",
    "many rules": HEAD + b"\n" + b"---\n" * (MANY // 4),
    "brackets": b"Subject: " + b"[" * MANY + b"\n" + HEAD,
    "addresses": b"From: " + b"<" * MANY + b"\n" + HEAD,
    "quotes": b'From: "' + b'\\"' * (MANY // 2) + b"\n" + HEAD,
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_takes_time_like_its_size(name):
    began = time.process_time()
    with contextlib.suppress(UserError):
        for raw in split_mbox(MAILS[name], "mail"):
            with contextlib.suppress(UserError):
                read_patch(decode(raw), 1)
    assert time.process_time() - began < 5
