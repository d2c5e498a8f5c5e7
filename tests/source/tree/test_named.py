# SPDX-License-Identifier: GPL-2.0-only
"""Every spelling of a file is the file; what is no file of the tree is an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.tree.named import spelled, tree_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "linux"
    (root / "mm/deep").mkdir(parents=True)
    (root / "virt").mkdir()
    (root / "mm/a.c").touch()
    (root / "virt/a.c").touch()
    (root / "mm/inner").symlink_to("../virt")
    (root / "mm/alias.c").symlink_to("a.c")
    (root / "mm/out.c").symlink_to("/etc/passwd")
    (root / "mm/up").symlink_to(tmp_path)
    (tmp_path / "to-tree").symlink_to(root)
    (tmp_path / "other.c").touch()
    return root


@pytest.mark.parametrize(
    ("here", "given", "path"),
    [
        ("linux", "mm/a.c", "mm/a.c"),
        ("linux", "./mm//a.c", "mm/a.c"),
        ("linux", "virt/../mm/a.c", "mm/a.c"),
        ("linux", "../linux/mm/a.c", "mm/a.c"),
        ("linux", "../to-tree/mm/a.c", "mm/a.c"),
        ("linux", "mm/alias.c", "mm/a.c"),
        ("linux", "mm/inner/a.c", "virt/a.c"),
        ("linux", "mm/inner/../mm/a.c", "mm/a.c"),  # .. of what the link leads to
        ("linux", ".", ""),
        ("linux", "mm/", "mm"),
        ("linux/mm", "a.c", "mm/a.c"),
        ("linux/mm", "../virt/a.c", "virt/a.c"),
        ("linux/mm", "virt/a.c", "virt/a.c"),  # as findings print it
        ("linux/mm", ".", "mm"),
        ("linux/virt", "a.c", "virt/a.c"),  # where the user stands wins
        (".", "mm/a.c", "mm/a.c"),
        (".", "linux/mm/a.c", "mm/a.c"),
        (".", "to-tree/mm/a.c", "mm/a.c"),
        (".", "./to-tree/./mm/deep/../a.c", "mm/a.c"),
    ],
)
def test_spellings(root: Path, tmp_path: Path, here: str, given: str, path: str) -> None:
    assert tree_path(str(root), given, str(tmp_path / here)) == path


def test_an_absolute_path_does_not_ask_where_one_stands(root: Path, tmp_path: Path) -> None:
    for given in (root / "mm/a.c", tmp_path / "to-tree/mm/a.c", root / "virt/../mm/alias.c"):
        assert tree_path(str(root), str(given), "/nonexistent") == "mm/a.c"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mm/none.c", "no such file in the tree"),
        ("", "not a path"),
        ("mm/a.c\0", "not a path"),
        (os.fsdecode(b"mm/\xff.c"), "no UTF-8"),
        ("mm/out.c", "symbolic link leads out"),
        ("mm/up/other.c", "symbolic link leads out"),
        ("../other.c", "outside the tree"),
        ("/etc/passwd", "outside the tree"),
        ("/etc/none.c", "outside the tree"),
        ("a" * 5000, "cannot be looked up"),
    ],
)
def test_what_is_no_file_of_the_tree(root: Path, given: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        tree_path(str(root), given, str(root))


def test_a_tree_beside_one_of_a_longer_name_is_another(root: Path, tmp_path: Path) -> None:
    (tmp_path / "linux-next/mm").mkdir(parents=True)
    (tmp_path / "linux-next/mm/a.c").touch()
    with pytest.raises(UserError, match="outside the tree"):
        tree_path(str(root), "../linux-next/mm/a.c", str(root))


def test_a_path_that_need_not_be_there(root: Path, tmp_path: Path) -> None:
    assert spelled(str(root), "./new/x/../a.c") == "new/a.c"
    assert spelled(str(root), str(tmp_path / "to-tree/new/a.c")) == "new/a.c"
