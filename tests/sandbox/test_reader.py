# SPDX-License-Identifier: GPL-2.0-only
"""The one reader: bounded, of regular files, inside, whatever changes meanwhile."""

import os
import threading
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox import reader
from patchgen.sandbox.reader import file_inside, read_given, read_inside


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture(params=["openat2", "without openat2"])
def kernel(request, monkeypatch):
    """The reader as on a new kernel, and on one without openat2()."""
    if request.param != "openat2":
        monkeypatch.setattr(reader, "_OPENAT2", 100_000)
    return request.param


def test_links_that_stay_inside_are_followed_and_no_others(root, kernel, tmp_path):
    (root / "in").symlink_to("a")
    (root / "absolute").symlink_to(root / "a")
    (root / "out").symlink_to("../secret")
    (root / "far").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to("/")
    assert read_inside(str(root), "in") == read_inside(str(root), "absolute") == b"inside"
    for path in ("out", "far", f"folder{tmp_path}/secret"):
        with pytest.raises(UserError, match="leads out of the tree"):
            read_inside(str(root), path)


def test_a_link_that_is_exchanged_all_the_time_never_leads_out(root):
    def exchange():
        turn = 0
        while not done.is_set():
            turn += 1
            (root / "new").symlink_to(("a", "../secret")[turn % 2])
            (root / "new").replace(root / "link")

    done = threading.Event()
    (root / "link").symlink_to("a")
    other = threading.Thread(target=exchange)
    other.start()
    try:
        for _ in range(500):
            try:
                assert read_inside(str(root), "link") == b"inside"
            except UserError:
                continue
    finally:
        done.set()
        other.join()


def test_what_is_no_regular_file_is_refused_at_once(root, kernel):
    os.mkfifo(root / "pipe")
    (root / "zero").symlink_to("/dev/zero")
    for read in (lambda name: read_inside(str(root), name), lambda name: read_given(root / name)):
        with pytest.raises(UserError, match="not a regular file"):
            read("pipe")
        with pytest.raises(UserError, match=r"not a regular file|leads out"):
            read("zero")
        assert read("none") is None
        assert read(".") is None


def test_the_size_that_a_file_says_it_has_is_no_promise(root):
    """Files of /proc say 0, and others grow while they are read."""
    with pytest.raises(UserError, match="larger than the 0 MiB"):
        read_given(root / "a", 5)
    with pytest.raises(UserError, match="larger than the 0 MiB"):
        read_given(Path("/proc/self/maps"), 10)
    assert len(read_given(Path("/proc/self/maps")) or b"") > 1000


def test_the_stamp_is_of_what_was_read(root):
    found = file_inside(str(root), "a")
    assert found is not None and found.data == b"inside"
    assert found.stamp == reader.stamp_of((root / "a").stat())
    (root / "b").write_bytes(b"inside")
    (root / "b").replace(root / "a")
    after = file_inside(str(root), "a")
    assert after is not None and after.data == b"inside" and after.stamp != found.stamp
