# SPDX-License-Identifier: GPL-2.0-only
"""The text search: what it finds again, and what it refuses to look into."""

import functools
import os
import shutil
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.pipeline.background import Background
from patchgen.sandbox.reader import SIZE_LIMIT
from patchgen.source.facts.state import TreeState
from patchgen.source.tree import search as module
from patchgen.source.tree.describe import describe
from patchgen.source.tree.search import begin, candidates, listed, search, state_of

USE = "void f(void) { mmu_notifier_synchronize(); }\n"


@pytest.fixture
def plain(tmp_path):
    """A folder with two sources, one of which mentions the API."""
    root = tmp_path / "plain"
    (root / "mm").mkdir(parents=True)
    (root / "mm/user.c").write_text(USE)
    (root / "mm/other.c").write_text("int nothing;\n")
    return root


def refused(root: Path) -> dict[str, str]:
    return dict(search(root).refused)


def test_only_sources_that_mention_the_api(plain):
    (plain / "tools").mkdir()
    (plain / "tools/copy.c").write_text(USE)
    (plain / "notes.txt").write_text(USE)
    assert candidates(plain) == ("mm/user.c",)
    assert refused(plain) == {}


def test_changed_new_and_removed_files_are_noticed(plain):
    assert candidates(plain) == ("mm/user.c",)
    (plain / "mm/other.c").write_text(USE)
    (plain / "mm/new.h").write_text("extern struct mmu_notifier mn;\n")
    assert candidates(plain) == ("mm/new.h", "mm/other.c", "mm/user.c")
    (plain / "mm/user.c").unlink()
    (plain / "mm/other.c").write_text("int nothing;\n")
    assert candidates(plain) == ("mm/new.h",)


@pytest.mark.parametrize("name", ["a\nb.c", "-rf.c", "a b.c", "é.c", "a'\"$(x).c", "*.c"])
def test_odd_names_are_searched_like_others(plain, name):
    (plain / "mm" / name).write_text(USE)
    (plain / name).write_text(USE)
    assert set(candidates(plain)) == {"mm/user.c", f"mm/{name}", name}


def test_a_name_that_is_no_utf8_is_refused_and_said(plain):
    path = os.fsencode(plain) + b"/mm/\xff\xfe.c"
    Path(os.fsdecode(path)).write_text(USE)
    assert candidates(plain) == ("mm/user.c",)
    assert refused(plain) == {os.fsdecode(b"mm/\xff\xfe.c"): "the name is no UTF-8"}


def test_links_out_of_the_tree_are_refused_and_not_followed(plain, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.c").write_text(USE)
    (plain / "mm/link.c").symlink_to(outside / "secret.c")
    (plain / "drivers").symlink_to(outside)
    (plain / "mm/up").symlink_to("../..")
    (plain / "mm/dangling.h").symlink_to("/nonexistent/file.h")
    (plain / "mm/note").symlink_to("/nonexistent/note")
    found = search(plain)
    assert found.paths == ("mm/user.c",)
    reason = "symbolic link leads out of the tree"
    names = ("drivers", "mm/dangling.h", "mm/link.c", "mm/up")
    assert found.refused == tuple((name, reason) for name in names)


def test_links_that_stay_inside_are_no_matter(plain):
    (plain / "mm/same.c").symlink_to("user.c")
    (plain / "here").symlink_to(".")
    (plain / "mm/round.c").symlink_to("round.c")
    assert search(plain) == search(plain)
    assert candidates(plain) == ("mm/user.c",)
    assert refused(plain) == {}


def test_a_fifo_and_a_huge_file_are_refused_unread(plain):
    os.mkfifo(plain / "mm/pipe.c")
    with (plain / "mm/huge.c").open("wb") as file:
        file.write(USE.encode())
        file.truncate(SIZE_LIMIT + 1)
    (plain / "mm/folder.c").mkdir()
    found = refused(plain)
    assert candidates(plain) == ("mm/user.c",)
    assert found["mm/pipe.c"] == "not a regular file"
    assert "larger than" in found["mm/huge.c"]
    assert len(found) == 2


def test_a_search_begun_early_serves_the_process_that_began_it(plain):
    expected = candidates(plain)
    begin(plain)
    # A fork cannot wait for its parent's child: it would read what is there so far.
    forked = Background("a search", functools.partial(candidates, plain))
    assert forked.result() == expected
    assert candidates(plain) == expected


@pytest.mark.parametrize("program", ["find", "grep", "xargs"])
def test_a_machine_without_a_program_is_told_so(tree, monkeypatch, tmp_path, program):
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    for name in {"find", "grep", "xargs"} - {program}:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError, match=f"no program {program}"):
        candidates(tree)


def test_a_listing_serves_the_states_behind_it_and_their_forks(mini, monkeypatch):
    state = TreeState(describe(mini))
    state.list_sources()
    found = state.candidates()
    known = listed(mini)

    def again(root):
        raise AssertionError("the tree is listed a second time")

    monkeypatch.setattr(module, "_list", again)
    behind = state.after({"mm/new.c": USE.encode()})
    check = Background("a check", lambda: (behind.candidates(), listed(mini) == known))
    assert check.result() == (tuple(sorted({*found, "mm/new.c"})), True)


def test_the_digest_of_a_listing_is_that_of_the_last_one(plain):
    before = state_of(plain)
    assert state_of(plain) == before
    (plain / "mm/other.c").write_text("int nothing_else;\n")
    assert state_of(plain) == before  # a process sees the tree in one state
    search(plain)
    assert state_of(plain) != before
