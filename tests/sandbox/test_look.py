# SPDX-License-Identifier: GPL-2.0-only
"""What is there: told without reading it, and never of what lies outside."""

import os

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox import look, reader


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "sub/a").write_bytes(b"1234")
    (folder / "sub/deep/b").write_bytes(b"")
    (folder / "out").symlink_to(tmp_path)
    (folder / "in").symlink_to("sub")
    (folder / "lost").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    return folder


def test_kinds_are_of_the_entry_and_questions_of_what_it_leads_to(root):
    kinds = {name: look.kind(root / name) for name in ("sub", "sub/a", "in", "pipe", "none", "a\0")}
    assert list(kinds.values()) == ["folder", "file", "link", "other", "", ""]
    assert look.is_folder(root / "in") and not look.is_file(root / "in")
    assert look.is_there(root / "pipe") and not look.is_file(root / "pipe")
    assert not look.is_there(root / "lost") and not look.is_there(f"{root}/a\0b")
    assert look.stamp(f"{root}/lost") is None and look.stamp(f"{root}/a\0b") is None
    with pytest.raises(OSError, match="name too long"):
        look.is_file(root / ("n" * 300))


@pytest.mark.parametrize("openat2", [True, False])
def test_names_of_a_folder_inside_and_none_of_one_outside(root, monkeypatch, openat2):
    if not openat2:
        monkeypatch.setattr(reader, "_OPENAT2", 100_000)
    listed = {path: look.names_inside(str(root), path) for path in ("sub", "in", "", "sub/a")}
    assert listed["sub"] == listed["in"] == ("a", "deep")
    assert listed[""] == ("in", "lost", "out", "pipe", "sub") and listed["sub/a"] is None
    for path in ("out", "out/..", "..", "/", "none", "pipe", "a\0b", "n" * 300):
        assert look.names_inside(str(root), path) is None


def test_everything_below_and_behind_no_link(root):
    found = {(one.path, one.kind, one.size) for one in look.below(root) if one.kind == "file"}
    assert found == {("sub/a", "file", 4), ("sub/deep/b", "file", 0)}
    assert {one.path for one in look.below(root, lambda path: path == "sub")} == {
        "in", "lost", "out", "pipe",
    }  # fmt: skip


def test_a_folder_that_cannot_be_listed_is_told(root, monkeypatch):
    def refused(handle):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(look.os, "listdir", refused)
    with pytest.raises(UserError, match="cannot be listed: Permission denied"):
        look.names_inside(str(root), "sub")
