# SPDX-License-Identifier: GPL-2.0-only
"""Reading a stranger's tree: inside only, regular files only, within limits."""

import os

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import SIZE_LIMIT
from patchgen.source.tree.snapshot import Snapshot


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "mm").mkdir(parents=True)
    (folder / "mm/a.c").write_bytes(b"int a;\n")
    (tmp_path / "secret.c").write_bytes(b"secret")
    return folder


def test_bytes_of_files_and_none_for_what_is_not_there(root):
    snapshot = Snapshot(root)
    assert snapshot.read("mm/a.c") == b"int a;\n"
    for path in ("mm/b.c", "mm", "mm/a.c/b.c", "none/b.c"):
        assert snapshot.read(path) is None


def test_replaced_and_deleted_files(root):
    disk = Snapshot(root)
    after = disk.with_files({"mm/a.c": b"int b;\n", "mm/new.c": b""})
    assert (after.read("mm/a.c"), after.read("mm/new.c")) == (b"int b;\n", b"")
    gone = after.with_files({"mm/a.c": None})
    assert gone.read("mm/a.c") is None
    assert gone.read("mm/new.c") == b""
    assert disk.read("mm/a.c") == b"int a;\n"


@pytest.mark.parametrize("path", ["../secret.c", "mm/../../secret.c", "/etc/passwd", "mm/a\0.c"])
def test_paths_out_of_the_tree_are_refused(root, path):
    with pytest.raises(UserError, match="out of the tree"):
        Snapshot(root).read(path)


@pytest.mark.parametrize("target", ["../../secret.c", "/etc/passwd", "../../root-other/x.c"])
def test_links_out_of_the_tree_are_refused(root, target, tmp_path):
    (tmp_path / "root-other").mkdir()
    (tmp_path / "root-other/x.c").write_bytes(b"secret")
    (root / "mm/link.c").symlink_to(target)
    (root / "folder").symlink_to(tmp_path)
    for path in ("mm/link.c", "folder/secret.c"):
        with pytest.raises(UserError, match="leads out of the tree"):
            Snapshot(root).read(path)


def test_links_inside_are_followed_even_if_the_root_is_one(root, tmp_path):
    (root / "mm/same.c").symlink_to("a.c")
    (tmp_path / "alias").symlink_to(root)
    assert Snapshot(tmp_path / "alias").read("mm/same.c") == b"int a;\n"


def test_a_link_to_itself_is_no_endless_loop(root):
    (root / "mm/round.c").symlink_to("round.c")
    with pytest.raises(UserError, match="cannot be read"):
        Snapshot(root).read("mm/round.c")


def test_a_fifo_does_not_block(root):
    os.mkfifo(root / "mm/pipe.c")
    with pytest.raises(UserError, match="not a regular file"):
        Snapshot(root).read("mm/pipe.c")


def test_a_file_beyond_the_limit_is_refused_unread(root):
    with (root / "mm/huge.c").open("wb") as file:
        file.truncate(SIZE_LIMIT + 1)
    with pytest.raises(UserError, match="larger than the 32 MiB"):
        Snapshot(root).read("mm/huge.c")
    os.truncate(root / "mm/huge.c", SIZE_LIMIT)
    assert len(Snapshot(root).read("mm/huge.c") or b"") == SIZE_LIMIT
