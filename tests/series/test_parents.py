# SPDX-License-Identifier: GPL-2.0-only
"""A slice of a series on the patches before it: named, beside its files, or nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from patchgen.model.outcome import UserError
from patchgen.pipeline.parents import read_behind
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, plain_git
from tests.series.test_tolerant import DIFF, headed, mail, steps, write

ALONE = "put on the tree as it is"


def posted(number: int, *, version: int = 1, total: int = 4, thread: str = "0@x") -> str:
    """Patch ``number`` as an archive has it: in the thread of its cover letter."""
    text = headed("Subject", f"[PATCH v{version} {number}/{total}] x: step {number}")
    text = text.replace(DIFF, steps()[number - 1])
    ids = f"Message-ID: <{version}.{number}@x>\nIn-Reply-To: <{thread}>\n" if thread else ""
    return ids + text


def cover(*, version: int = 1) -> str:
    head = headed("Subject", f"[PATCH v{version} 0/4] x: steps").split("\n\n")[0]
    return f"Message-ID: <0@x>\n{head}\n\nThe problem.\n"


def reply(text: str, kind: str = "text/plain") -> str:
    head = headed("Subject", "Re: [PATCH 1/4] x: step 1").split("\n\n")[0]
    return f"In-Reply-To: <1.1@x>\nContent-Type: {kind}\n{head}\n\n{text}\n"


def mbox(*mails: str) -> str:
    return "".join(f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{mail}\n" for mail in mails)


def behind(tree: Path, *sources: Path, after: tuple[Path, ...] = ()) -> tuple[str, int, bytes]:
    """The caveat, how many patches come first, and the file behind them all."""
    series, known = read_behind(tree, sources, after)
    applied = apply_series(tree, series)
    assert applied.ok
    done = applied.contents(len(applied.patches))["mm/a.c"]
    assert done is not None
    return (series.caveats or ("",))[0], known, done


def after_step(number: int) -> bytes:
    words = (b"first", b"second", b"third", b"fourth")
    return OLD.replace(b"first", words[number])


def test_a_folder_with_the_thread(tree: Path, tmp_path: Path) -> None:
    """The cover letter, replies, another version and another series lie there, too."""
    write(tmp_path, cover(), "t/0.eml")
    files = [write(tmp_path, posted(number), f"t/{number}.eml") for number in (1, 2, 3)]
    write(tmp_path, reply("<p>no</p>", "text/html"), "t/4.eml")
    write(tmp_path, posted(1, version=2), "t/5.eml")
    write(tmp_path, posted(1, thread="other@x"), "t/6.eml")
    write(tmp_path, "no mail", "t/7.patch")
    said, known, done = behind(tree, files[2])
    assert said == f"patch 3 of 4 alone, behind patches 1 to 2 from {tmp_path / 't'}"
    assert known == 2 and done == after_step(3)
    said, known, done = behind(tree, files[2], files[1])
    assert said == f"patches 2 to 3 of 4 alone, behind patch 1 from {tmp_path / 't'}"
    assert known == 1 and done == after_step(3)


def test_mails_without_a_thread_are_told_by_their_sender(tree: Path, tmp_path: Path) -> None:
    files = [write(tmp_path, posted(n, thread=""), f"t/{n}.patch") for n in (1, 2)]
    assert behind(tree, files[1])[1] == 1
    write(tmp_path, posted(1, thread="").replace("A B <", "C D <"), "t/1.patch")
    series, known = read_behind(tree, [files[1]], ())
    assert known == 0 and ALONE in series.caveats[0] and "--after" in series.caveats[0]


@pytest.mark.parametrize("other", ["absent", "different", "unreadable"])
def test_a_parent_that_is_not_sure_is_none(tree: Path, tmp_path: Path, other: str) -> None:
    third = write(tmp_path, posted(3), "t/3.eml")
    write(tmp_path, posted(2), "t/2.eml")
    if other == "different":
        write(tmp_path, posted(1), "t/1.eml")
        write(tmp_path, posted(1).replace("message", "another"), "t/1b.eml")
    if other == "unreadable":
        write(tmp_path, posted(1).replace("Subject", "Content-Type: text/html\nSubject"), "t/1.eml")
    series, known = read_behind(tree, [third], ())
    assert known == 0
    assert series.caveats[0] == (
        f"patch 3 of 4 alone: {ALONE}; patch 1 is not beside it"
        " (--after names patches that come first)"
    )


def test_named_in_an_mbox_of_the_thread(tree: Path, tmp_path: Path) -> None:
    thread = write(tmp_path, mbox(cover(), *(posted(n) for n in (2, 1, 3)), reply("> x")), "all")
    third = write(tmp_path, posted(3), "elsewhere/3.patch")
    assert behind(tree, third, after=(thread,)) == (
        "patch 3 of 4 alone, behind patches 1 to 2 of --after", 2, after_step(3)
    )  # fmt: skip
    first = write(tmp_path, posted(1), "one/1.patch")
    with pytest.raises(UserError, match=r"holds no patch before .*leave --after out"):
        read_behind(tree, [first], [thread])


def test_a_slice_in_one_mbox_needs_what_comes_before_it(tree: Path, tmp_path: Path) -> None:
    rest = write(tmp_path, mbox(posted(2), posted(3)), "rest.mbox")
    first = write(tmp_path, posted(1), "1.patch")
    with pytest.raises(UserError, match=r"1, 4 of 4 missing.*--after"):
        read_behind(tree, [rest], ())
    said, known, done = behind(tree, rest, after=(first,))
    assert said == "patches 2 to 3 of 4 alone, behind patch 1 of --after"
    assert known == 1 and done == after_step(3)


def test_what_else_a_thread_holds(tree: Path, tmp_path: Path) -> None:
    """Replies in any form, robots' reports and a cover letter without a number."""
    html = reply("<p>no</p>", "text/html")
    flowed = reply(f"> {DIFF}", "text/plain; format=flowed")
    robot = headed("Subject", "CI: failure").split("\n\n")[0]
    mails = [
        headed("Subject", "[PATCH] x: steps").split("\n\n")[0] + "\n\nThe problem.\n",
        *(posted(n, total=3) for n in (1, 2, 3)), html, flowed, f"{robot}\n\nSee the logs.\n",
        f"Content-Type: text/html\n{robot}\n\n<p>Logs</p>\n",
    ]  # fmt: skip
    thread = write(tmp_path, mbox(*mails), "thread.mbox")
    said, known, done = behind(tree, thread)
    assert (said, known, done) == ("", 0, after_step(3))
    hidden = f"Content-Type: text/html\n{robot}\n\n{DIFF}"
    with pytest.raises(UserError, match="not plain text"):
        read_behind(tree, [write(tmp_path, mbox(*mails, hidden), "hidden.mbox")], ())


@pytest.mark.parametrize("tag", ["PATCHv2", "PATCH -v2", "RFCv2 PATCH", "PATCH v2 RESEND"])
def test_versions_as_they_are_written(tree: Path, tmp_path: Path, tag: str) -> None:
    again = headed("Subject", f"[{tag} 1/1] x: y").replace("message", "another")
    both = write(tmp_path, mbox(headed("Subject", "[PATCH 1/1] x: y"), again), "both.mbox")
    with pytest.raises(UserError, match="mix v1 and v2"):
        read_behind(tree, [both], ())


def test_a_patch_that_is_a_reply_is_taken_alone(tree: Path, tmp_path: Path) -> None:
    """git am takes off the Re:, as it does the tags."""
    file = write(tmp_path, headed("Subject", "Re: [PATCH] x: y"))
    series, _ = read_behind(tree, [file], ())
    assert series.patches[0].subject == "x: y"
    both = write(tmp_path, mbox(mail(), headed("Subject", "Re: [PATCH] x: y")), "both.mbox")
    assert len(read_behind(tree, [both], ())[0].patches) == 1


def test_another_series_comes_first(tree: Path, tmp_path: Path) -> None:
    before = write(tmp_path, headed("Subject", "[PATCH] x: before"), "before.patch")
    rest = write(tmp_path, headed("Subject", "[PATCH] x: y").replace(DIFF, steps()[1]), "x.patch")
    said, known, done = behind(tree, rest, after=(before,))
    assert (said, known, done) == ("the series, behind patch 1 of --after", 1, after_step(2))


def test_what_the_tree_has_is_not_put_on_it_twice(tree: Path, tmp_path: Path) -> None:
    files = [write(tmp_path, posted(n), f"t/{n}.eml") for n in (1, 2, 3)]
    plain_git(tree, "am", "-q", str(files[0]))
    said, known, done = behind(tree, files[2])
    assert said == (
        f"patch 3 of 4 alone, behind patch 2 from {tmp_path / 't'}; patch 1 is in the tree already"
    )
    assert known == 1 and done == after_step(3)
    plain_git(tree, "am", "-q", str(files[1]))
    said, known, done = behind(tree, files[2])
    assert known == 0 and done == after_step(3) and ALONE in said


def test_parents_that_do_not_fit(tree: Path, tmp_path: Path) -> None:
    """Beside it: the tree as it is, and that is said.  Named: nothing can be said."""
    write(tmp_path, posted(1).replace("int v0;", "int w0;"), "t/1.eml")
    second = write(tmp_path, posted(2).replace(steps()[1], steps()[0]), "t/2.eml")
    series, known = read_behind(tree, [second], ())
    assert known == 0 and series.caveats[0].startswith(
        f"patch 2 of 4 alone: {ALONE}; patch 1, beside it, does not apply: mm/a.c:3"
    )
    with pytest.raises(UserError, match=r"1\.eml: named by --after, does not apply: mm/a\.c:3"):
        read_behind(tree, [second], [tmp_path / "t/1.eml"])


def test_the_report_says_which(
    mini: Path, tmp_path: Path, patchgen: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The second patch uses what the first declares, and only behind it is it right."""
    ksm = (mini / "mm/ksm.c").read_text()
    anchor = next(line for line in ksm.split("\n") if line.startswith("#include"))
    first = ksm.replace(anchor, f"{anchor}\nstatic int ksm_asked;", 1)
    second = first + "int ksm_answer(void) { return ksm_asked; }\n"
    texts = [ksm, first, second]
    for number in (1, 2):
        for name, text in (("a", texts[number - 1]), ("b", texts[number])):
            write(tmp_path, text, f"{name}/ksm.c")
        diff = subprocess.run(
            ["diff", "-U3", "--label=a/mm/ksm.c", "--label=b/mm/ksm.c", "a/ksm.c", "b/ksm.c"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        mail = headed("Subject", f"[PATCH {number}/2] x: step {number}").replace(DIFF, diff)
        write(tmp_path, mail, f"{number}/{number}.patch")
    file = tmp_path / "2/2.patch"
    options = ("--tree", mini, "--no-proof", "--no-checkpatch", "--json")
    found = msgspec.json.decode(patchgen("verify", file, *options).stdout)
    assert not found["ok"]
    assert ALONE in found["caveats"][0]
    done = patchgen("verify", file, "--after", tmp_path / "1/1.patch", *options)
    found = msgspec.json.decode(done.stdout)
    assert found["patches"][0]["faults"] == [] and found["patches"][0]["applies"]
    assert found["caveats"] == ["patch 2 of 2 alone, behind patch 1 of --after"]
    assert [patch["number"] for patch in found["patches"]] == [2]
