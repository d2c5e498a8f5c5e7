# SPDX-License-Identifier: GPL-2.0-only
"""A judgement is known again only where everything that it read is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.base import Evidence, Place
from patchgen.recipes.remembered import Listed, Read, remembered
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import Tree


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TreeState:
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.c").write_bytes(b"one")
    return TreeState(Tree(name="t", root=str(tmp_path / "tree"), version="5.10", is_git=False))


def test_what_was_read_listed_or_missing_decides(state: TreeState) -> None:
    asked: list[str] = []
    files = {"dir": ("a.c",)}

    def judge(read: Read, listed: Listed) -> tuple[Evidence, ...]:
        text = f"{read('a.c')!r} {read('missing.c')!r} {listed('dir')}"
        asked.append(text)
        return (Evidence(Place("a.c", 1), text),)

    def ask(of: TreeState, what: str = "q") -> tuple[Evidence, ...]:
        return remembered(of, what, judge, lambda folder: files[folder])

    first = ask(state)
    assert ask(state) == first and len(asked) == 1
    assert ask(state.after({"other.c": b"x"})) == first and len(asked) == 1
    assert ask(state, "another question") == first and len(asked) == 2
    assert ask(state.after({"a.c": b"two"})) != first and len(asked) == 3
    assert ask(state.after({"missing.c": b""})) != first and len(asked) == 4
    files["dir"] = ("a.c", "b.c")
    assert ask(state) != first and len(asked) == 5
    files["dir"] = ("a.c",)
    assert ask(state) == first and len(asked) == 5


def test_nothing_against_it_is_an_answer_too(state: TreeState) -> None:
    asked: list[int] = []

    def judge(read: Read, listed: Listed) -> tuple[Evidence, ...]:
        read("a.c")
        asked.append(1)
        return ()

    assert remembered(state, "q", judge) == remembered(state, "q", judge) == ()
    assert len(asked) == 1
