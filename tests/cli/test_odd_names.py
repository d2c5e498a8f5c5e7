# SPDX-License-Identifier: GPL-2.0-only
"""Names that no file can have, or that are no text: one line each, and no internal error."""

import os
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.series.read.sources import read_mails
from patchgen.source.tree.registry import resolve

LONG = ["a" * 5000, "/tmp/" + "a" * 300, "a/" * 2500, "/" + "a/" * 2500]


@pytest.mark.parametrize("name", LONG)
def test_a_tree_by_a_name_that_is_too_long(name):
    with pytest.raises(UserError, match=r"too long|no such kernel tree"):
        resolve(name)


def test_a_tree_whose_path_is_no_utf8(kernel_tree, tmp_path):
    odd = tmp_path / os.fsdecode(b"t\xff")
    odd.symlink_to(resolve("mini").path)
    assert resolve(str(odd)).version  # the path that it leads to is one
    odd.unlink()
    odd.mkdir()
    with pytest.raises(UserError, match="the path is no UTF-8"):
        resolve(str(odd))


@pytest.mark.parametrize("name", [*LONG, "absent", "absent/file"])
def test_a_series_by_a_name_that_cannot_be(name):
    with pytest.raises(UserError, match="cannot be read: ") as caught:
        read_mails([name])
    assert caught.value.where == name


def test_a_series_in_a_pipe_or_a_device(tmp_path):
    os.mkfifo(tmp_path / "0001-a.patch")
    for source in (tmp_path, tmp_path / "0001-a.patch", "/dev/zero"):
        with pytest.raises(UserError, match="not a regular file"):
            read_mails([source])


def test_stdin_that_does_not_end():
    with Path("/dev/zero").open("rb") as endless, pytest.raises(UserError, match="has more than"):
        read_mails(["-"], endless)
