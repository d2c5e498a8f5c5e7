# SPDX-License-Identifier: GPL-2.0-only
"""Why a patch does not apply, and where it would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from patchgen.commits.diff import FileChange, Hunk
from patchgen.commits.patchset import ReadPatch
from patchgen.commits.scratch import Scratch
from patchgen.model.base import Value

# The fuzz of patch(1): context lines that may differ at either end of a hunk.
_FUZZ = 2
_SHOWN = 60


class Misfit(Value, frozen=True):
    """One reason why a patch does not apply.

    ``kind`` is "applied" (the tree has the change already), "drifted" (the file
    reads differently), "crlf", "absent", "exists", "blob" (made on a version of the
    file that the tree's repository lacks) or "other".  ``line`` is the line of the
    tree's file that it is about, 0 when it is about the whole file.
    """

    kind: str
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


def explain(
    scratch: Scratch, patch: ReadPatch, files: Mapping[str, bytes], stderr: str
) -> tuple[Misfit, ...]:
    """Reasons for each file of ``patch`` that does not fit ``files`` (path → bytes).

    ``stderr`` is what git said: the answer of last resort.
    """
    back = scratch.git.result(
        "apply", "--cached", "--check", "-R", "-", stdin=patch.diff, ok=(0, 1, 128)
    )
    if back[0] == 0:
        paths = ", ".join(patch.paths)
        return (Misfit("applied", paths, 0, "the tree has the change already"),)
    found = [misfit for change in patch.changes for misfit in _file(change, files)]
    found += _blobs(scratch, patch, {misfit.path for misfit in found if misfit.kind == "drifted"})
    if found:
        return tuple(found)
    lines = [line.removeprefix("error: ") for line in stderr.splitlines() if "error: " in line]
    return (Misfit("other", patch.where, 0, "; ".join(lines) or "git apply refuses it"),)


def _file(change: FileChange, files: Mapping[str, bytes]) -> list[Misfit]:
    if not change.old:
        if change.new in files:
            return [Misfit("exists", change.new, 0, "is to be created and exists already")]
        return []
    data = files.get(change.old)
    if data is None:
        return [Misfit("absent", change.old, 0, "is to be changed and does not exist")]
    return _hunks(change, data)


def _hunks(change: FileChange, data: bytes) -> list[Misfit]:
    lines = data.split(b"\n")
    shift = 0
    found = []
    for number, hunk in enumerate(change.hunks, 1):
        old = hunk.old
        expected = max(hunk.start - 1 + shift, 0)
        at = _find(lines, old, expected)
        if at is not None:
            shift = at - (hunk.start - 1)
            continue
        found.append(_misfit(change.old, number, hunk, lines, expected))
    return found


def _misfit(path: str, number: int, hunk: Hunk, lines: list[bytes], expected: int) -> Misfit:
    old = hunk.old
    bare = [line.rstrip(b"\r") for line in lines]
    at = _find(bare, [line.rstrip(b"\r") for line in old], expected)
    if at is not None:
        whose = "the file" if any(line.endswith(b"\r") for line in lines) else "the patch"
        text = f"hunk {number}: line ends differ: {whose} has CRLF"
        return Misfit("crlf", path, at + 1, text)
    new = [line[1:] for line in hunk.lines if line[:1] in (b" ", b"+")]
    at = _find(lines, new, expected)
    if at is not None and new != old:
        return Misfit("applied", path, at + 1, f"hunk {number}: is in the file already")
    for fuzz in range(1, _FUZZ + 1):
        top, bottom = _context(hunk)
        cut = old[min(fuzz, top) : len(old) - min(fuzz, bottom)]
        at = _find(lines, cut, expected + min(fuzz, top)) if cut else None
        if at is not None:
            first = at - min(fuzz, top)
            return _drift(path, number, old, lines, first, f"would fit at line {first + 1}")
    first = _closest(lines, old, expected)
    return _drift(path, number, old, lines, first, f"comes closest at line {first + 1}")


def _drift(
    path: str, number: int, old: Sequence[bytes], lines: Sequence[bytes], first: int, where: str
) -> Misfit:
    """The first line in which the file differs from what the hunk expects."""
    for offset, want in enumerate(old):
        at = first + offset
        have = lines[at] if 0 <= at < len(lines) else None
        if have != want:
            wanted, found = _both(want, have)
            text = f"hunk {number} {where}, but for {wanted} {found}"
            return Misfit("drifted", path, max(at, 0) + 1, text)
    return Misfit("drifted", path, first + 1, f"hunk {number} {where}")


def _context(hunk: Hunk) -> tuple[int, int]:
    """How many context lines a hunk has above and below its changes."""
    marks = [line[:1] for line in hunk.lines if line[:1] != b"\\"]
    changed = [number for number, mark in enumerate(marks) if mark != b" "]
    return (changed[0], len(marks) - changed[-1] - 1) if changed else (0, 0)


def _find(lines: Sequence[bytes], block: Sequence[bytes], expected: int) -> int | None:
    """Where ``block`` stands in ``lines``, nearest to ``expected``; None if nowhere."""
    if not block:
        return expected if expected <= len(lines) else None
    size = len(block)
    places = [
        at
        for at, line in enumerate(lines)
        if line == block[0] and list(lines[at : at + size]) == list(block)
    ]
    return min(places, key=lambda at: abs(at - expected), default=None)


def _closest(lines: Sequence[bytes], block: Sequence[bytes], expected: int) -> int:
    """The place at which most lines of ``block`` are the file's, nearest first."""
    where: dict[bytes, list[int]] = {}
    for offset, line in enumerate(block):
        # Braces and blank lines are everywhere and say nothing.
        if len(line.strip()) > 2:
            where.setdefault(line, []).append(offset)
    score: dict[int, int] = {}
    for at, line in enumerate(lines):
        for offset in where.get(line, ()):
            score[at - offset] = score.get(at - offset, 0) + 1
    start = min(expected, max(len(lines) - 1, 0))
    best = max(score, key=lambda at: (score[at], -abs(at - expected)), default=start)
    return max(best, 0)


def _blobs(scratch: Scratch, patch: ReadPatch, paths: set[str]) -> list[Misfit]:
    """Files made on a version that the repository does not hold (git am -3 needs it)."""
    found = []
    for change in patch.changes:
        if change.old in paths and change.old_blob.strip("0"):
            name = f"{change.old_blob}^{{blob}}"
            status, _, _ = scratch.git.result("rev-parse", "-q", "--verify", name, ok=(0, 1, 128))
            if status != 0:
                text = f"the patch was made on blob {change.old_blob}, which is not in the tree"
                found.append(Misfit("blob", change.old, 0, text))
    return found


def _both(want: bytes, have: bytes | None) -> tuple[str, str]:
    """Two lines that differ, so that it can be seen how."""
    if have is None:
        return _shown(want), "the file ends there"
    one, other = _shown(want), _shown(have)
    if one == other:
        at = next(
            (n for n, (a, b) in enumerate(zip(want, have, strict=False)) if a != b),
            min(len(want), len(have)),
        )
        start = max(0, at - 10)
        one, other = (ascii(_bytes(line, start)) for line in (want, have))
        if one == other:
            one, other = f"{one} ({len(want)} bytes)", f"{other} ({len(have)} bytes)"
    return one, f"the file has {other}"


def _bytes(line: bytes, start: int) -> str:
    return line[start : start + _SHOWN].decode(errors="backslashreplace")


def _shown(line: bytes) -> str:
    text = line.decode(errors="replace").strip()
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return ascii(text) if not text.isprintable() else f'"{text}"'
