# SPDX-License-Identifier: GPL-2.0-only
"""Diffs that say one thing to a reader and another to git, and mails beside git am."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from patchgen.cli import main
from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import plain_git
from tests.series.side_by_side import contents, run

HEAD = b"""From: A B <a@example.org>
Date: Tue, 14 Nov 2023 22:13:20 +0000
Subject: [PATCH] x: y

message
---

"""
NEW = b"@@ -0,0 +1 @@\n+int replaced;\n"
EDIT = b"@@ -1,2 +1,2 @@\n-int first(void)\n+int second(void)\n {\n"
TWO_NAMES = b"--- a/x.c\n+++ b/mm/a.c\n"
# Name, diff, why ours refuses it, and whether git am (2.39) takes it.
SMUGGLED = {
    "another file's name above": (TWO_NAMES + NEW, "--- names 'x.c'", False),
    "the same, as a change": (TWO_NAMES + EDIT, "--- names 'x.c'", True),
    "more behind a quoted path": (b'--- "a/mm" x\n+++ "b/mm" x\n' + NEW, "more behind it", False),
    "nothing on both sides": (b"--- /dev/null\n+++ /dev/null\n" + NEW, "on both sides", True),
    "nothing on both sides, git": (
        b"diff --git a/dev/null b/dev/null\n--- /dev/null\n+++ /dev/null\n" + NEW,
        "name other files than diff --git", False,
    ),
    "nothing in quotes": (b'--- "/dev/null"\n+++ b/mm/a.c\n' + EDIT, "without the a/", True),
    "a level less": (b"--- x.c\n+++ x.c\n" + NEW + TWO_NAMES[:10] + b"+++ b/x.c\n" + NEW,
                     "without the a/ or b/", True),
    "another rename than the first line says": (
        b"diff --git a/mm/b.c b/mm/c.c\nrename from mm/a.c\nrename to mm/evil.c\n",
        "diff --git names other files", True,
    ),
    "rename from alone": (b"diff --git a/mm/a.c b/mm/a.c\nrename from mm/b.c\n", "alone", False),
    "git's older words": (
        b"diff --git a/mm/a.c b/mm/a.c\nrename old mm/a.c\nrename new mm/e.c\n", "git would", True
    ),
    "a link's target, as text": (
        b"--- a/link\n+++ b/link\n@@ -1 +1 @@\n-mm/a.c\n\\ No newline at end of file\n"
        b"+/etc/passwd\n\\ No newline at end of file\n",
        "no regular file (120000)", True,
    ),
    "two blanks in the note": (
        b"---  a/mm/b.c\n+++  b/mm/b.c\n" + EDIT + b"\n text\n--- a/mm/a.c\n+++ b/mm/a.c\n" + EDIT,
        "a diff behind text", True,
    ),
    "a line that the hunk does not count": (
        b"--- a/mm/a.c\n+++ b/mm/a.c\n" + EDIT + b"+int evil;\n", "longer than it says", True
    ),
    "the same behind an empty line": (
        b"--- a/mm/a.c\n+++ b/mm/a.c\n" + EDIT + b"\n+int evil;\n", "belongs to no hunk", True
    ),
    "a second diff behind prose": (
        b"--- a/mm/a.c\n+++ b/mm/a.c\n" + EDIT + b"prose\n--- a/mm/b.c\n+++ b/mm/b.c\n" + EDIT,
        "a diff behind text", True,
    ),
}  # fmt: skip


@pytest.fixture
def linked(tree: Path) -> Path:
    (tree / "link").symlink_to("mm/a.c")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "link")
    return tree


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "C O Mitter")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "committer@example.org")


def status(arguments: list[str]) -> int | str | None:
    """The command line's exit status."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return caught.value.code


@pytest.mark.parametrize("name", SMUGGLED)
def test_refused_and_nothing_touched(linked: Path, tmp_path: Path, name: str) -> None:
    diff, reason, git = SMUGGLED[name]
    mail = tmp_path / "x.patch"
    mail.write_bytes(HEAD + diff + b"-- \n2.39\n")
    before = contents(linked)
    with pytest.raises(UserError) as caught:
        apply_series(linked, read_series(mail))
    assert reason in str(caught.value)
    with pytest.raises(UserError):
        am(linked, read_series(mail), None)
    asked = ["am", str(mail), "--tree", str(linked), "--branch", "new"]
    assert status(asked) == 2 and contents(linked) == before
    plain_git(linked, "am", str(mail), status=None)
    took = plain_git(linked, "log", "-1", "--format=%s") == "x: y"
    assert took == git


def test_an_epoch_time_makes_it_a_new_file(linked: Path, tmp_path: Path) -> None:
    """Which git says by the time alone; the tree has the file."""
    times = (
        b"--- a/mm/a.c 1970-01-01 00:00:00 +0000\n",
        b"--- a/mm/a.c\t1970-01-01 00:00:00 +0000\n",
    )
    for line in times:
        mail = tmp_path / "x.patch"
        mail.write_bytes(HEAD + line + b"+++ b/mm/a.c\t2020-01-01 00:00:00 +0000\n" + NEW)
        before = contents(linked)
        series = read_series(mail)
        assert not apply_series(linked, series).ok
        with pytest.raises(CheckFailed, match="does not apply"):
            am(linked, series, None)
        assert contents(linked) == before
        plain_git(linked, "am", str(mail), status=128)
        plain_git(linked, "am", "--abort")


def test_the_report_lists_every_path(
    mini: Path, tmp_path: Path, patchgen: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """As plain strings, and both of a rename and of a copy."""
    diff = b"diff --git a/Kconfig b/Konfig\nsimilarity index 100%\nrename from Kconfig\n"
    diff += b"rename to Konfig\ndiff --git a/Makefile b/n\xc3\xa9w\nsimilarity index 100%\n"
    diff = diff.replace(b"b/n\xc3\xa9w", b'"b/n\\303\\251\\377w"')
    diff += b'copy from Makefile\ncopy to "n\\303\\251\\377w"\n'
    (tmp_path / "x.patch").write_bytes(HEAD + diff)
    mail = tmp_path / "x.patch"
    done = patchgen("verify", mail, "--tree", mini, "--json", "--no-proof")
    paths = msgspec.json.decode(done.stdout)["patches"][0]["paths"]
    assert paths == ["Kconfig", "Konfig", "Makefile", "n\u00e9\\xffw"]


def test_odd_mails_beside_git_am(tmp_path: Path) -> None:
    """`make fuzz-mails` tries more of them."""
    count = run(1, range(60), tmp_path)
    assert not [line for line in count if line.startswith("fault: ")]
    assert count["git am takes, ours takes"] > 9 and count["git am refuses, ours refuses"] > 9
