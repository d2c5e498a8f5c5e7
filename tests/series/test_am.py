# SPDX-License-Identifier: GPL-2.0-only
"""am: everything refused before anything is touched, then one atomic step."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.commits.patchset import Series
from patchgen.commits.target import WorkTree
from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import AppliedSeries, apply_series
from tests.series.conftest import OLD, committed, plain_git

COVER = Cover("Re-enable it", (Section("", "Text."),))


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "C O Mitter")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "committer@example.org")


@pytest.fixture
def mails(tree: Path, tmp_path: Path) -> Path:
    write_series(committed(tree), COVER, MailOptions(), tmp_path / "mails")
    return tmp_path / "mails"


@pytest.fixture
def series(mails: Path) -> Series:
    return read_series(mails)


def state(root: Path) -> str:
    """A digest of every file of the checkout and its repository."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        digest.update(bytes(path))
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def log(root: Path, name: str) -> list[str]:
    form = "--format=%an|%ae|%at|%cn|%T|%B"
    return plain_git(root, "log", "-3", form, name).splitlines()


def test_branch_and_files_move_together(tree: Path, mails: Path, series: Series) -> None:
    other = tree.parent / "other"
    plain_git(tree.parent, "clone", "-q", str(tree), str(other))
    plain_git(other, "am", "-q", *(str(one) for one in sorted(mails.glob("000[1-3]*"))))
    target, applied = am(tree, series, None)
    assert target.work_tree and target.old
    assert plain_git(tree, "status", "--porcelain") == ""
    assert plain_git(tree, "rev-parse", "HEAD") == applied.patches[-1].sha
    assert log(tree, "HEAD") == log(other, "HEAD")
    assert (tree / "mm/a.c").read_bytes() == applied.contents(3)["mm/a.c"]
    plain_git(tree, "fsck", "--strict")
    assert "patchgen am: 3 patches" in plain_git(tree, "reflog", "-1")


def test_new_branch_leaves_the_files_alone(tree: Path, series: Series) -> None:
    (tree / "mm/a.c").write_bytes(OLD + b"/* mine */\n")
    before = plain_git(tree, "status", "--porcelain")
    plain_git(tree, "checkout", "-q", "--detach")
    target, applied = am(tree, series, "topic/one")
    assert not target.work_tree and not target.old
    assert plain_git(tree, "rev-parse", "topic/one") == applied.patches[-1].sha
    assert plain_git(tree, "status", "--porcelain") == before


def dirty(root: Path) -> None:
    (root / "mm/a.c").write_bytes(OLD + b"/* mine */\n")


def staged(root: Path) -> None:
    dirty(root)
    plain_git(root, "add", ".")


def in_the_way(root: Path) -> None:
    (root / "mm/new.h").write_bytes(b"mine\n")


def busy(root: Path) -> None:
    (root / ".git/rebase-apply").mkdir()


def detached(root: Path) -> None:
    plain_git(root, "checkout", "-q", "--detach")


def locked(root: Path) -> None:
    (root / ".git/index.lock").write_bytes(b"")


def drifted(root: Path) -> None:
    (root / "mm/a.c").write_bytes(OLD.replace(b"int v3;", b"short v3;"))
    plain_git(root, "commit", "-qam", "drift")


def plain(root: Path) -> None:
    (root / ".git").rename(root.parent / "away.git")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (dirty, "local changes"),
        (staged, "local changes"),
        (in_the_way, "the work tree is in the way"),
        (busy, "am or rebase is in progress"),
        (detached, "HEAD is detached"),
        (locked, "index.lock"),
        (drifted, "patch 1/3 does not apply: mm/a.c:6"),
        (plain, "is no git checkout"),
    ],
)
def test_refused_with_nothing_touched(
    tree: Path, series: Series, prepare: Callable[[Path], None], reason: str
) -> None:
    prepare(tree)
    before = state(tree)
    with pytest.raises(UserError) as caught:
        am(tree, series, None)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert state(tree) == before


def test_nobody_waits_for_the_checks_to_hear_of_local_changes(tree: Path, series: Series) -> None:
    dirty(tree)
    asked: list[object] = []
    with pytest.raises(UserError, match="local changes"):
        am(tree, series, None, asked.append)
    assert not asked


def test_a_copied_checkout_is_as_clean_as_it_was(
    tree: Path, mails: Path, series: Series, tmp_path: Path
) -> None:
    """Its index holds the times and inodes of the files that it was copied from."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for copy in (ours, theirs):
        shutil.copytree(tree, copy, copy_function=shutil.copyfile)
    plain_git(theirs, "am", "-q", *(str(one) for one in sorted(mails.glob("000[1-3]*"))))
    am(ours, series, None)
    assert log(ours, "HEAD") == log(theirs, "HEAD")
    assert plain_git(ours, "status", "--porcelain") == ""


def test_nothing_moves_before_the_files_are_known_to_follow(
    tree: Path, series: Series, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is changed after the last look: the branch never moved."""
    check = WorkTree.check_room

    def late(self: WorkTree, head: str, tip: str) -> None:
        check(self, head, tip)
        dirty(tree)

    monkeypatch.setattr(WorkTree, "check_room", late)
    with pytest.raises(UserError, match=r"mm/a\.c"):
        am(tree, series, None)
    assert len(plain_git(tree, "reflog").splitlines()) == 1
    assert plain_git(tree, "status", "--porcelain") == "M mm/a.c"


@pytest.mark.parametrize("name", ["-x", "a..b", "HEAD", "a b", "x.lock", ""])
def test_odd_branch_names(tree: Path, series: Series, name: str) -> None:
    before = state(tree)
    with pytest.raises(UserError, match="not a branch name"):
        am(tree, series, name)
    assert state(tree) == before


def test_branch_elsewhere(tree: Path, series: Series, tmp_path: Path) -> None:
    plain_git(tree, "worktree", "add", "-q", "-b", "other", str(tmp_path / "wt"))
    with pytest.raises(UserError, match="checked out there"):
        am(tree, series, "other")
    plain_git(tree, "branch", "old")
    (tree / "x").write_bytes(b"")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "further")
    with pytest.raises(UserError, match=r"branch old is at .*, the tree is at"):
        am(tree, series, "old")


def test_failed_check_touches_nothing(tree: Path, series: Series) -> None:
    before = state(tree)

    def check(applied: AppliedSeries) -> None:
        assert applied.ok
        raise CheckFailed("lint")

    with pytest.raises(CheckFailed, match="lint"):
        am(tree, series, "new", check)
    assert state(tree) == before


def test_no_identity(tree: Path, series: Series, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    with pytest.raises(UserError, match="no identity"):
        am(tree, series, None)


def test_single_mail_of_a_series(tree: Path, mails: Path) -> None:
    one = io.BytesIO((mails / "0001-mm-change-number-1.patch").read_bytes())
    with pytest.raises(UserError, match="not all of the series' 3 patches"):
        am(tree, read_series("-", stdin=one), None)


def test_nothing_planted_in_the_tree_runs(tree: Path, series: Series, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {canary}\nexit 0\n")
    trap.chmod(0o755)
    names = ("applypatch-msg", "pre-applypatch", "post-applypatch", "post-index-change")
    names += ("reference-transaction", "post-checkout", "pre-commit", "fsmonitor-watchman")
    for name in names:
        (tree / ".git/hooks").mkdir(exist_ok=True)
        (tree / f".git/hooks/{name}").symlink_to(trap)
    (tree / ".gitattributes").write_text("*.c filter=evil diff=evil merge=evil\n")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "attributes")
    settings = {
        "core.fsmonitor": str(trap),
        "core.pager": str(trap),
        "core.editor": str(trap),
        "core.sshCommand": str(trap),
        "core.askPass": str(trap),
        "gpg.program": str(trap),
        "commit.gpgSign": "true",
        "diff.external": str(trap),
        "diff.evil.textconv": str(trap),
        "diff.evil.command": str(trap),
        "merge.evil.driver": str(trap),
        "filter.evil.clean": str(trap),
        "filter.evil.smudge": str(trap),
        "filter.evil.process": str(trap),
        "filter.evil.required": "true",
        "alias.apply": f"!{trap}",
        "alias.am": f"!{trap}",
        "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true",
        "init.templateDir": str(tmp_path),
        "sendemail.smtpserver": str(trap),
        "core.alternateRefsCommand": str(trap),
    }
    for key, value in settings.items():
        plain_git(tree, "config", key, value)
    canary.unlink(missing_ok=True)
    assert committed(tree).base
    assert apply_series(tree, series).ok
    assert apply_series(tree, series, engine="git-am").ok
    assert not canary.exists()
    _, applied = am(tree, series, None)
    assert not canary.exists()
    assert (tree / "mm/a.c").read_bytes() == applied.contents(3)["mm/a.c"]
    # The trap is a real one: plain git runs it.
    plain_git(tree, "status", status=None)
    assert canary.exists()


_RUN = """
import fcntl, os, sys
from pathlib import Path
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
import patchgen.commits.land, patchgen.verify.apply, git
series = read_series(sys.argv[2])
for line in sys.stdin:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        continue
    os.setsid()
    # Held by whatever of this run is still alive; git itself does not inherit it.
    fcntl.flock(os.open(sys.argv[3], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)
    print(os.getpid(), flush=True)
    am(Path(sys.argv[1]), series, None)
    print("done", flush=True)
    os._exit(0)
"""


def test_killed_at_any_moment(tree: Path, mails: Path, tmp_path: Path) -> None:
    """200 kills: the branch, the index and the files are all old or all new."""
    head = plain_git(tree, "rev-parse", "HEAD")
    lock = tmp_path / "lock"
    runner = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(tree), str(mails), str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert runner.stdin is not None and runner.stdout is not None

    def start() -> int:
        assert runner.stdin is not None and runner.stdout is not None
        runner.stdin.write(b"\n")
        line = runner.stdout.readline()
        return int(line) if line != b"done\n" else int(runner.stdout.readline())

    start()
    begun = time.monotonic()
    assert runner.stdout.readline() == b"done\n"
    usual = time.monotonic() - begun
    tip = plain_git(tree, "rev-parse", "HEAD^{tree}")
    new = {path: path.read_bytes() for path in (tree / "mm").iterdir()}
    plain_git(tree, "reset", "-q", "--hard", head)
    old = {path: path.read_bytes() for path in (tree / "mm").iterdir()}
    assert new != old
    outcomes = {"old": 0, "new": 0}
    chance = random.Random(6)
    kills = 0
    while kills < int(os.environ.get("PATCHGEN_KILLS", "200")):
        pid, begun = start(), time.monotonic()
        if select.select([runner.stdout], [], [], chance.random() * usual * 1.1)[0]:
            # It was done first: no kill, but news of how long it takes now.
            usual = 0.7 * usual + 0.3 * (time.monotonic() - begun)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
                kills += 1
        with lock.open("r+b") as held:
            # Free when the last step, which survives, has ended as well.
            fcntl.flock(held, fcntl.LOCK_EX)
        shown = plain_git(tree, "rev-parse", "HEAD", "HEAD^{tree}").split()
        assert tip == shown[1] or head == shown[0]
        files = {path: path.read_bytes() for path in (tree / "mm").iterdir()}
        assert files == (new if tip == shown[1] else old)
        outcomes["new" if tip == shown[1] else "old"] += 1
        assert not list((tree / ".git").rglob("*.lock"))
        if tip == shown[1]:
            assert plain_git(tree, "status", "--porcelain") == ""
            plain_git(tree, "reset", "-q", "--hard", head)
    runner.stdin.close()
    runner.wait()
    runner.stdout.close()
    assert min(outcomes.values()) > 0
    plain_git(tree, "fsck", "--strict")


@pytest.mark.parametrize("form", ["v4", "split", "untracked", "sparse", "worktree", "sha256"])
def test_every_form_of_index(tree: Path, series: Series, tmp_path: Path, form: str) -> None:
    """What GitPython's own index cannot read."""
    if form == "v4":
        plain_git(tree, "update-index", "--index-version", "4")
    elif form == "split":
        plain_git(tree, "update-index", "--split-index")
        assert list((tree / ".git").glob("sharedindex.*"))
    elif form == "untracked":
        plain_git(tree, "update-index", "--force-untracked-cache")
    elif form == "sparse":
        (tree / "lib").mkdir()
        (tree / "lib/x.c").write_bytes(b"x\n")
        plain_git(tree, "add", ".")
        plain_git(tree, "commit", "-qm", "lib")
        plain_git(tree, "sparse-checkout", "set", "--sparse-index", "mm")
    elif form == "worktree":
        plain_git(tree, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
        tree = tmp_path / "side"
    else:
        (tree / ".git").rename(tmp_path / "away.git")
        plain_git(tree, "init", "-q", "--object-format=sha256")
        plain_git(tree, "add", ".")
        plain_git(tree, "commit", "-qm", "base")
    _, applied = am(tree, series, None)
    assert plain_git(tree, "status", "--porcelain") == ""
    assert plain_git(tree, "rev-parse", "HEAD") == applied.patches[-1].sha
    assert (tree / "mm/b.c").read_bytes() == applied.contents(3)["mm/b.c"]
    plain_git(tree, "fsck", "--strict")


def test_path_left_out_of_a_sparse_checkout(tree: Path, series: Series) -> None:
    (tree / "lib").mkdir()
    (tree / "lib/x.c").write_bytes(b"x\n")
    plain_git(tree, "add", ".")
    plain_git(tree, "commit", "-qm", "lib")
    plain_git(tree, "sparse-checkout", "set", "lib")
    before = state(tree)
    with pytest.raises(UserError, match="left out of the sparse checkout"):
        am(tree, series, None)
    assert state(tree) == before
    am(tree, series, "topic")
    assert plain_git(tree, "status", "--porcelain") == ""
