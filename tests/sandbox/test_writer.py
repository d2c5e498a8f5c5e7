# SPDX-License-Identifier: GPL-2.0-only
"""A file that the user named is written whole, and nothing but a file is."""

import os

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox.writer import check_given, write_given


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_given(tmp_path / "a/b/it", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "a/b/it").read_bytes() == b"new"
    assert (tmp_path / "a/b/it").stat().st_mode & 0o777 == 0o640


def test_an_old_file_keeps_its_mode_and_its_links(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o604)
    (tmp_path / "link").symlink_to("real")
    write_given(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o604
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def odd(folder, kind):
    path = folder / "it"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/full")
    elif kind == "socket":
        import socket

        socket.socket(socket.AF_UNIX).bind(str(path))
    elif kind == "circle":
        path.symlink_to("it")
    elif kind == "below a file":
        (folder / "file").write_text("")
        path = folder / "file/it"
    elif kind == "long":
        path = folder / ("x" * 5000)
    elif kind == "deep":
        path = folder.joinpath(*["d" * 100] * 60)
    return path


@pytest.mark.parametrize(
    "kind", ["fifo", "folder", "device", "socket", "circle", "below a file", "long", "deep"]
)
def test_what_is_no_file_is_refused_before_and_stays(tmp_path, kind):
    path = odd(tmp_path, kind)
    before = sorted((one.name, one.lstat().st_mode) for one in tmp_path.iterdir())
    for attempt in (lambda: check_given(path), lambda: write_given(path, b"x")):
        with pytest.raises(UserError) as caught:
            attempt()
        assert caught.value.where == str(path)
        assert sorted((one.name, one.lstat().st_mode) for one in tmp_path.iterdir()) == before


def test_a_full_disk_leaves_the_old_content(tmp_path, monkeypatch):
    (tmp_path / "it").write_text("old")
    real = os.fdopen

    def full(handle, mode):
        real(handle, mode).close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("patchgen.sandbox.writer.os.fdopen", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_given(tmp_path / "it", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it").read_text() == "old"
