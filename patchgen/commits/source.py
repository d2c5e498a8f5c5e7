# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel tree is to git: a repository to borrow objects from, or a folder."""

from __future__ import annotations

from pathlib import Path

from patchgen.commits.git import Git, GitFailed
from patchgen.model.base import Value
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given

#: Bytes of a ``gitdir:`` file, and of the list of a shallow clone's borders.
_SMALL, _SHALLOW = 4096, 64 << 20


class TreeSource(Value, frozen=True):
    """A kernel tree as the scratch repository sees it.

    For a git checkout ``head`` is the full hash of its commit, ``git_dir`` and
    ``objects`` absolute paths, ``shallow`` the contents of its shallow file (b""
    for a full clone).  For a plain folder ``head`` is "" and so are the paths.
    ``note`` says why a folder with a ``.git`` is taken as a plain one.
    """

    root: str
    head: str = ""
    git_dir: str = ""
    objects: str = ""
    object_format: str = "sha1"
    shallow: bytes = b""
    note: str = ""

    @property
    def is_git(self) -> bool:
        return bool(self.head)


def describe(root: Path) -> TreeSource:
    """Look at ``root``; only its own ``.git`` counts, never a parent folder's.

    Naming the repository directly also makes a foreign-owned one readable: git's
    ownership test guards the search, and what it protects from (configuration
    that runs programs) is switched off in :mod:`patchgen.commits.git`.
    """
    root = root.resolve()
    git_dir = repository(root)
    if git_dir is None:
        return TreeSource(str(root))
    git = Git(git_dir)
    try:
        out = git.run(
            "rev-parse",
            "--show-object-format",
            "--path-format=absolute",
            "--git-path",
            "objects",
            "--git-path",
            "shallow",
        )
        object_format, objects, shallow = out.decode(errors="surrogateescape").splitlines()
        head = git.run("rev-parse", "--verify", "-q", "HEAD^{commit}").decode().strip()
    except (GitFailed, ValueError) as error:
        reason = error.stderr if isinstance(error, GitFailed) else str(error)
        return TreeSource(str(root), note=reason.splitlines()[0] if reason else "no commit yet")
    file = Path(shallow)
    return TreeSource(
        root=str(root),
        head=head,
        git_dir=str(git_dir),
        objects=objects,
        object_format=object_format,
        shallow=read_given(file, _SHALLOW) or b"",
    )


def repository(root: Path) -> Path | None:
    """``root/.git``, followed through a worktree's or submodule's ``gitdir:`` file."""
    entry = root / ".git"
    if look.is_folder(entry):
        return entry
    data = read_given(entry, _SMALL)
    if data is None:
        return None
    text = data.decode(errors="surrogateescape")
    if not text.startswith("gitdir: "):
        return None
    return root / text.removeprefix("gitdir: ").rstrip("\n")
