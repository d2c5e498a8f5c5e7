# SPDX-License-Identifier: GPL-2.0-only
"""Describing kernel trees, and what is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree.describe import describe


def kernel(root: Path, text: str = "VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 262\n") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "Makefile").write_text(f"# SPDX-License-Identifier: GPL-2.0\n{text}")
    return root


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 262\nEXTRAVERSION =\nNAME = x\n", "5.10.262"),
        ("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc1\n", "6.12.0-rc1"),
        ("VERSION = 7\r\nPATCHLEVEL = 2\r\nSUBLEVEL = 13\r\nEXTRAVERSION =\r\n", "7.2.13"),
        ("VERSION = 5\nPATCHLEVEL = 0\nSUBLEVEL = 0\n\tVERSION = 9\nVERSION = 8\n", "5.0.0"),
    ],
)
def test_version_is_the_makefiles(tmp_path: Path, text: str, version: str) -> None:
    tree = describe(kernel(tmp_path / "linux", text))
    assert (tree.version, tree.name, tree.is_git) == (version, "linux", False)


def test_root_is_absolute_and_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = kernel(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    tree = describe(Path("link"), "5.10")
    assert (tree.root, tree.name) == (str(real), "5.10")


def test_git_work_tree_and_worktree_are_git(tmp_path: Path) -> None:
    main = kernel(tmp_path / "main")
    git = ["git", "-C", str(main), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tmp_path / "second")], check=True)
    assert describe(main).is_git
    assert describe(tmp_path / "second").is_git
    assert not describe(kernel(main / "sub")).is_git


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: None, "no such kernel tree"),
        (lambda p: p.write_text("x"), "not a folder"),
        (lambda p: p.mkdir(), "not a kernel tree"),
        (lambda p: kernel(p, "all:\n\techo VERSION = 1\n"), "not a kernel tree"),
        (lambda p: kernel(p, "VERSION = 5\n"), "not a kernel tree"),
        (lambda p: kernel(p, "VERSION = $(shell id)\nPATCHLEVEL = 1\n"), "not a kernel tree"),
        (lambda p: (p.mkdir(), os.mkfifo(p / "Makefile")), "not a kernel tree"),
        (lambda p: p.symlink_to(p), "cannot use the kernel tree"),
    ],
)
def test_what_is_no_kernel_is_said_in_one_line(tmp_path: Path, make, said: str) -> None:
    place = tmp_path / "place"
    make(place)
    with pytest.raises(UserError) as error:
        describe(place)
    line = str(error.value)
    assert said in line and str(place) in line and "tree list" in line and "\n" not in line
