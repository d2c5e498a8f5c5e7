# SPDX-License-Identifier: GPL-2.0-only
"""A baseline is a file: nothing else is replaced by one, or read as one."""

import os

import pytest

from patchgen.model.outcome import UserError
from patchgen.report.baseline import without_baseline, write_baseline


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_baseline(tmp_path / "link", ())
    assert (tmp_path / "link").is_symlink()
    assert b"patchgen_baseline" in (tmp_path / "real").read_bytes()


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_file_stays_what_it_is(tmp_path, kind):
    path = tmp_path / "it"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/full")
    before = path.stat().st_mode
    with pytest.raises(UserError, match="no regular file"):
        write_baseline(path, ())
    assert path.stat().st_mode == before
    if kind != "folder":
        with pytest.raises(UserError, match="not a regular file"):
            without_baseline(path, ())


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b'{"patchgen_baseline": 1, "findings": ["\xff"]}', b"[" * 100_000]
)
def test_what_is_no_baseline_is_said(tmp_path, data):
    (tmp_path / "it").write_bytes(data)
    with pytest.raises(UserError, match="is no baseline"):
        without_baseline(tmp_path / "it", ())
