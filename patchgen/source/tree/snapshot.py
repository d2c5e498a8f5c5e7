# SPDX-License-Identifier: GPL-2.0-only
"""A state of a kernel tree: its files on disk, and the files that patches replaced.

The disk is only read, and only inside the tree: a path that leads out of it, by
``..`` or through a symbolic link, is refused.  A hostile tree is normal input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from patchgen.sandbox.reader import read_inside


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
        larger than what is read of a file (:data:`patchgen.sandbox.reader.SIZE_LIMIT`).
        """
        if path in self.overrides:
            return self.overrides[path]
        if path not in self._cache:
            self._cache[path] = read_inside(self._real, path)
        return self._cache[path]
