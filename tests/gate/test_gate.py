# SPDX-License-Identifier: GPL-2.0-only
"""The gate's own logic: its list, its judgement, and what it does to the trees it is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.gate import __main__ as gate
from tests.gate.answer import FALSE, MISSED, RIGHT, UNDECIDED, Answer, judge, table
from tests.gate.listed import KINDS, Listed, read_list
from tests.gate.mails import diff_of, file_name, gather
from tests.gate.states import Places, given
from tests.series.conftest import plain_git

MINI = Path(__file__).parents[2] / "kernel-tree/mini"
DIFF = b"""diff --git a/mm/a.c b/mm/a.c
--- a/mm/a.c
+++ b/mm/a.c
@@ -1,2 +1,2 @@
 int a;
-int b;
+int c;
"""
MAIL = (
    b"From: A <a@example.org>\nMessage-ID: <1@example.org>\nSubject: [PATCH] mm: c\n"
    b"Content-Type: text/plain\n\nText.\n---\n mm/a.c | 2 +-\n\n" + DIFF + b"-- \n2.39\n"
)


def row(verdict="pass", state="on 6.1", name="1@example.org", kind="merged"):
    """A line of the list."""
    return Listed(name, state, kind, verdict, "why")


def said(*faults, undecided=(), proof=None):
    """An answer of verify."""
    patch = {"faults": [*faults, *undecided], "undecided": list(undecided)}
    return {"ok": not (faults or undecided or proof), "patches": [patch], "proof": proof}


def test_the_list_reads_and_has_what_it_promises():
    listed = read_list()
    assert len({one.id for one in listed}) >= 150
    assert {one.kind for one in listed} == set(KINDS)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1@e\ton 6.1\tmerged\tpass", "4 fields"),
        ("1@e\ton 6.1\tgood\tpass\twhy", "kind 'good'"),
        ("1@e\tin 6.1\tmerged\tpass\twhy", "state 'in 6.1'"),
        ("1@e\ton 6.1\tmerged\t\twhy", "empty field"),
        ("1@e\tparent\tmerged\tpass\twhy", "a mail on its parent"),
        ("0123456789ab\ton 6.1\tmerged\tpass\twhy", "a commit on a kernel"),
        ("2@e\ton 6.1\tmerged\tpass\twhy", "twice"),
        ("3@e 4@e\tbefore 6.1\tmerged\tpass\twhy", "several mails"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(tmp_path, line, fault):
    file = tmp_path / "list"
    file.write_text(f"# id\n2@e\ton 6.1\tmerged\tpass\twhy\n{line}\n")
    with pytest.raises(ValueError, match=fault) as raised:
        read_list(file)
    assert "list:3" in str(raised.value)


@pytest.mark.parametrize(
    ("verdict", "data", "outcome"),
    [
        ("pass", said(), RIGHT),
        ("pass", said("MN008 a.c:3"), FALSE),
        ("pass", said(undecided=["a.c: not analysed"]), UNDECIDED),
        ("pass", said("MN008 a.c:3", undecided=["a.c: not analysed"]), FALSE),
        ("MN008|MN007", said("a.c:3: x [MN007]"), RIGHT),
        ("MN008|MN007", said("a.c:3: x [MN001]"), FALSE),
        ("MN008|MN007", said(undecided=["a.c: not analysed"]), UNDECIDED),
        ("MN008|MN007", said(), MISSED),
    ],
)
def test_an_answer_is_right_only_for_the_judged_reason(verdict, data, outcome):
    assert judge(row(verdict), data).outcome == outcome


def test_of_several_mails_only_the_last_is_judged():
    first, last = said("MN008 a.c:3")["patches"][0], said()["patches"][0]
    both = row(name="1@e 2@e")
    assert judge(both, {"ok": False, "patches": [first, last]}).outcome == RIGHT
    assert judge(both, {"ok": False, "patches": [last, first]}).outcome == FALSE


def test_a_proof_counts_as_a_fault_where_the_series_made_it_worse():
    proof = {
        "touched": True, "ok": False, "line": "S1 is violated", "inherited": [],
        "properties": {"S1": "violated"},
    }  # fmt: skip
    assert judge(row(), said(proof=proof)).outcome == FALSE
    assert judge(row(), said(proof={**proof, "inherited": ["S1"]})).outcome == UNDECIDED


def test_the_table_counts_each_patch_once_and_in_the_sum():
    answers = [Answer(row(), RIGHT, ()), Answer(row(kind="reverted"), MISSED, ())]
    lines = table(answers)
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["1", "1", "2"]
    assert lines[2].split("|")[3].strip() == "1" and lines[3].split("|")[5].strip() == "1"


def test_mails_come_out_of_folders_and_of_public_inboxes(tmp_path):
    folder, inbox = tmp_path / "folder", tmp_path / "inbox"
    folder.mkdir()
    inbox.mkdir()
    (folder / "x").write_bytes(MAIL)
    plain_git(inbox, "init", "-q", "--template=")
    for number in (2, 3):
        (inbox / "m").write_bytes(MAIL.replace(b"<1@", b"<%d@" % number))
        plain_git(inbox, "add", "m")
        plain_git(inbox, "commit", "-qm", f"{number}")
    kept = tmp_path / "kept"
    gather(["1@example.org", "2@example.org", "9@example.org"], [folder, inbox], kept)
    names = {file_name(f"{number}@example.org") for number in (1, 2)}
    assert {path.name for path in kept.iterdir()} == names
    assert diff_of((kept / file_name("2@example.org")).read_bytes()) == DIFF


def test_a_kernel_that_has_the_patch_loses_it_only_for_the_while(tmp_path):
    tree, mails = tmp_path / "kernels/6.1", tmp_path / "mails"
    (tree / "mm").mkdir(parents=True)
    mails.mkdir()
    (tree / "Makefile").write_text("")
    (tree / "mm/a.c").write_text("int a;\nint c;\n")
    (mails / file_name("1@example.org")).write_bytes(MAIL)
    places = Places(None, tree.parent, mails, tmp_path)
    with given(row(state="before 6.1"), places) as have:
        assert not have.lacks
        assert (tree / "mm/a.c").read_text() == "int a;\nint b;\n"
    assert (tree / "mm/a.c").read_text() == "int a;\nint c;\n"
    with given(row(state="before 6.1", name="2@example.org"), places) as have:
        assert have.lacks == "no mail 2@example.org"
    with given(row(state="on 5.0"), places) as have:
        assert have.lacks == "no kernel 5.0"
    (tree / "mm/a.c").write_text("int other;\n")
    with given(row(state="before 6.1"), places) as have:
        assert have.lacks.startswith("not in 6.1")
    assert (tree / "mm/a.c").read_text() == "int other;\n"


def test_commits_are_verified_on_their_parents(tmp_path, capsys):
    linux, listed = tmp_path / "linux", tmp_path / "list"
    shutil.copytree(MINI, linux)
    plain_git(linux, "init", "-q", "--template=")
    plain_git(linux, "add", ".")
    plain_git(linux, "commit", "-qm", "base")
    source = linux / "mm/ksm.c"
    source.write_bytes(source.read_bytes() + b"/* The end. */\n")
    plain_git(linux, "commit", "-qam", "mm/ksm: say where the file ends\n\nIt has an end.")
    name = plain_git(linux, "rev-parse", "HEAD").strip()
    listed.write_text(
        f"{name}\tparent\tmerged\tpass\twhy\n{'0' * 12}\tparent\treverted\tpass\twhy\n"
    )
    before = plain_git(linux, "status", "--porcelain", "--branch")
    assert gate.main(["--list", str(listed), "--linux", str(linux)]) == 0
    out = capsys.readouterr().out
    assert f"not had: {'0' * 12}" in out
    assert [cell.strip() for cell in out.splitlines()[-1].split("|")[1:-1]] == [
        "all", "2", "1", "0", "0", "0", "1",
    ]  # fmt: skip
    assert plain_git(linux, "status", "--porcelain", "--branch") == before
    assert len(plain_git(linux, "worktree", "list").splitlines()) == 1
