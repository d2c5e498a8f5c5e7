# SPDX-License-Identifier: GPL-2.0-only
"""A patch whose change the tree has already, as a commit of its own: where it went on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from patchgen.commits.git import Git
from patchgen.commits.patchset import Series
from patchgen.commits.source import TreeSource, describe
from patchgen.verify.apply import apply_series

#: Commits of the tree that are looked at, the newest first: a series has 15 patches.
FAR = 300


def parent_of(root: Path, series: Series) -> str:
    """The commit before the one that holds exactly the only patch of ``series``; or "".

    It is the same patch when its subject is that commit's, and when, put on the commit
    before, it gives that commit's tree, to the byte.
    """
    source = describe(root)
    if not source.is_git:
        return ""
    git = Git(Path(source.git_dir))
    for commit, parent in _of_subject(git, source, series.patches[0].subject):
        applied = apply_series(root, series, at=parent)
        tree = git.run("rev-parse", f"{commit}^{{tree}}").decode().strip()
        if applied.ok and applied.patches[0].tree == tree:
            return parent
    return ""


def changed_after(root: Path, commit: str) -> tuple[str, ...]:
    """The sources that differ between ``commit`` and the tree's HEAD."""
    source = describe(root)
    words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", commit, source.head)
    listed = Git(Path(source.git_dir)).run(*words)
    names = (name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)
    return tuple(name for name in names if name.endswith((".c", ".h", ".S")))


def _of_subject(git: Git, source: TreeSource, subject: str) -> Iterator[tuple[str, str]]:
    """The newest commits with this subject, each with its parent."""
    words = ("rev-list", f"--max-count={FAR}", "--no-merges", "--format=%P%x00%s", source.head)
    out = git.run(*words, config=("i18n.logOutputEncoding=UTF-8",)).decode(errors="replace")
    lines = out.split("\n")
    for head, line in zip(lines[::2], lines[1::2], strict=False):
        parent, _, said = line.partition("\0")
        if said == subject and parent:
            yield head.removeprefix("commit "), parent
