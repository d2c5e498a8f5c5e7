# SPDX-License-Identifier: GPL-2.0-only
"""Checkouts of another user, which git itself refuses as of dubious ownership."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from patchgen.commits.patchset import Series
from patchgen.model.outcome import UserError
from patchgen.pipeline.am import am
from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, committed, plain_git, tree

pytestmark = pytest.mark.needs("root")  # to give files away

__all__ = ["tree"]
NOBODY, OTHER = 65534, 65533


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can look into; pytest's own is closed."""
    folder = Path(tempfile.mkdtemp(prefix="patchgen-foreign-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["full", "shallow", "partial", "worktree", "sha256"])
def checkout(request: pytest.FixtureRequest, open_folder: Path) -> Path:
    """A checkout of each kind that belongs to nobody, and so does all it borrows from."""
    tree, other = open_folder / "linux", open_folder / "other"
    (tree / "mm").mkdir(parents=True)
    for name in ("a.c", "b.c"):
        (tree / "mm" / name).write_bytes(OLD)
    kind = request.param
    plain_git(tree, "init", "-q", *(["--object-format=sha256"] if kind == "sha256" else []))
    plain_git(tree, "config", "uploadpack.allowFilter", "true")
    for count in "ab":
        plain_git(tree, "add", ".")
        plain_git(tree, "commit", "-q", "--allow-empty", "-m", count)
    if kind == "shallow":
        plain_git(open_folder, "clone", "-q", "--depth=1", f"file://{tree}", str(other))
    elif kind == "partial":
        plain_git(open_folder, "clone", "-q", "--filter=blob:none", f"file://{tree}", str(other))
    elif kind == "worktree":
        plain_git(tree, "worktree", "add", "-q", "-b", "side", str(other))
    else:
        other = tree
    for path in (open_folder, *open_folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return other


@pytest.fixture
def series(tree: Path, tmp_path: Path) -> Series:
    cover = Cover("Foreign", (Section("", "Text."),))
    write_series(committed(tree), cover, MailOptions(), tmp_path / "mails")
    return read_series(tmp_path / "mails")


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "C O Mitter")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "committer@example.org")


def as_other_user(step: Callable[[], str]) -> str:
    """What ``step`` answers in a child that is another user altogether."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "nothing"
        try:
            os.setgroups([])
            os.setresgid(OTHER, OTHER, OTHER)
            os.setresuid(OTHER, OTHER, OTHER)
            text = step()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode()
    os.waitpid(child, 0)
    return text


def listing(root: Path) -> list[tuple[str, int, int]]:
    paths = (path for path in sorted(root.rglob("*")) if not path.is_dir())
    return [(str(p), p.lstat().st_size, p.lstat().st_mtime_ns) for p in paths]


def test_git_refuses_it_and_we_read_it(checkout: Path, series: Series) -> None:
    assert "dubious ownership" in plain_git(checkout, "status", status=128)
    before = listing(checkout.parent)
    ours = apply_series(checkout, series)
    assert ours.ok and len({patch.tree for patch in ours.patches}) == 3
    assert as_other_user(lambda: " ".join(p.tree for p in apply_series(checkout, series).patches)) \
        == " ".join(patch.tree for patch in ours.patches)  # fmt: skip
    assert listing(checkout.parent) == before


def test_who_may_write_gets_the_branch_and_who_may_not_is_told(
    checkout: Path, series: Series
) -> None:
    before = listing(checkout.parent)

    def refused() -> str:
        try:
            am(checkout, series, "topic")
        except UserError as error:
            return str(error)
        return "applied"

    assert "the repository cannot be written by this user" in as_other_user(refused)
    assert listing(checkout.parent) == before
    _, applied = am(checkout, series, "topic")
    command = ["git", "-c", "safe.directory=*", "-C", str(checkout), "rev-parse", "topic"]
    # safe.directory counts in no repository's own configuration: as its owner, then.
    done = subprocess.run(command, capture_output=True, text=True, user=NOBODY, check=True)
    assert done.stdout.strip() == applied.patches[-1].sha
