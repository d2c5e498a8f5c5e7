# SPDX-License-Identifier: GPL-2.0-only
"""A state of a kernel tree: its files on disk, and the files that patches replaced.

The disk is only read, and only inside the tree: a path that leads out of it, by
``..`` or through a symbolic link, is refused.  A hostile tree is normal input.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from patchgen.model.outcome import UserError

#: Largest file that is read, in bytes.  The largest source that mentions the API in
#: any kernel so far has well under 1 MiB; generated register headers reach 15 MiB.
SIZE_LIMIT = 32 << 20


class Snapshot:
    """A tree's root folder and replaced files; values of it never change.

    ``overrides`` maps a path to its new bytes, or None for a deleted file.
    """

    __slots__ = ("_cache", "_real", "overrides", "root")

    def __init__(self, root: Path, overrides: Mapping[str, bytes | None] | None = None) -> None:
        self.root = root
        self.overrides: dict[str, bytes | None] = dict(overrides or {})
        self._real = os.path.realpath(root)
        self._cache: dict[str, bytes | None] = {}

    def with_files(self, files: Mapping[str, bytes | None]) -> Snapshot:
        """The state after ``files`` have been replaced."""
        after = Snapshot(self.root, {**self.overrides, **files})
        after._cache = self._cache  # what the disk holds is the same for both
        return after

    def read(self, path: str) -> bytes | None:
        """The bytes of ``path``, or None where there is no such file.

        UserError: the path leads out of the tree, is no regular file, or is
        larger than :data:`SIZE_LIMIT`.
        """
        if path in self.overrides:
            return self.overrides[path]
        if path not in self._cache:
            self._cache[path] = read_inside(self._real, path)
        return self._cache[path]


def read_inside(real_root: str, path: str) -> bytes | None:
    """Read ``path`` below ``real_root`` (a resolved folder); see Snapshot.read."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise UserError("path leads out of the tree", path)
    full = os.path.realpath(f"{real_root}/{path}")
    if not full.startswith(f"{real_root}/"):
        raise UserError("symbolic link leads out of the tree", path)
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        handle = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path) from None
    try:
        return _content(handle, path)
    finally:
        os.close(handle)


def _content(handle: int, path: str) -> bytes | None:
    state = os.fstat(handle)
    if stat.S_ISDIR(state.st_mode):
        return None
    if not stat.S_ISREG(state.st_mode):
        raise UserError("not a regular file", path)
    if state.st_size > SIZE_LIMIT:
        raise UserError(
            f"{state.st_size >> 20} MiB, larger than the {SIZE_LIMIT >> 20} MiB that are read",
            path,
        )
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read()
