# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen tree add`` and ``patchgen tree list`` as a user sees them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source.tree.sources import LIST, make_git, make_kernel

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("PATCHGEN_TREE_5_10", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("PATCHGEN_DEBIAN_MIRROR", f"file:{tmp_path}/no-archive")
    monkeypatch.setenv("PATCHGEN_KERNEL_TREE", str(tmp_path / "kernel-tree"))
    monkeypatch.setenv("PATCHGEN_TREES", str(tmp_path / "trees"))
    url = make_git(tmp_path / "git", make_kernel(tmp_path / "kernel"))
    (tmp_path / "kernel-tree").mkdir()
    (tmp_path / "kernel-tree" / "trees.toml").write_text(LIST.format(git=url))
    return tmp_path


def patchgen(place: Path, *words: str, stderr: int = subprocess.PIPE):
    argv = [sys.executable, "-m", "patchgen", "tree", *words]
    return subprocess.run(argv, cwd=place, stdout=subprocess.PIPE, stderr=stderr, timeout=60)


def test_add_says_version_and_place_and_how_far_it_is(place: Path) -> None:
    done = patchgen(place, "add", "5.10")
    tree = place / "trees" / "5.10-git" / "linux"
    assert done.returncode == 0
    assert done.stdout.decode() == f"5.10: Linux 5.10.262 in {tree}\n"
    stages = done.stderr.decode().splitlines()
    assert stages[0] == "5.10: asking git for v5.10.262" and "5.10: downloading" in stages
    assert len(stages) == len(set(stages))
    again = patchgen(place, "add", "5.10", "-q")
    assert (again.returncode, again.stdout, again.stderr) == (0, b"", b"")


@pytest.mark.parametrize(("kind", "drawn_over"), [("xterm", True), ("dumb", False)])
def test_progress_on_a_terminal_leaves_stdout_clean(
    place: Path, monkeypatch: pytest.MonkeyPatch, kind: str, drawn_over: bool
) -> None:
    monkeypatch.setenv("TERM", kind)
    reader, writer = pty.openpty()
    done = patchgen(place, "add", "5.10", "--json", stderr=writer)
    os.close(writer)
    drawn = os.read(reader, 1 << 16)
    os.close(reader)
    assert [tree["version"] for tree in json.loads(done.stdout)["trees"]] == ["5.10.262"]
    assert (b"\x1b[" in drawn) == drawn_over
    assert (b"5.10: downloading\r\n" in drawn) != drawn_over


def test_list_shows_what_is_here_and_what_is_not(place: Path) -> None:
    (place / "kernel-tree" / "broken").mkdir()
    before = json.loads(patchgen(place, "list", "--json").stdout)["trees"]
    assert [(t["name"], t["present"], t["version"]) for t in before] == [
        ("5.10", False, "5.10.262"),
        ("broken", False, ""),
    ]
    assert b"patchgen tree add 5.10" in patchgen(place, "list").stdout
    patchgen(place, "add", "5.10")
    patchgen(place, "add", "mine", "--from", str(place / "kernel"))
    after = json.loads(patchgen(place, "list", "--json").stdout)["trees"]
    assert [(t["name"], t["present"], t["source"]) for t in after] == [
        ("5.10", True, "git"),
        ("broken", False, "path"),
        ("mine", True, "path"),
    ]
    files = [p for p in (place / "kernel").rglob("*") if p.is_file() and not p.is_symlink()]
    size = sum(p.stat().st_size for p in files)
    assert after[0]["size"] >= size > 0
    assert patchgen(place, "list", "-q").stdout == b"5.10\nmine\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add",), "NAME"),
        (("add", "4.4"), "unknown kernel tree 4.4"),
        (("add", "5.10", "--from", "debian"), "cannot get kernel tree 5.10: debian: "),
        (("add", "5.10", "--from", "/nonexistent"), "/nonexistent: no such kernel tree"),
        (("add", "5.10", "6.1", "--as", "x"), "--as takes a single NAME"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(place: Path, words, said: str) -> None:
    done = patchgen(place, *words)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2 and done.stdout == b""
    assert lines[-1].startswith("patchgen: ") and said in lines[-1]
    assert not any("Traceback" in line for line in lines)
