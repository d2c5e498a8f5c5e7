# SPDX-License-Identifier: GPL-2.0-only
"""Reads a tree for the overlay, and remembers what was read and how it looked.

The memory lets a later run know, from file times alone, that nothing changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import old_enough, read_inside

Stamp = tuple[str, int, int, int, int]
"""Path below the root, size in bytes or -1 if absent, times of change of bytes and inode
in ns, inode."""

_LIMIT = 16_000_000
#: Texts that this process read, by root and path, with the stamp that they had: the same
#: Makefiles are asked for again for each file of a tree.
_READ: dict[tuple[str, str], tuple[Stamp, str | None]] = {}


def describes_build(path: str) -> bool:
    """Whether a file tells how others are built: a Makefile or a Kconfig file."""
    name = path.rpartition("/")[2]
    return name == "Kbuild" or name.startswith(("Makefile", "Kconfig"))


class Inputs:
    """Files and folders of the tree at ``root``; nothing outside it is read.

    ``given`` are files that a patch replaced, None for one that is not there.
    """

    def __init__(self, root: Path, given: Mapping[str, bytes | None] | None = None) -> None:
        self.root = os.path.realpath(root)
        self.given = given or {}
        self.stamps: dict[str, Stamp] = {}
        self._young = False

    def settled(self) -> bool:
        """Whether a later change of each input shows in its stamp."""
        return not self._young

    def _look(self, path: str) -> Stamp:
        now = time.time_ns()
        found = self.stamps[path] = stamp(self.root, path)
        self._young = self._young or not old_enough(found[3], now)
        return found

    def read(self, path: str) -> str | None:
        """The file's text, or None: absent, outside the tree, no regular file, too large."""
        if path in self.given:
            data = self.given[path]
            return None if data is None else data[:_LIMIT].decode("utf-8", "replace")
        now = self._look(path)
        known = _READ.get((self.root, path))
        if known is None or known[0] != now:
            known = _READ[self.root, path] = (now, self._text(path))
        return known[1]

    def _text(self, path: str) -> str | None:
        try:
            data = read_inside(self.root, path, _LIMIT)
        except UserError:
            return None
        return None if data is None else data.decode("utf-8", "replace")

    def names(self, path: str) -> frozenset[str]:
        """The names in a folder; empty if there is none."""
        self._look(path)
        folder = f"{path}/"
        inside = {name[len(folder) :] for name in self.given if name.startswith(folder)}
        added = frozenset(name.partition("/")[0] for name in inside)
        try:
            return added.union(look.names_inside(self.root, path) or ())
        except UserError:
            return added


def stamp(root: str, path: str) -> Stamp:
    """How ``path`` looks now."""
    found = look.stamp(f"{root}/{path}")
    return (path, -1, 0, 0, 0) if found is None else (path, *found)


def unchanged(root: Path, stamps: list[Stamp]) -> bool:
    """Whether every input looks as it did."""
    real = os.path.realpath(root)
    return all(stamp(real, old[0]) == tuple(old) for old in stamps)
