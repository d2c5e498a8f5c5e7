# SPDX-License-Identifier: GPL-2.0-only
"""Damaged mails: a clear refusal or a whole series, and the tree is never touched."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchgen.model.outcome import UserError
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import series_files
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, committed, plain_git

COVER = Cover("Re-enable it", (Section("", "Text."),))
MANY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[bytes]]]:
    root = tmp_path_factory.mktemp("corrupt") / "linux"
    (root / "mm").mkdir(parents=True)
    for name in ("a.c", "b.c"):
        (root / "mm" / name).write_bytes(OLD)
    plain_git(root, "init", "-q")
    plain_git(root, "add", ".")
    plain_git(root, "commit", "-qm", "base")
    mails = list(series_files(committed(root, 2), COVER, MailOptions()).files.values())
    before = _digest(root)
    yield root, mails
    assert _digest(root) == before


def _digest(root: Path) -> str:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return hashlib.sha256(b"".join(bytes(p) + p.read_bytes() for p in files)).hexdigest()


def survives(root: Path, data: bytes) -> str:
    """What became of the data; anything but a refusal or a whole series raises."""
    try:
        series = read_series("-", stdin=io.BytesIO(data))
        result = apply_series(root, series)
    except UserError as error:
        assert "\n" not in str(error) and str(error).isprintable(), str(error)
        return "refused"
    numbers = [patch.number for patch in series.patches]
    assert series.partial or numbers == list(range(1, series.total + 1))
    if not result.ok:
        # All or nothing: what failed gives no files.
        failed = [patch for patch in result.patches if not patch.ok]
        assert failed[0].misfits and not any(patch.files for patch in failed)
        return "misfit"
    for patch in result.patches:
        assert set(patch.files) <= set(patch.patch.paths)
    return "applied"


@MANY
@given(seed=st.integers(0, 2**32))
def test_random_bytes(checkout: tuple[Path, list[bytes]], seed: int) -> None:
    root, mails = checkout
    chance = random.Random(seed)
    data = bytearray(b"".join(mails))
    for _ in range(chance.choice((1, 1, 2, 5, 30))):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 9)))
        elif kind == 2:
            del data[at : at + chance.randint(1, 200)]
        else:
            data[at] ^= 1 << chance.randrange(8)
    survives(root, bytes(data))


def _swap(lines: list[bytes], chance: random.Random) -> None:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _drop(lines: list[bytes], chance: random.Random) -> None:
    del lines[chance.randrange(len(lines))]


def _repeat(lines: list[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    lines[at:at] = lines[at : at + chance.randint(1, 20)]


def _truncate(lines: list[bytes], chance: random.Random) -> None:
    del lines[chance.randrange(1, len(lines)) :]


def _insert(lines: list[bytes], chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines)), chance.choice(_LINES))


def _numbers(lines: list[bytes], chance: random.Random) -> None:
    hunks = [number for number, line in enumerate(lines) if line.startswith(b"@@")]
    at = chance.choice(hunks or [0])
    lines[at] = b"@@ -%d,%d +%d,%d @@" % tuple(chance.randrange(0, 30) for _ in range(4))


def _rename(lines: list[bytes], chance: random.Random) -> None:
    named = [n for n, line in enumerate(lines) if b"mm/" in line]
    at = chance.choice(named or [0])
    lines[at] = lines[at].replace(b"mm/", chance.choice((b"../", b"/", b"", b".git/", b"b/mm/")))


_LINES = (
    b"diff --git a/mm/a.c b/mm/a.c",
    b"--- a/mm/a.c",
    b"+++ b/mm/../../x",
    b"---",
    b"-- ",
    b"@@ -1 +1 @@",
    b"@@ -0,0 +1,999999999 @@",
    b"rename from mm/a.c",
    b"rename to /etc/x",
    b"new file mode 120000",
    b"deleted file mode 100644",
    b"index 000000000000..111111111111 160000",
    b"GIT binary patch",
    b"literal 10",
    b"From x Mon Sep 17 00:00:00 2001",
    b"Subject: [PATCH 1/2] twice",
    b"Subject: [PATCH v9 1/9] other",
    b"Content-Type: multipart/mixed; boundary=x",
    b"Content-Type: text/plain; charset=no-such-charset",
    b"Content-Type: text/plain; charset=utf-16",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Date: yesterday",
    b"Date: Mon, 1 Jan 99999 00:00:00 +0000",
    b"From: =?utf-8?q?=FF=FE?= <>",
    b"From: a <b@c> <d@e>",
    b"Subject: =?utf-8?b?////?=",
    b"\\ No newline at end of file",
    b"\xff\xfe\x00",
    "\u202e".encode(),
)
_CHANGES: tuple[Callable[[list[bytes], random.Random], None], ...] = (
    _swap, _drop, _repeat, _truncate, _insert, _insert, _insert, _numbers, _rename,
)  # fmt: skip


@MANY
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4), mail=st.integers(0, 3))
def test_structured(checkout: tuple[Path, list[bytes]], seed: int, count: int, mail: int) -> None:
    root, mails = checkout
    chance = random.Random(seed)
    parts = [part.split(b"\n") for part in mails]
    for _ in range(count):
        # One of the three mails, or all of them as one.
        lines = parts[mail % len(parts)] if mail < 3 else chance.choice(parts)
        chance.choice(_CHANGES)(lines, chance)
        if not lines:
            lines.append(b"")
    survives(root, b"".join(b"\n".join(lines) for lines in parts))


def test_whole_series_survives(checkout: tuple[Path, list[bytes]]) -> None:
    root, mails = checkout
    assert survives(root, b"".join(mails)) == "applied"
