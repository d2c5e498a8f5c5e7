# SPDX-License-Identifier: GPL-2.0-only
"""Bytes damaged at random: as files are by disks, editors and people who mean harm."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

#: What breaks decoders, terminals, patterns and numbers.
ODD = (
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b[2J\x1b]0;x\x07", b"\r", b"\r\n",
    b"\n", b"\\\n", b"\f", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8", b"%s%n", b"${HOME}", b"$(B)",
    b"../../../../etc/passwd", b"/dev/zero", b"-1", b"0", b"99999999999999999999999", b"1e999",
    b"4294967296", b"\"", b"'", b"`id`", b"{" * 200, b"(" * 500, b"[" * 3000, b"A" * 100_000,
    b" " * 20_000, b"\t" * 5_000, b"/*", b"*/", b"//", b"#", b"<<<<<<< a\n", b"\xef\xbb\xbf",
)  # fmt: skip
Change = Callable[[random.Random, bytes], bytes]


def flip(chance: random.Random, data: bytes) -> bytes:
    found = bytearray(data or b"x")
    for _ in range(chance.choice((1, 1, 3, 20))):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def without(chance: random.Random, data: bytes) -> bytes:
    start, length = chance.randrange(len(data) + 1), chance.choice((1, 10, 100, 1000))
    return data[:start] + data[start + length :]


def twice(chance: random.Random, data: bytes) -> bytes:
    start, length = chance.randrange(len(data) + 1), chance.choice((1, 10, 100, 1000))
    return data[: start + length] + data[start:]


def insert(chance: random.Random, data: bytes) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.choice(ODD) + data[start:]


def lines(chance: random.Random, data: bytes) -> bytes:
    """Lines dropped, doubled, exchanged."""
    found = data.split(b"\n")
    for _ in range(chance.choice((1, 2, 5))):
        one, other = chance.randrange(len(found)), chance.randrange(len(found))
        found[one] = chance.choice((found[other], b"", found[one] * 2, found[one][::-1]))
    return b"\n".join(found)


def words(chance: random.Random, data: bytes) -> bytes:
    """Words and signs dropped, doubled, exchanged: what a parser sees is nearly right."""
    found = re.findall(rb"\w+|\s+|.", data, re.S)
    if not found:
        return data
    for _ in range(chance.choice((1, 1, 2, 8))):
        one, other = chance.randrange(len(found)), chance.randrange(len(found))
        found[one] = chance.choice(
            (found[other], b"", found[one] * 2, b"(", b")", b"{", b"}", b";")
        )
    return b"".join(found)


def nothing(chance: random.Random, data: bytes) -> bytes:
    return b""


def noise(chance: random.Random, data: bytes) -> bytes:
    return chance.randbytes(chance.choice((1, 16, 4096)))


CHANGES: tuple[Change, ...] = (
    flip, cut, without, twice, insert, insert, lines, words, words, words, nothing, noise,
)  # fmt: skip


def damaged(chance: random.Random, data: bytes) -> bytes:
    """``data`` with one to three damages."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        data = chance.choice(CHANGES)(chance, data)
    return data


def nearly(chance: random.Random, data: bytes) -> bytes:
    """``data`` with one small damage: most of it is read before that is seen."""
    return chance.choice((words, words, lines, flip))(chance, data)


def odd_json(chance: random.Random, data: bytes) -> bytes:
    """JSON with values of other types and sizes in it; as :func:`damaged` where it is none."""
    try:
        value = json.loads(data)
    except ValueError:
        return damaged(chance, data)
    return json.dumps(_odd_value(chance, value, 0)).encode()


def _odd_value(chance: random.Random, value: object, depth: int) -> object:
    if chance.random() < (0.02, 0.1, 0.15, 0.2)[min(depth, 3)]:
        odd = (
            None,
            -1,
            1e308,
            10**400,
            "",
            "\x1b[2J",
            "\ud800",
            [],
            {},
            [[]],
            {"": 0},
            True,
            "a\nb",
        )
        return chance.choice(odd)
    if isinstance(value, dict):
        return {key: _odd_value(chance, one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [_odd_value(chance, one, depth + 1) for one in value] * chance.choice((1, 1, 2))
    return value
