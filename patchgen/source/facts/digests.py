# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's files hold, in digests: each file is one thing for a whole run.

Files are hashed once per stamp (size, times, inode); the stamps are kept for later runs.  A
run that sees a file, or has seen it in a parse, in a second state says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import changed, old_enough, read_given
from patchgen.source.clang.looks import Look, Looks, Seen, inside
from patchgen.source.tree.searched import NEEDLES
from patchgen.source.tree.snapshot import Snapshot

Overrides = Mapping[str, bytes | None]


class _Memory(msgspec.Struct, array_like=True):
    files: dict[str, Look] = {}


class Digests:
    """Content digests of a tree's files, remembered by stamp across runs."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._root = os.path.realpath(snapshot.root)
        self._key = memo.digest("stamps", os.fsencode(self._root), *NEEDLES)
        self._known = self._load()
        self._checked = snapshot.checked
        self._fresh: dict[str, Look] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._looks = self.looks()

    def beside(self, snapshot: Snapshot) -> Digests:
        """The digests of another state of the same tree: the disk is the same."""
        other = Digests.__new__(Digests)
        other.__dict__.update(self.__dict__, snapshot=snapshot)
        return other

    def _load(self) -> dict[str, Look]:
        known: _Memory | None = memo.recall("stamps", self._key, _Memory)
        return {} if known is None else known.files

    def looks(self) -> Looks:
        """What a worker knows of the tree when it begins."""
        needles = [needle.encode() for needle in NEEDLES]
        return Looks(self._root, needles, {**self._known, **self._fresh})

    def of(self, path: str, overrides: Overrides) -> str:
        """Digest of a file's bytes in a state; "" where it is not there.

        ``path`` is absolute for a file of a build outside the tree.  UserError: it cannot be
        read, or changed since this run saw it.
        """
        if path in overrides:
            data = overrides[path]
            return "" if data is None else memo.digest(data)
        if path not in self._checked:
            self._checked[path] = self._of_disk(path)
        return self._checked[path]

    def _of_disk(self, path: str) -> str:
        now = time.time_ns()
        outside = look.stamp(path if path[:1] == "/" else f"{self._root}/{path}")
        if outside is None:
            return ""
        known = self._known.get(path)
        if known is not None and known.stamp == outside:
            return known.digest
        if path[:1] == "/":
            data = read_given(Path(path))
            stamp = outside
        else:
            file = self.snapshot.file(path)
            data, stamp = (None, outside) if file is None else (file.data, file.stamp)
        if data is None:
            return ""
        taken = self._looks.look(data, stamp)
        if old_enough(stamp[2], now):
            self._fresh[path] = taken
        return taken.digest

    def learn(self, seen: Seen) -> None:
        """Take over what a parse saw.  UserError: this run saw a file otherwise."""
        for path, digest in zip(seen.files, seen.digests, strict=True):
            if self._checked.setdefault(path, digest) != digest:
                raise changed(path)
        now = time.time_ns()
        for path, fresh in seen.fresh.items():
            if old_enough(fresh.stamp[2], now):
                self._fresh[path] = fresh

    def combined(self, paths: Iterable[str], overrides: Overrides) -> str:
        """One digest over several files."""
        # One part, not hundreds: no path and no digest has a NUL in it.
        parts = (part for path in paths for part in (path, self.of(path, overrides)))
        return memo.digest("\0".join(parts))

    def names(self, folder: str) -> frozenset[str]:
        """The names in a folder of the tree; none where there is none."""
        if folder not in self._listed:
            try:
                names = look.names_inside(self._root, folder)
            except UserError:
                names = None
            self._listed[folder] = frozenset(names or ())
        return self._listed[folder]

    def lacks(self, overrides: Overrides) -> Callable[[str, tuple[str, ...]], bool]:
        """A test whether a folder has none of some names in a state."""
        added = inside(path for path, data in overrides.items() if data is not None)

        def test(folder: str, names: tuple[str, ...]) -> bool:
            here = self.names(folder)
            return here.isdisjoint(names) and added.get(folder, frozenset()).isdisjoint(names)

        return test

    def save(self) -> None:
        """Remember what was hashed."""
        if self._fresh:
            self._known.update(self._fresh)
            self._fresh.clear()
            memo.remember("stamps", self._key, _Memory(self._known))
