# SPDX-License-Identifier: GPL-2.0-only
"""A build's own view of a kernel tree: links to its files, some of them replaced.

The tree is only read.  Each of its files is a symbolic link here; a file that a
patch changes is a real file instead.  make decides by time stamps, so whenever a
file's contents change here, in either direction, it is written anew: the next make
compiles just what depends on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside, read_own

# What an earlier build inside the tree left there; kbuild refuses or mixes it in.
_LEFT_OVERS = re.compile(r"\.config(?:\.old)?|.*\.(?:o|a|ko|mod|cmd|order)|\.git")
_GENERATED = re.compile(r"(?:arch/[^/]+/)?include/(?:config|generated)")
_UNSURE = "unsure"  # a file that was about to be written when the state was saved


class _State(msgspec.Struct):
    """``stamps``: the tree's files as linked; ``placed``: digest of each real file."""

    stamps: dict[str, tuple[int, int]] = {}
    placed: dict[str, str] = {}


class Farm:
    """The folder ``place`` with links to the kernel tree ``root`` (resolved)."""

    def __init__(self, root: Path, place: Path) -> None:
        self.root = root
        self.place = place
        self._file = place.parent / "farm.json"
        self._state: _State | None = None

    def sync(self, files: Mapping[str, bytes | None]) -> str:
        """Show the tree's present state with ``files`` (path → bytes, None: removed).

        Returns a digest of the tree's state without ``files``: names, sizes and times.
        """
        state = self._load()
        stamps = _stamps(str(self.root))
        changed = [p for p, stamp in state.stamps.items() if p in stamps and stamps[p] != stamp]
        wanted: dict[str, bytes | None] = {p: None for p in state.stamps if p not in stamps}
        for path in (*changed, *state.placed):
            wanted[path] = read_inside(str(self.root), path) if path in stamps else None
        new = [path for path in stamps if path not in state.stamps]
        self._link(new)
        self._place(state, stamps, {**wanted, **files})
        text = "\n".join(f"{path} {stamp}" for path, stamp in sorted(stamps.items()))
        return memo.digest(os.fsencode(text))

    def replace(self, files: Mapping[str, bytes | None]) -> None:
        """After :meth:`sync`: show ``files`` in place of what it showed replaced.

        The tree is not looked at again; this is for the next patch of a series.
        """
        assert self._state is not None
        stamps = self._state.stamps
        before = {
            path: read_inside(str(self.root), path) if path in stamps else None
            for path in self._state.placed
            if path not in files
        }
        self._place(self._state, stamps, {**before, **files})

    def _load(self) -> _State:
        try:
            return msgspec.json.decode(read_own(self._file) or b"", type=_State)
        except msgspec.DecodeError:
            return _State()

    def _save(self, state: _State) -> None:
        memo.write_atomic(self._file, msgspec.json.encode(state))

    def _link(self, paths: list[str]) -> None:
        made: set[str] = set()
        for path in paths:
            target = f"{self.place}/{path}"
            folder = os.path.dirname(target)  # noqa: PTH120 (tens of thousands of files)
            if folder not in made:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                made.add(folder)
            # One may be there from a run that was ended before its state was saved.
            if not look.kind(target):
                os.symlink(f"{self.root}/{path}", target)  # noqa: PTH211

    def _place(
        self,
        state: _State,
        stamps: dict[str, tuple[int, int]],
        wanted: Mapping[str, bytes | None],
    ) -> None:
        due = {
            path: data
            for path, data in wanted.items()
            if state.placed.get(path) != _mark(data) or path not in state.placed
        }
        if not due and state is self._state:
            return
        # A killed run must not leave a replaced file that the state does not know of.
        self._save(_State(stamps, {**state.placed, **dict.fromkeys(due, _UNSURE)}))
        for path, data in due.items():
            target = self.place / path
            target.unlink(missing_ok=True)
            if data is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                if look.is_executable(self.root / path):  # a script that make calls
                    target.chmod(0o755)
        placed = {**state.placed, **{path: _mark(data) for path, data in due.items()}}
        self._state = _State(stamps, placed)
        self._save(self._state)


def _mark(data: bytes | None) -> str:
    return "removed" if data is None else memo.digest(data)


def _stamps(root: str) -> dict[str, tuple[int, int]]:
    def made(path: str) -> bool:
        name = path.rpartition("/")[2]
        return bool(_LEFT_OVERS.fullmatch(name) or _GENERATED.fullmatch(path))

    found = look.below(root, made)
    return {one.path: (one.size, one.time) for one in found if one.kind != "folder"}
