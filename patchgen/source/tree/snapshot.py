# SPDX-License-Identifier: GPL-2.0-only
"""A state of a kernel tree: its files on disk, and the files that patches replaced.

The disk is only read, and only inside the tree: a path that leads out of it, by
``..`` or through a symbolic link, is refused.  A hostile tree is normal input.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from patchgen import memo
from patchgen.sandbox.reader import File, changed, file_inside


class Snapshot:
    """A tree's root folder and replaced files; values of it never change.

    ``overrides`` maps a path to its new bytes, or None for a deleted file.  ``checked`` are
    the digests of all files of the disk that this run saw so far: none is seen in two states.
    """

    __slots__ = ("_cache", "_real", "checked", "overrides", "root")

    def __init__(self, root: Path, overrides: Mapping[str, bytes | None] | None = None) -> None:
        self.root = root
        self.overrides: dict[str, bytes | None] = dict(overrides or {})
        self._real = os.path.realpath(root)
        self._cache: dict[str, File | None] = {}
        self.checked: dict[str, str] = {}

    def with_files(self, files: Mapping[str, bytes | None]) -> Snapshot:
        """The state after ``files`` have been replaced."""
        after = Snapshot(self.root, {**self.overrides, **files})
        # What the disk holds is the same for both.
        after._cache, after.checked = self._cache, self.checked
        return after

    def read(self, path: str) -> bytes | None:
        """The bytes of ``path``, or None where there is no such file.

        UserError: the path leads out of the tree, is no regular file, is larger than
        what is read of a file (:data:`patchgen.sandbox.reader.SIZE_LIMIT`), or changed
        since this run saw it.
        """
        if path in self.overrides:
            return self.overrides[path]
        found = self.file(path)
        return None if found is None else found.data

    def file(self, path: str) -> File | None:
        """The same of the disk, whatever replaced it, with the file's stamp."""
        if path not in self._cache:
            found = file_inside(self._real, path)
            seen = "" if found is None else memo.digest(found.data)
            if self.checked.setdefault(path, seen) != seen:
                raise changed(path)
            self._cache[path] = found
        return self._cache[path]
