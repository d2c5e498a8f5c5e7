# SPDX-License-Identifier: GPL-2.0-only
"""Where ``am`` puts a series: everything that could go wrong is asked here first."""

from __future__ import annotations

from pathlib import Path

from patchgen.commits.git import Git, GitFailed
from patchgen.commits.identity import Identity, signer
from patchgen.commits.scratch import Scratch
from patchgen.commits.source import TreeSource
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given

# What git keeps while something else is half done.
_BUSY = {
    "rebase-apply": "an am or rebase",
    "rebase-merge": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert",
}


# A shared part would be written into the scratch repository; git splits the index
# again where the user's configuration asks for it.
_WHOLE_INDEX = ("core.splitIndex=false",)


class Target(Value, frozen=True):
    """A branch to be moved or created.

    ``old`` is where it is now, "" when it is new; ``base`` what the series goes on.
    ``work_tree`` tells that the branch is checked out, so that the files follow.
    """

    branch: str
    old: str
    base: str
    work_tree: bool
    committer: Identity


def find_target(source: TreeSource, branch: str | None) -> Target:
    """The branch that a series for ``source`` can go to, or UserError why it cannot.

    Without ``branch`` it is the one that is checked out.  A branch that exists must
    stand at the tree's commit, which is what the series is checked against.
    """
    if not source.is_git:
        why = source.note or "a plain folder"
        raise UserError(
            f"is no git checkout ({why}): there is no branch to apply to",
            source.root,
            "patchgen verify checks the series against it",
        )
    if not look.may_write(source.objects):
        raise UserError(
            "the repository cannot be written by this user",
            source.git_dir,
            "patchgen verify only reads it",
        )
    committer = signer(Path(source.root))
    if committer is None:
        raise UserError(
            "git has no identity for the committer",
            hint="set user.name and user.email with git config",
        )
    git = Git(Path(source.git_dir))
    current = git.run("symbolic-ref", "-q", "HEAD", ok=(0, 1)).decode().strip()
    if branch is None and not current.startswith("refs/heads/"):
        raise UserError("HEAD is detached", source.root, "name a branch with --branch")
    name = current.removeprefix("refs/heads/") if branch is None else branch
    _check_name(git, name)
    _check_idle(git, source)
    status, out, _ = git.result("rev-parse", "-q", "--verify", f"refs/heads/{name}", ok=(0, 1))
    old = out.decode().strip() if status == 0 else ""
    if old and old != source.head:
        raise UserError(
            f"branch {name} is at {old[:12]}, the tree is at {source.head[:12]}",
            source.root,
            f"git switch {name} first, or name a new branch",
        )
    here = current == f"refs/heads/{name}"
    if not here:
        _check_not_elsewhere(git, name)
    return Target(name, old, source.head, here, committer)


def _check_name(git: Git, name: str) -> None:
    reference = f"refs/heads/{name}"
    bad = name.startswith("-") or name == "HEAD" or not name
    if bad or git.result("check-ref-format", reference, ok=(0, 1))[0] != 0:
        raise UserError(f"not a branch name: {name!a}", hint="see git check-ref-format")


def _check_idle(git: Git, source: TreeSource) -> None:
    assert git.git_dir is not None
    for name, what in _BUSY.items():
        if look.is_there(git.git_dir / name):
            raise UserError(f"{what} is in progress", source.root, "finish or abort it first")


def _check_not_elsewhere(git: Git, name: str) -> None:
    """A branch that another work tree has checked out would change under it."""
    out = git.run("worktree", "list", "--porcelain").decode(errors="replace")
    for block in out.split("\n\n"):
        if f"branch refs/heads/{name}" in block.splitlines():
            where = block.splitlines()[0].removeprefix("worktree ")
            raise UserError(f"branch {name} is checked out there", where, "name another branch")


#: The index of a kernel has some 10 MB.
_INDEX = 1 << 30


def _copy(file: Path, to: Path) -> None:
    data = read_given(file, _INDEX)
    if data is None:
        raise UserError("is no file any more", str(file), "run again")
    to.write_bytes(data)


class WorkTree:
    """The user's work tree and index, seen with our configuration only.

    The scratch repository stands in for the user's: filters, hooks and the file
    system monitor are named in a configuration that is never read.
    """

    def __init__(self, scratch: Scratch) -> None:
        source = scratch.source
        self.root = Path(source.root)
        user = Git(Path(source.git_dir))
        out = user.run("rev-parse", "--path-format=absolute", "--git-path", "index")
        self.index = Path(out.decode(errors="surrogateescape").rstrip("\n"))
        for name in look.names(self.index.parent):
            if name.startswith("sharedindex."):
                _copy(self.index.with_name(name), scratch.path / name)
        self.scratch = scratch

    def check_clean(self, head: str) -> None:
        """UserError unless every tracked file is as committed in ``head``."""
        self._clean(head)

    def check_room(self, head: str, tip: str) -> None:
        """As :meth:`check_clean`, and UserError unless ``tip`` fits in."""
        git = self._clean(head)
        self._check_sparse(git, head, tip)
        try:
            git.run("read-tree", "-n", "-m", "-u", head, tip)
        except GitFailed as error:
            raise UserError(
                f"the work tree is in the way: {error.stderr}", str(self.root)
            ) from None

    def _clean(self, head: str) -> Git:
        """git on a copy of the user's index that is known to be clean."""
        if look.is_there(self.index.with_name("index.lock")):
            raise UserError("another git process holds index.lock", str(self.root))
        copy = self.scratch.path / "user-index"
        if not look.is_there(self.index):
            raise UserError("the work tree has no index", str(self.root), "git reset first")
        _copy(self.index, copy)
        git = Git(self.scratch.path, index=copy, work_tree=self.root)
        git.result("update-index", "-q", "--refresh", "--ignore-submodules", ok=(0, 1))
        quiet = ("--quiet", "--ignore-submodules=all")
        staged = git.result("diff-index", "--cached", *quiet, head, "--", ok=(0, 1))[0]
        changed = git.result("diff-files", *quiet, ok=(0, 1))[0]
        if staged or changed:
            raise UserError(
                "the work tree has local changes",
                str(self.root),
                "commit them, or name another branch with --branch",
            )
        return git

    def _check_sparse(self, git: Git, head: str, tip: str) -> None:
        changed = git.run("diff-tree", "-r", "--name-only", "-z", "--no-renames", head, tip)
        paths = changed.decode(errors="surrogateescape").split("\0")[:-1]
        out = git.run("--literal-pathspecs", "ls-files", "-t", "-z", "--", *paths)
        for record in out.decode(errors="surrogateescape").split("\0")[:-1]:
            if record.startswith("S "):
                raise UserError(
                    "is left out of the sparse checkout", record[2:], "name another --branch"
                )

    def settle(self, head: str, tip: str) -> None:
        """The index learns when its files were last changed; UserError unless ``tip`` fits.

        A copied checkout (``cp -r``) has an index whose times are all wrong: the last
        step would take every file for a changed one.
        """
        git = self._own()
        refresh = ("update-index", "-q", "--refresh", "--ignore-submodules")
        git.result(*refresh, ok=(0, 1), config=_WHOLE_INDEX)
        git.run("read-tree", "-n", "-m", "-u", head, tip)

    def update(self, head: str, tip: str) -> None:
        """Files and index from ``head`` to ``tip``; git refuses rather than overwrites."""
        self._own().run("read-tree", "-m", "-u", head, tip, config=_WHOLE_INDEX)

    def _own(self) -> Git:
        """git on the user's own index."""
        return Git(self.scratch.path, index=self.index, work_tree=self.root)
