# SPDX-License-Identifier: GPL-2.0-only
"""Lint says the same, byte for byte, whatever the order of files, functions and workers, and
whatever the cache held.  The real tree's files are few: what matters is that they are real."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from patchgen.model.facts import FileFacts
from patchgen.report.findings import lint_data
from patchgen.rules import run
from patchgen.rules.base import Context
from patchgen.rules.run import lint
from patchgen.source.clang import pool
from patchgen.source.config import overlay
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve
from tests.conftest import REPOSITORY

REAL = ("kernel/events/uprobes.c", "mm/ksm.c", "include/linux/rmap.h")


@pytest.fixture(params=["mini", "mini-5.0", pytest.param("5.10", marks=pytest.mark.kernel("5.10"))])
def tree(
    request: pytest.FixtureRequest, kernel_tree: Callable[[str], Path]
) -> tuple[Path, tuple[str, ...]]:
    """A tree, and the files of it that are linted."""
    if request.param == "5.10":
        return kernel_tree("5.10"), REAL
    root = REPOSITORY / "kernel-tree" / request.param
    return root, TreeState(resolve(str(root))).candidates()


def mixed(facts: Mapping[str, FileFacts], rng: random.Random) -> dict[str, FileFacts]:
    """The same facts, made in another order."""

    def shuffled(given: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rng.sample(given, len(given)))

    return {
        path: msgspec.structs.replace(
            facts[path], functions=shuffled(facts[path].functions), ops=shuffled(facts[path].ops)
        )
        for path in rng.sample(sorted(facts), len(facts))
    }


def said(root: Path, paths: Iterable[str]) -> bytes:
    overlay._WHOLE.clear()  # what a process has looked at: each run is a new one
    return msgspec.json.encode(lint_data(lint(TreeState(resolve(str(root))), tuple(paths))))


def thin(cache: Path, rng: random.Random) -> None:
    """Take every second entry out of the cache, some of each kind."""
    for path in sorted(cache.rglob("*")):
        if path.is_file() and rng.random() < 0.5:
            path.unlink()


def test_the_same_findings_byte_for_byte(
    tree: tuple[Path, tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, paths = tree
    cache = tmp_path / "cache"
    monkeypatch.setenv("PATCHGEN_CACHE", str(cache))
    expected = said(root, paths)  # cold
    assert b'"findings"' in expected
    assert said(root, paths) == expected  # warm
    rng = random.Random(root.name)
    run_all = pool.run

    def late(*args: Any, **options: Any) -> Iterator[Any]:
        """Workers, one to four, done in another order."""
        answers = list(run_all(*args[:2], rng.randint(1, 4), *args[3:], **options))
        yield from rng.sample(answers, len(answers))

    class Mixed(Context):
        def __init__(self, facts: Mapping[str, FileFacts], *rest: Any) -> None:
            super().__init__(mixed(facts, rng), *rest)

    monkeypatch.setattr(pool, "run", late)
    monkeypatch.setattr(run, "Context", Mixed)
    for filled in ("half", "cold"):
        if filled == "cold":
            shutil.rmtree(cache)
            cache.mkdir(mode=0o700)
        else:
            thin(cache, rng)
            shutil.rmtree(cache / "lint", ignore_errors=True)  # else nothing is linted
        found = said(root, rng.sample(paths, len(paths)))
        assert msgspec.json.decode(found) == msgspec.json.decode(expected), filled
        assert found == expected
