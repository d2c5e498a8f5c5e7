# SPDX-License-Identifier: GPL-2.0-only
"""No file of a repository makes git, and so a run, wait for ever."""

import os
import subprocess

import pytest

from patchgen.commits import git
from patchgen.commits.git import Git, GitFailed
from patchgen.commits.source import describe
from patchgen.model.outcome import UserError


@pytest.fixture
def checkout(tmp_path):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    (tmp_path / "file").write_text("a\n")
    for words in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "one")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
@pytest.mark.parametrize(
    "part", ["HEAD", "config", "index", "packed-refs", "shallow", "commondir", "info/exclude",
             "objects/info/alternates"],
)  # fmt: skip
def test_what_is_no_file_is_named_and_not_opened(checkout, part, kind):
    path = checkout / ".git" / part
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(UserError, match="is no regular file") as caught:
        describe(checkout)
    assert caught.value.where == str(path)


def test_a_ref_that_gives_nothing_ends_by_the_clock(checkout, monkeypatch):
    monkeypatch.setattr(git, "_SECONDS", 1)
    os.mkfifo(checkout / ".git/refs/heads/waits")
    with pytest.raises(GitFailed, match="no answer within 1 s"):
        Git(checkout / ".git").run("rev-parse", "--verify", "refs/heads/waits")


def test_a_sound_repository_is_read_as_before(checkout):
    assert len(describe(checkout).head) == 40
