# SPDX-License-Identifier: GPL-2.0-only
"""The build's view of a tree: right contents, fresh time stamps, an untouched tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from patchgen.kbuild.farm import Farm


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in ("Makefile", "mm/ksm.c", "virt/kvm/kvm_main.c", ".config", "mm/ksm.o"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "include/generated").mkdir(parents=True)
    (root / "include/generated/autoconf.h").write_text("old")
    for path in root.rglob("*"):
        os.utime(path, (1, 1))
    return root


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def farm(tree: Path, tmp_path: Path) -> Farm:
    return Farm(tree, tmp_path / "work" / "src")


def test_it_shows_the_tree_without_what_an_earlier_build_left(farm: Farm) -> None:
    farm.sync({})
    assert set(contents(farm.place)) == {"Makefile", "mm/ksm.c", "virt/kvm/kvm_main.c"}


def test_replaced_new_and_removed_files(farm: Farm, tree: Path) -> None:
    before = contents(tree)
    farm.sync({"mm/ksm.c": b"new", "mm/more/a.h": b"added", "Makefile": None})
    assert contents(farm.place) == {
        "mm/ksm.c": "new",
        "mm/more/a.h": "added",
        "virt/kvm/kvm_main.c": "virt/kvm/kvm_main.c",
    }
    assert contents(tree) == before


def test_going_back_gives_the_file_a_new_time_so_that_make_sees_it(farm: Farm) -> None:
    farm.sync({"mm/ksm.c": b"new"})
    farm.sync({})
    file = farm.place / "mm/ksm.c"
    assert file.read_text() == "mm/ksm.c"
    assert file.stat().st_mtime > 1_000_000


def test_an_unchanged_file_keeps_its_time(farm: Farm) -> None:
    farm.sync({"mm/ksm.c": b"new"})
    before = (farm.place / "mm/ksm.c").stat().st_mtime_ns
    farm.sync({"mm/ksm.c": b"new"})
    assert (farm.place / "mm/ksm.c").stat().st_mtime_ns == before
    assert (farm.place / "Makefile").is_symlink()


def test_a_change_of_the_tree_is_seen_whatever_its_time_stamp(farm: Farm, tree: Path) -> None:
    first = farm.sync({})
    (tree / "mm/ksm.c").write_text("edited")
    os.utime(tree / "mm/ksm.c", (0, 0))
    assert farm.sync({}) != first
    assert (farm.place / "mm/ksm.c").read_text() == "edited"
    assert (farm.place / "mm/ksm.c").stat().st_mtime > 1_000_000


def test_added_and_removed_files_of_the_tree_follow(farm: Farm, tree: Path) -> None:
    farm.sync({})
    (tree / "mm/new.c").write_text("n")
    (tree / "Makefile").unlink()
    farm.sync({})
    assert set(contents(farm.place)) == {"mm/new.c", "mm/ksm.c", "virt/kvm/kvm_main.c"}
    (tree / "Makefile").write_text("back")
    farm.sync({})
    assert contents(farm.place)["Makefile"] == "back"


def test_a_run_killed_while_it_replaced_files_is_repaired(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.sync({})
    write = Path.write_bytes

    def killed(self: Path, data: bytes) -> int:
        write(self, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            farm.sync({"mm/ksm.c": b"new"})
    farm.sync({})
    assert (farm.place / "mm/ksm.c").read_text() == "mm/ksm.c"
