# SPDX-License-Identifier: GPL-2.0-only
"""Mails in the kernel's form, written whole or not at all."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from patchgen.commits.identity import Identity
from patchgen.model.outcome import UserError
from patchgen.series.write.cover import Cover, Section, VersionChanges
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.outgoing import write_folder
from patchgen.series.write.write import Extra, file_name, series_files, write_series
from tests.series.conftest import AUTHOR, committed, plain_git

COVER = Cover("Re-enable it", (Section("", "The problem is large. " * 10),), tree="Linux 5.10.1")


def parsed(data: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_git_am_makes_the_same_commits(tree: Path, tmp_path: Path) -> None:
    series = committed(tree, trailers=[f"Signed-off-by: {AUTHOR}"])
    out = tmp_path / "out"
    files = write_series(series, COVER, MailOptions(), out)
    assert sorted(path.name for path in out.iterdir()) == list(files.files)
    plain_git(tree, "am", "-q", *(str(out / name) for name in list(files.files)[1:]))
    shown = plain_git(tree, "log", "-3", "--reverse", "--format=%an <%ae>|%at|%B%x00").split("\0")
    for commit, text in zip(series.commits, shown, strict=False):
        assert text.strip() == f"{AUTHOR}|{commit.date}|{commit.message}"


def test_frame_and_threads(tree: Path) -> None:
    files = series_files(committed(tree), COVER, MailOptions(in_reply_to="old@example.org"))
    mails = [parsed(data) for data in files.files.values()]
    assert [mail["Subject"].split("]")[0] for mail in mails] == [
        f"[PATCH {number}/3" for number in range(4)
    ]
    cover = mails[0]["Message-ID"]
    assert mails[0]["In-Reply-To"] == "<old@example.org>"
    assert {mail["In-Reply-To"] for mail in mails[1:]} == {cover}
    assert len(set(files.message_ids)) == 4
    for data in files.files.values():
        assert data.startswith(b"From ") and b" Mon Sep 17 00:00:00 2001\n" in data
        assert data.split(b"\n-- \n")[1].decode().strip() in plain_git(Path("/"), "version")


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        (MailOptions(version=2), "[PATCH v2 01/12]"),
        (MailOptions(version=3, rfc=True), "[RFC PATCH v3 01/12]"),
        (MailOptions(version=2, subject_prefix="PATCH net-next"), "[PATCH net-next v2 01/12]"),
        (MailOptions(resend=True), "[PATCH RESEND 01/12]"),
    ],
)
def test_numbers_have_one_width(tree: Path, options: MailOptions, tag: str) -> None:
    files = series_files(committed(tree, 12), COVER, options)
    names = list(files.files)
    assert parsed(files.files[names[1]])["Subject"].startswith(tag)
    prefix = f"v{options.version}-" if options.version > 1 else ""
    assert names[0] == f"{prefix}0000-cover-letter.patch"
    assert names[12] == f"{prefix}0012-mm-change-number-12.patch"


def test_names_outside_ascii_survive(tree: Path, tmp_path: Path) -> None:
    author = Identity("Zoë Łukasz, Jr", "zoe@example.org")
    series = committed(tree)
    series = msgspec.structs.replace(
        series,
        commits=tuple(msgspec.structs.replace(one, author=author) for one in series.commits),
    )
    files = write_series(series, COVER, MailOptions(cc=("Ø <o@example.org>",)), tmp_path / "o")
    for data in files.files.values():
        assert data.split(b"\n\n")[0].isascii()
        assert parsed(data)["From"].addresses[0].display_name == author.name
    plain_git(tree, "am", "-q", *(str(tmp_path / "o" / name) for name in list(files.files)[1:]))
    assert plain_git(tree, "log", "-1", "--format=%an <%ae>") == str(author)


def test_author_who_does_not_send_is_named_in_the_body(tree: Path) -> None:
    sender = Identity("S Ender", "sender@example.org")
    files = series_files(committed(tree), COVER, MailOptions(sender=sender))
    mail = parsed(list(files.files.values())[1])
    assert mail["From"] == str(sender)
    assert mail.get_content().startswith(f"From: {AUTHOR}\n\nBecause of 1.\n")


def test_cover_letter_says_what_it_is_given(tree: Path) -> None:
    cover = msgspec.structs.replace(
        COVER,
        verified=("every patch parses",),
        uncovered=("huge pages",),
        limits=("x86 only",),
        benchmark="        before  after\nreal      1.0    0.5",
        changes=(VersionChanges(2, ("dropped one",), "https://example.org/v1", 1),),
        range_diff="1:  aaaa = 1:  bbbb mm: x",
    )
    text = parsed(
        series_files(committed(tree), cover, MailOptions(version=2)).files[
            "v2-0000-cover-letter.patch"
        ]
    ).get_content()
    parts = [
        "The problem is",
        "Verified:\n- every patch parses",
        "Not covered:\n- huge pages",
        "Limits:\n- x86 only",
        "real      1.0    0.5",
        "Changes in v2:\n- dropped one\nLink to v1: https://example.org/v1",
        "Range-diff:\n1:  aaaa",
        "A U Thor (3):\n  mm: change number 1\n",
        " 3 files changed",
        "base: Linux 5.10.1",
        "change-id: 20231114-re-enable-it-",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert max(len(line) for line in text.splitlines() if "change-id" not in line) <= 75


def test_no_figure_without_measurement(tree: Path) -> None:
    text = series_files(committed(tree), COVER, MailOptions()).files["0000-cover-letter.patch"]
    assert b"Benchmark" not in text and b"Signed-off-by" not in text


def test_note_stands_below_the_line(tree: Path) -> None:
    extras = [Extra(note="Changes since v1:\n- none", cc=("c@example.org",)), Extra(), Extra()]
    files = series_files(committed(tree), COVER, MailOptions(), extras=extras).files
    first, second = list(files.values())[1:3]
    assert b"Because of 1.\n---\nChanges since v1:\n- none\n\n mm/a.c | 2 +-" in first
    assert b"\nCc: c@example.org\n" in first and b"\nCc:" not in second


@pytest.mark.parametrize(
    "line",
    [
        "diff --git a/mm/b.c b/mm/b.c",
        "Index: mm/b.c",
        "---",
        "--- a/mm/b.c",
        "From nobody Mon Sep 17 00:00:00 2001",
        "-- >8 --",
        "an escape \x1b[31m",
        "bidi \u202e here",
    ],
)
def test_messages_that_git_would_misread_are_refused(tree: Path, line: str) -> None:
    series = committed(tree)
    bad = series.commits[1]
    bad = msgspec.structs.replace(bad, message=f"{bad.subject}\n\nText.\n{line}\nMore.")
    series = msgspec.structs.replace(series, commits=(series.commits[0], bad, series.commits[2]))
    with pytest.raises(UserError, match="patch 2/3, message: line 2"):
        series_files(series, COVER, MailOptions())


def test_header_injection_is_refused(tree: Path) -> None:
    for options in (MailOptions(to=("a@b.c\nBcc: x@y.z",)), MailOptions(subject_prefix="P\nX: y")):
        with pytest.raises(UserError, match="control character"):
            series_files(committed(tree), COVER, options)


def test_long_lines_and_carriage_returns_travel(tree: Path, tmp_path: Path) -> None:
    (tree / "mm/a.c").write_bytes(
        (tree / "mm/a.c").read_bytes() + b"/* " + b"x" * 1200 + b" */\n\tint crlf;\r\n"
    )
    plain_git(tree, "commit", "-qam", "odd lines")
    from patchgen.commits.build import commit_patches
    from patchgen.model.plan import Patch

    old = (tree / "mm/a.c").read_bytes()
    new = old.replace(b"crlf", b"more")
    series = commit_patches([Patch("r", "s", "s", {"mm/a.c": new})], tree, lambda _: old, AUTHOR)
    files = write_series(series, COVER, MailOptions(), tmp_path / "o")
    mail = list(files.files.values())[1]
    assert b"quoted-printable" in mail and max(map(len, mail.splitlines())) < 998
    plain_git(tree, "am", "-q", "--keep-cr", str(tmp_path / "o" / list(files.files)[1]))
    assert (tree / "mm/a.c").read_bytes() == new


def test_output_folder(tree: Path, tmp_path: Path) -> None:
    series, out = committed(tree), tmp_path / "deep/out"
    first = write_series(series, COVER, MailOptions(), out)
    with pytest.raises(UserError, match=r"earlier series.*--force"):
        write_series(series, COVER, MailOptions(), out)
    again = write_series(series, COVER, MailOptions(version=2), out, force=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(again.files)
    assert first.files != again.files
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_series(series, COVER, MailOptions(), out, force=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_unwritable_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be (read|written)") as caught:
        write_folder(tmp_path / "file/out", {"0001-a.patch": b""})
    assert "\n" not in str(caught.value)


def test_file_names_are_gits() -> None:
    assert file_name("", 1, "KVM: re-enable the change_pte() optimisation") == (
        "0001-KVM-re-enable-the-change_pte-optimisation.patch"
    )
    assert file_name("v2-", 12, "a..b/../c" + "x" * 80).startswith("v2-0012-a.b-.-cxxx")


_WRITER = """
import sys
from pathlib import Path
from patchgen.series.outgoing import write_folder
out = Path(sys.argv[1])
mail = b"X\\nX-Generated-By: patchgen 0\\n\\n" + b"y" * 5000
files = {f"{n:04}-x.patch": mail for n in range(40)}
print("go", flush=True)
while True:
    write_folder(out, files, force=True)
"""


def test_killed_writer_leaves_all_or_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for delay in range(12):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, out], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay * 0.0037)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert not out.exists() or len(list(out.iterdir())) == 40
    write_folder(out, {"0001-a.patch": b""}, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
