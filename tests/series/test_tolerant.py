# SPDX-License-Identifier: GPL-2.0-only
"""What git am takes and a strict reader might not; what it does not take and verify reads."""

from __future__ import annotations

import base64
import itertools
import time
from pathlib import Path

import pytest

from patchgen.commits.patchset import Series
from patchgen.model.outcome import UserError
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, plain_git

DIFF = """diff --git a/mm/a.c b/mm/a.c
--- a/mm/a.c
+++ b/mm/a.c
@@ -1,3 +1,3 @@
-int first(void)
+int second(void)
 {
 \tint v0;
"""
HEAD = """From: A B <a@example.org>
Date: Tue, 14 Nov 2023 22:13:20 +0000
Subject: [PATCH] x: y

message

Signed-off-by: A B <a@example.org>
---
"""
NEW = OLD.replace(b"first", b"second")


def mail(*, head: str = HEAD, tail: str = "-- \n2.39.5\n", diff: str = DIFF) -> str:
    return head + diff + tail


def multipart(kind: str = "mixed", patch: str = "text/x-patch", encoding: str = "8bit") -> str:
    head, _, text = HEAD.partition("\n\n")
    return (
        f'{head}\nMIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="=_x"\n\n'
        "This is a message in MIME format.\n--=_x\nContent-Type: text/plain; charset=utf-8\n\n"
        f"{text}--=_x\nContent-Type: {patch}; name=x.patch\nContent-Transfer-Encoding: {encoding}\n"
        f"Content-Disposition: attachment; filename=x.patch\n\n{DIFF}--=_x--\n"
    )


def headed(name: str, value: str) -> str:
    """The mail with another header, or without it."""
    lines = [line for line in mail().split("\n") if not line.startswith(f"{name}: ")]
    return "\n".join([f"{name}: {value}"] * bool(value) + lines)


TAKEN = {
    "a base commit": mail(tail=f"\nbase-commit: {'1' * 40}\n-- \n2.39.5\n"),
    "a base commit and what it needs": mail(
        tail=f"base-commit: {'1' * 40}\nprerequisite-patch-id: {'2' * 40}\n-- \n2.39.5\n"
    ),
    "mailman": mail(tail=f"{'_' * 47}\nlinux-x mailing list\nlinux-x@lists.example.org\n"),
    "mailman behind the signature": mail(tail=f"-- \n2.39.5\n\n\n{'_' * 47}\nx mailing list\n"),
    "googlegroups": mail(tail="-- \nYou received this message because you are subscribed.\n"),
    "b4's base commit": mail(tail=f"\n---\nbase-commit: {'1' * 40}\n\nBest regards,\n-- \nA B\n"),
    "the same where nothing ends the message": mail(
        head=HEAD.replace("---\n", "\n"), tail=f"\n---\nbase-commit: {'1' * 40}\n"
    ),
    "rules behind the hunk": mail(tail="---\n2.39.5\n--- \n"),
    "two Message-IDs": "Message-ID: <1@x>\nMessage-Id: <2@x>\n" + mail(),
    "a From line without a time": "From nobody\n" + mail(),
    "empty lines above": "\n \n" + mail(),
    "a rule between diffs": mail(diff=DIFF + "====\n"),
    "a changelog": mail(tail="\nChanges in v2:\n - one\n - two\n\nv1: https://example.org\n"),
    "a date of ISO": headed("Date", "2023-11-14 22:13:20 +0100"),
    "a date of ISO, T and Z": headed("Date", "2023-11-14T22:13:20Z"),
    "a date of git": headed("Date", "Tue Nov 14 22:13:20 2023 +0200"),
    "seconds": headed("Date", "1700000000 -0330"),
    "an unknown zone": headed("Date", "Tue, 14 Nov 2023 22:13:20 -0000"),
    "no date": headed("Date", ""),
    "times behind blanks": mail(
        diff=DIFF.split("\n", 1)[1].replace("a.c\n", "a.c 2023-11-14 22:13:20.5 +0100\n")
    ),
    "12 of 11": headed("Subject", "[PATCH 1/0] x: y"),
    "text and patch": multipart(),
    "network line ends": mail().replace("\n", "\r\n"),
    "a text in latin-1 and a patch in UTF-8": multipart()
    .replace("plain; charset=utf-8", "plain; charset=iso-8859-1")
    .replace("text/x-patch;", "text/x-patch; charset=utf-8;")
    .replace("message", "caf\udce9 message"),
    "text and text": multipart(patch="text/plain"),
    "no subject but in the text": headed("Subject", "").replace(
        "message", "Subject: x: y\n\nmessage"
    ),
    "no author but in the text": headed("From", "").replace(
        "message", "From: A B <a@example.org>\n\nmessage"
    ),
    "latin-1 without a charset": mail(head=HEAD.replace("message", "caf\udce9 message")),
    "a form feed": mail(head=HEAD.replace("message", "message\n\f\nend\f")),
    "blanks at the ends": mail(head=HEAD.replace("message", "a \t\n\n\n\nb")),
}


def write(tmp_path: Path, text: str, name: str = "x.patch") -> Path:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode(errors="surrogateescape"))
    return file


def test_network_line_ends_are_taken_off_once(tree: Path, tmp_path: Path) -> None:
    """A file of the tree that has them itself keeps its own."""
    (tree / "mm/a.c").write_bytes(OLD.replace(b"\n", b"\r\n"))
    plain_git(tree, "commit", "-qam", "x")
    head, _, hunk = DIFF.partition("@@ ")
    crlf = (
        head
        + "@@ "
        + hunk.partition("\n")[0]
        + "\n"
        + hunk.partition("\n")[2].replace("\n", "\r\n")
    )
    file = write(tmp_path, mail(diff=crlf).replace("\n", "\r\n"))
    applied = apply_series(tree, read_series(file))
    plain_git(tree, "am", "-q", str(file))
    assert plain_git(tree, "rev-parse", "HEAD^{tree}") == applied.patches[0].tree


def recorded(series: Series) -> str:
    patch = series.patches[0]
    return f"{patch.author}|{patch.date} {patch.zone}|{patch.message}"


@pytest.mark.parametrize("name", TAKEN)
def test_as_git_am_takes_it(tree: Path, tmp_path: Path, name: str) -> None:
    file = write(tmp_path, TAKEN[name])
    series = read_series(file)
    applied = apply_series(tree, series)
    plain_git(tree, "am", "-q", str(file))
    assert plain_git(tree, "rev-parse", "HEAD^{tree}") == applied.patches[0].tree
    git = plain_git(tree, "log", "-1", "--format=%an <%ae>|%ad|%B", "--date=raw")
    if name == "no date":
        assert abs(series.patches[0].date - time.time()) < 60
        git = "|".join([git.split("|")[0], recorded(series).split("|")[1], git.split("|")[2]])
    assert recorded(series) == git.strip("\n")


DEP3 = """Description: x: say second
 A longer reason.
 .
 And one more.
Author: A B <a@example.org>
Origin: upstream, https://example.org
Last-Update: 2023-11-14
"""
BARE = {
    "a diff": (DIFF, "x", "author, no subject"),
    "traditional": (DIFF.split("\n", 1)[1], "x", "author, no subject"),
    "svn": (f"Index: mm/a.c\n{'=' * 67}\n{DIFF.split(chr(10), 1)[1]}", "x", "no author"),
    "quilt": (f"x: say second\n\nFor a reason.\n---\n mm/a.c | 2 +-\n\n{DIFF}", "x: say second",
              "no author"),
    "DEP-3": (DEP3 + DIFF, "x: say second", "headers of a mail"),
    "DEP-3 with a rule": (DEP3 + "\nMore text.\n---\n" + DIFF, "x: say second", "headers"),
    "DEP-3, network line ends": ((DEP3 + "\n").replace("\n", "\r\n") + DIFF, "x: say second",
                                 "headers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BARE)
def test_what_is_no_mail(tree: Path, tmp_path: Path, name: str) -> None:
    text, subject, lacks = BARE[name]
    file = write(tmp_path, text)
    series = read_series(file)
    patch = series.patches[0]
    assert patch.subject == subject and lacks in patch.lacks
    assert series.caveats == (f"{file}: no {patch.lacks}: am refuses it",)
    assert apply_series(tree, series).patches[0].files == {"mm/a.c": NEW}
    if name.startswith("DEP-3"):
        assert (patch.author.name, patch.date) == ("A B", 1699920000)
        assert "A longer reason.\n\nAnd one more." in patch.message
        assert ("More text." in patch.message) == ("rule" in name)
    with pytest.raises(UserError, match="and makes no commit"):
        am(tree, series, None)
    plain_git(tree, "am", str(file), status=128)


def steps() -> list[str]:
    """Three diffs, each on the one before."""
    names = ["first", "second", "third", "fourth"]
    return [
        DIFF.replace("first", old).replace("second", new, 1 if old == "first" else -1)
        if old != "second"
        else DIFF.replace("second", "third").replace("first", "second")
        for old, new in itertools.pairwise(names)
    ]


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """quilt's folder: the order is that of its series file, not that of the names."""
    first, second, third = steps()
    write(tmp_path, f"one\n---\n{first}", "patches/z-first.patch")
    write(tmp_path, headed("Subject", "[PATCH v3 7/9] x: two").replace(DIFF, second),
          "patches/a-second.diff")  # fmt: skip
    write(tmp_path, third, "patches/third")
    write(tmp_path, "nonsense", "patches/left-out.patch")
    write(tmp_path, "# ours\nz-first.patch\n\na-second.diff -p1 # why\nthird\n", "patches/series")
    return tmp_path / "patches"


def test_quilt(tree: Path, queue: Path) -> None:
    series = read_series(queue)
    assert [patch.subject for patch in series.patches] == ["one", "x: two", "third"]
    assert apply_series(tree, series).contents(3)["mm/a.c"] == OLD.replace(b"first", b"fourth")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("../x.patch", "leaves the folder"),
        ("/etc/passwd", "leaves the folder"),
        ("third -p0", "only -p1 is read"),
        ("gone.patch", "cannot be read"),
        ("# nothing", "names no patch"),
    ],
)
def test_odd_lines_of_a_series_file(queue: Path, line: str, reason: str) -> None:
    (queue / "series").write_text(f"{line}\n")
    with pytest.raises(UserError, match=reason) as caught:
        read_series(queue)
    assert str(queue) in str(caught.value)


def numbered(tmp_path: Path, number: int, total: int = 4) -> Path:
    text = headed("Subject", f"[PATCH {number}/{total}] x: step {number}")
    return write(tmp_path, text.replace(DIFF, steps()[number - 1]), f"{number}.patch")


def test_slices_of_a_series(tree: Path, tmp_path: Path) -> None:
    first, second, third = (numbered(tmp_path, number) for number in (1, 2, 3))
    series = read_series([second, first])
    assert series.partial and [patch.number for patch in series.patches] == [1, 2]
    assert series.caveats == ("patches 1 to 2 of 4 alone: put on the tree as it is",)
    assert apply_series(tree, series).ok
    with pytest.raises(UserError, match="not all of the series"):
        am(tree, series, None)
    assert read_series(third).caveats == ("patch 3 of 4 alone: put on the tree as it is",)
    with pytest.raises(UserError, match=r"not whole: 2, 4 of 4 missing"):
        read_series([first, third])
    folder = tmp_path / "folder"
    folder.mkdir()
    first.rename(folder / "1.patch")
    with pytest.raises(UserError, match="not whole"):  # nobody named what a folder holds
        read_series(folder)


def test_patches_without_numbers_in_the_order_given(tree: Path, tmp_path: Path) -> None:
    files = [
        write(tmp_path, text, f"{name}.diff") for name, text in zip("zyx", steps(), strict=True)
    ]
    assert apply_series(tree, read_series(files)).ok
    assert "in the order in which they are named" in read_series(files).notes[0]


REFUSED = {
    "two boundaries' worth of html": multipart(patch="text/html"),
    "an attachment that is no text": multipart(patch="application/octet-stream"),
    "a line like a boundary": multipart().replace("message\n\n", "message\n--=_xy\n\n"),
    "a diff above the parts": multipart().replace("This is a", DIFF + "a"),
    "a diff below the parts": multipart() + DIFF,
    "a diff for a signature": multipart("signed", "application/pgp-signature"),
    "the same, encoded": multipart("signed", "application/pgp-signature", "base64").replace(
        DIFF, base64.encodebytes(DIFF.encode()).decode()
    ),
    "one text or the other": multipart("alternative"),
    "parts within parts": multipart(patch="multipart/signed; boundary=_y"),
    "no header": headed("Subject", "x").replace("Date: ", "no header\nDate: "),
    "a date that is none": headed("Date", "yesterday or so"),
    "a date before all": headed("Date", "Fri, 1 Jan 1960 00:00:00 +0000"),
    "no author": headed("From", ""),
    "no subject": headed("Subject", ""),
    "no diff": mail(diff=""),
    "two dates": "Date: Tue, 14 Nov 2023 22:13:20 +0000\n" + mail(),
    "an odd charset": headed("Content-Type", "text/plain; charset=a/b"),
    "an odd encoding": headed("Content-Transfer-Encoding", "rot13"),
    "a hunk cut short": mail(diff=DIFF[:-10], tail=""),
    "a changed line behind it": mail(tail="\n+int evil;\n"),
    "a diff behind the signature": mail(tail="-- \n" + DIFF),
    "text between": mail(diff=DIFF + "text\n" + DIFF),
    "a hunk alone in the note": mail(head=HEAD + "@@ -1 +1 @@\n"),
    "nothing at all": "",
    "prose": "some words\nand more\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_refusal_says_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        read_series(write(tmp_path, REFUSED[name]))
    assert caught.value.hint, str(caught.value)
