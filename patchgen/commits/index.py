# SPDX-License-Identifier: GPL-2.0-only
"""A git index of the touched paths only: enough for ``git apply --cached``.

It must also hold every non-directory above a touched path (a file or a symbolic
link ``a`` when a patch touches ``a/b``), or git's guards against paths below a file
or through a link have nothing to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from patchgen.commits.scratch import Scratch
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside

_REGULAR = ("100644", "100755")


class IndexEntry(Value, frozen=True):
    """A path's mode and the full hash of its blob."""

    mode: str
    blob: str


def fill_index(scratch: Scratch, paths: Iterable[str]) -> dict[str, IndexEntry]:
    """Fill the scratch repository's index from its tree; returns what it holds.

    A path that the tree does not have is not in it.  Raises UserError where the
    tree has a folder, or where its objects are missing (a partial clone).
    """
    wanted = sorted(set(paths))
    source = scratch.source
    found = _from_commit(scratch, wanted) if source.is_git else _from_folder(scratch, wanted)
    lines = [f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in found.items()]
    data = "".join(lines).encode(errors="surrogateescape")
    scratch.git.run("update-index", "-z", "--index-info", stdin=data)
    if source.is_git:
        _check_present(scratch, found)
    return found


def read_index(scratch: Scratch) -> dict[str, IndexEntry]:
    """What the index holds now."""
    out = scratch.git.run("ls-files", "-s", "-z")
    found = {}
    for record in out.split(b"\0")[:-1]:
        info, _, path = record.partition(b"\t")
        mode, blob, _ = info.decode().split()
        found[path.decode(errors="surrogateescape")] = IndexEntry(mode, blob)
    return found


def read_blobs(scratch: Scratch, blobs: Iterable[str]) -> dict[str, bytes]:
    """The contents of blobs, by hash, in one run of git."""
    names = sorted(set(blobs))
    if not names:
        return {}
    out = scratch.git.run("cat-file", "--batch", stdin="".join(f"{b}\n" for b in names).encode())
    found, at = {}, 0
    for name in names:
        end = out.index(b"\n", at)
        words = out[at:end].split()
        if len(words) != 3:
            raise UserError(f"blob {name} is missing", scratch.source.root)
        size = int(words[2])
        found[name] = out[end + 1 : end + 1 + size]
        at = end + 2 + size
    return found


def above(path: str) -> list[str]:
    """The folders above a path, from the root down."""
    return [str(parent) for parent in reversed(PurePosixPath(path).parents)][1:]


def _with_parents(paths: Iterable[str]) -> list[str]:
    return sorted({one for path in paths for one in (path, *above(path))})


def _from_commit(scratch: Scratch, paths: list[str]) -> dict[str, IndexEntry]:
    ask = _with_parents(paths)
    found = {}
    # Without a trailing slash and -r, a folder is listed as the tree it is.
    out = scratch.git.run("--literal-pathspecs", "ls-tree", "-z", scratch.source.head, "--", *ask)
    # ls-tree goes into a folder when something below it is asked for as well.
    asked = set(paths)
    for record in out.split(b"\0")[:-1]:
        info, _, raw = record.partition(b"\t")
        mode, kind, blob = info.decode().split()
        path = raw.decode(errors="surrogateescape")
        if kind != "tree":
            found[path] = IndexEntry(mode, blob)
        elif path in asked:
            raise UserError("the patch makes a file where the tree has a folder", path)
    return found


def _from_folder(scratch: Scratch, paths: list[str]) -> dict[str, IndexEntry]:
    root = Path(scratch.source.root)
    files: dict[str, str] = {}
    for path in _with_parents(paths):
        if any(look.kind(root / parent) == "link" for parent in above(path)):
            continue
        kind = look.kind(root / path)
        if kind == "link":
            files[path] = "120000"
        elif kind == "file":
            files[path] = "100755" if look.is_executable(root / path) else "100644"
        elif kind == "folder" and path in paths:
            raise UserError("the patch makes a file where the tree has a folder", path)
        elif kind == "other":
            raise UserError("is no regular file", path)
    names = b"".join(
        bytes(_copy(scratch, number, path, mode)) + b"\n"
        for number, (path, mode) in enumerate(files.items())
    )
    out = scratch.git.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=names)
    blobs = out.decode().split()
    return {
        path: IndexEntry(mode, blob)
        for (path, mode), blob in zip(files.items(), blobs, strict=True)
    }


def _copy(scratch: Scratch, number: int, path: str, mode: str) -> Path:
    """The bytes of a file or link under a name that needs no quoting."""
    root = scratch.source.root
    if mode == "120000":
        data = os.fsencode(look.link_target(Path(root, path)))
    else:
        data = read_inside(os.path.realpath(root), path) or b""
    copy = scratch.path / f"file-{number}"
    copy.write_bytes(data)
    return copy


def _check_present(scratch: Scratch, found: dict[str, IndexEntry]) -> None:
    """A partial clone has trees without blobs, and must not fetch behind our back."""
    ask = {entry.blob: path for path, entry in found.items() if entry.mode in _REGULAR}
    names = "".join(f"{blob}\n" for blob in ask).encode()
    out = scratch.git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names)
    for line in out.decode().splitlines():
        name, _, kind = line.partition(" ")
        if kind == "missing":
            raise UserError(
                f"blob {name} is missing from the clone (base {scratch.source.head[:12]})",
                ask[name],
                f"fetch it: git -C {scratch.source.root} cat-file -e {name}",
            )
