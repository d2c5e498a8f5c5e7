# SPDX-License-Identifier: GPL-2.0-only
"""What files were in an earlier revision of a git tree; nothing of the tree runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from patchgen.commits.git import Git, GitFailed
from patchgen.commits.source import describe
from patchgen.model.outcome import UserError


def full_hash(text: str) -> str:
    """A commit's full hash as given on the command line; UserError when it is none."""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text):
        hint = "40 hexadecimal digits: git rev-parse prints them"
        raise UserError(f"not the full hash of a commit: {text!r}", hint=hint)
    return text


def named_commit(root: Path, text: str) -> str:
    """The full hash of the commit that ``text`` names in the tree at ``root``.

    A plain folder has no commits: there it must be a full hash.  UserError: it is none.
    """
    source = describe(root)
    if not source.is_git:
        return full_hash(text)
    git = Git(Path(source.git_dir))
    words = ("rev-parse", "-q", "--verify", "--end-of-options", f"{text}^{{commit}}")
    status, out, _ = git.result(*words, ok=(0, 1, 128))
    if status != 0:
        raise UserError(f"no commit '{text}' in the tree", str(root))
    return out.decode().strip()


def changed_since(
    root: Path, revision: str, paths: Iterable[str], read: Callable[[str], bytes | None]
) -> dict[str, bytes | None]:
    """Path to its bytes at ``revision``, for those of ``paths`` that differ now.

    None: the file was not there.  ``read`` gives the present bytes.  UserError: the
    tree is no git checkout, or has no such revision.
    """
    source = describe(root)
    if not source.is_git:
        raise UserError("is no git checkout, so there is no revision", str(root), source.note)
    git = Git(Path(source.git_dir))
    if revision.startswith("-"):
        raise UserError(f"no revision '{revision}' in the tree")
    try:
        commit = git.run("rev-parse", "--verify", "-q", f"{revision}^{{commit}}").decode().strip()
    except GitFailed:
        raise UserError(f"no revision '{revision}' in the tree", str(root)) from None
    names = list(paths)
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *names)
    blobs: dict[str, str] = {}
    for row in listed.split(b"\0"):
        meta, _, name = row.partition(b"\t")
        if name and meta.split()[1] == b"blob":
            blobs[name.decode("utf-8", "surrogateescape")] = meta.split()[2].decode()
    contents = _blobs(git, list(blobs.values()))
    old = {path: contents[blobs[path]] if path in blobs else None for path in names}
    return {path: data for path, data in old.items() if read(path) != data}


def _blobs(git: Git, hashes: list[str]) -> dict[str, bytes]:
    """The contents of objects, by ``cat-file --batch``."""
    if not hashes:
        return {}
    data = git.run("cat-file", "--batch", stdin="".join(f"{h}\n" for h in hashes).encode())
    found: dict[str, bytes] = {}
    at = 0
    for name in hashes:
        end = data.index(b"\n", at)
        head = data[at:end].split()
        if len(head) < 3:
            raise UserError(f"object {name} is missing from the repository (partial clone?)")
        size = int(head[2])
        found[name] = data[end + 1 : end + 1 + size]
        at = end + 2 + size
    return found
