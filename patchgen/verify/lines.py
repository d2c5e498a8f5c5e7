# SPDX-License-Identifier: GPL-2.0-only
"""Which line of a file before a change is which behind it; moved blocks are followed."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from patchgen.model.base import Place

#: Lines times lines that are compared one by one; beyond, a stretch counts as replaced.
_LARGEST = 4_000_000
#: Lines on each side of a moved one that must have moved with it.
_BESIDE = 1

Pair = tuple[int, int]


def kept_lines(old: Sequence[bytes], new: Sequence[bytes]) -> list[Pair]:
    """(index before, index behind) of the lines that a change leaves, in order."""
    return list(_kept(old, new, 0, 0))


def _kept(old: Sequence[bytes], new: Sequence[bytes], at: int, to: int) -> Iterator[Pair]:
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        yield at + head, to + head
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    inner, other = old[head : len(old) - tail], new[head : len(new) - tail]
    if inner and other:
        yield from _middle(inner, other, at + head, to + head)
    for back in range(tail, 0, -1):
        yield at + len(old) - back, to + len(new) - back


def _middle(old: Sequence[bytes], new: Sequence[bytes], at: int, to: int) -> Iterator[Pair]:
    anchors = _anchors(old, new)
    if not anchors:
        if len(old) * len(new) <= _LARGEST:
            matcher = SequenceMatcher(None, old, new, autojunk=False)
            for block in matcher.get_matching_blocks():
                for step in range(block.size):
                    yield at + block.a + step, to + block.b + step
        return
    before = behind = 0
    for one, other in [*anchors, (len(old), len(new))]:
        yield from _kept(old[before:one], new[behind:other], at + before, to + behind)
        if one < len(old):
            yield at + one, to + other
        before, behind = one + 1, other + 1


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[Pair]:
    """Lines that stand once on both sides, as many as keep their order."""
    where = _once(new)
    pairs = [(index, where[line]) for line, index in _once(old).items() if line in where]
    pairs.sort()
    ends: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, (_, target) in enumerate(pairs):
        place = bisect_left(ends, target)
        previous.append(last[place - 1] if place else -1)
        ends[place : place + 1] = [target]
        last[place : place + 1] = [number]
    found: list[Pair] = []
    at = last[-1] if last else -1
    while at >= 0:
        found.append(pairs[at])
        at = previous[at]
    return found[::-1]


def _once(lines: Sequence[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    twice = set()
    for index, line in enumerate(lines):
        if line in found:
            twice.add(line)
        found[line] = index
    return {line: index for line, index in found.items() if line not in twice and line.strip()}


class FileLines:
    """One file before and behind a change; lines count from 1."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self.old = old.split(b"\n")
        self.new = new.split(b"\n")
        pairs = kept_lines(self.old, self.new)
        self._forward = {one + 1: other + 1 for one, other in pairs}
        self._olds = [one + 1 for one, _ in pairs]
        self._news = [other + 1 for _, other in pairs]
        kept = set(self._news)
        self.added = frozenset(n for n in range(1, len(self.new) + 1) if n not in kept)
        self.removed = frozenset(n for n in range(1, len(self.old) + 1) if n not in self._forward)

    def to_new(self, line: int) -> int:
        """Where a line stands behind the change; 0 for one that is gone."""
        return self._forward.get(line, 0)

    def gap(self, line: int, *, old: bool) -> int:
        """Which stretch between kept lines a changed line lies in, the same on both sides."""
        return bisect_right(self._olds if old else self._news, line)

    @functools.cached_property
    def touched(self) -> frozenset[int]:
        """Lines behind the change that are new, or stand where lines were taken away."""
        beside = {
            self._news[gap] if gap < len(self._news) else len(self.new)
            for gap in {self.gap(line, old=True) for line in self.removed}
        }
        return self.added | beside


class Changed:
    """All files of one patch: places before it become places behind it."""

    def __init__(
        self,
        read_old: Mapping[str, bytes],
        read_new: Mapping[str, bytes],
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """``renamed``: new path → old path."""
        self._renamed = {old: new for new, old in (renamed or {}).items()}
        self.files = {
            path: FileLines(read_old.get((renamed or {}).get(path, path), b""), data)
            for path, data in read_new.items()
        }
        self._gone = {
            path: data.split(b"\n")
            for path, data in read_old.items()
            if path not in read_new and path not in self._renamed
        }
        self._moved: dict[bytes, list[Place]] | None = None

    @property
    def sources_before(self) -> tuple[str, ...]:
        """Sources of the state before that are gone or have another name behind it."""
        return tuple(p for p in (*self._gone, *self._renamed) if p.endswith(".c"))

    def file(self, path: str) -> FileLines | None:
        """The lines of a file by its path before the change."""
        return self.files.get(self._renamed.get(path, path))

    def to_new(self, place: Place) -> Place | None:
        """Where a line stands now; None for one that is gone, or is written otherwise."""
        path = self._renamed.get(place.path, place.path)
        file = self.files.get(path)
        if file is None:
            lines = self._gone.get(place.path)
            return place if lines is None else self._follow(lines, place.line)
        line = file.to_new(place.line)
        return Place(path, line) if line else self._follow(file.old, place.line)

    def same_stretch(self, old: Place, new: Place) -> bool:
        """Whether a changed line stands where another one was taken away."""
        path = self._renamed.get(old.path, old.path)
        file = self.files.get(path)
        if file is None or path != new.path:
            return False
        if old.line not in file.removed or new.line not in file.added:
            return False
        return file.gap(old.line, old=True) == file.gap(new.line, old=False)

    def _follow(self, lines: Sequence[bytes], line: int) -> Place | None:
        """Where a line went with those beside it; None unless there is one such place."""
        if self._moved is None:
            self._moved = {}
            for path, file in self.files.items():
                for number in file.added:
                    key = _with_neighbours(file.new, number)
                    self._moved.setdefault(key, []).append(Place(path, number))
        found = self._moved.get(_with_neighbours(lines, line), [])
        return found[0] if len(found) == 1 else None


def _with_neighbours(lines: Sequence[bytes], line: int) -> bytes:
    """A line with those beside it, white space and blank lines apart."""
    at = line - 1
    if not 0 <= at < len(lines):
        return b""
    found = [b" ".join(lines[at].split())]
    for step in (-1, 1):
        near, many = at + step, 0
        while 0 <= near < len(lines) and many < _BESIDE:
            text = b" ".join(lines[near].split())
            if text:
                found.insert(0 if step < 0 else len(found), text)
                many += 1
            near += step
    return b"\n".join(found)
