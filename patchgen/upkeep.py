# SPDX-License-Identifier: GPL-2.0-only
"""What the cache holds, and how long: limits of size and age, the longest unused first.

An entry's time is when it was last used (:func:`patchgen.memo.read` keeps that up to date,
to the hour).  The size is tallied as entries are written; what is there is looked through
when the tally passes the limit, and once a day.  Only what has an entry's name is counted or
removed: whatever else lies in the folder is let be.  What another run may be reading stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from patchgen import memo
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import lock, look
from patchgen.sandbox.reader import read_private

MIB = 1 << 20
#: MiB, and days unused, where PATCHGEN_CACHE_SIZE and PATCHGEN_CACHE_DAYS do not say others.
SIZE, DAYS = 5120, 30
_DAY = 86400 * 10**9  # ns
_LEFT = 3600 * 10**9  # after that long, what was being written never will be, in ns
#: What of the limit is left, so that the next entry does not pass it again.
_KEPT = 0.9
#: Kinds whose entries are folders, with the file that locks them where each has its own.
_FOLDERS = {"overlay": "", "build": "lock", "boot/work": "lock"}
_KEY = re.compile(r"[0-9a-f]{16,40}(\.bzImage|\.cpio)?")


class Holding(Value, frozen=True):
    """Entries of one kind: how many, bytes, and days since the longest unused one was used."""

    kind: str
    entries: int
    size: int
    oldest: float


class Limits(Value, frozen=True):
    """Bytes of the whole cache, and days that an entry may be unused."""

    size: int
    days: int


class _Entry(NamedTuple):
    kind: str
    path: Path
    size: int
    used: int  # ns
    whole: bool  # else left by a killed run


def limits() -> Limits:
    """The limits that hold.  UserError: a variable that sets one is no number."""
    return Limits(_number("PATCHGEN_CACHE_SIZE", SIZE) * MIB, _number("PATCHGEN_CACHE_DAYS", DAYS))


def _number(name: str, usual: int) -> int:
    text = os.environ.get(name) or str(usual)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        what = "of MiB" if name.endswith("SIZE") else "of days"
        raise UserError(f"{name} is no number {what}: {text[:40]!a}", hint=f"{usual} is usual")
    return int(text)


def holdings() -> tuple[Holding, ...]:
    """What the cache holds, by kind.  UserError: it cannot be looked through."""
    now = time.time_ns()
    found: dict[str, Holding] = {}
    for one in _entries(memo.cache_dir()):
        old = found.get(one.kind, Holding(one.kind, 0, 0, 0.0))
        age = max(old.oldest, (now - one.used) / _DAY)
        found[one.kind] = Holding(one.kind, old.entries + 1, old.size + one.size, max(0.0, age))
    return tuple(found[kind] for kind in sorted(found))


def clear(kinds: Iterable[str] = ()) -> tuple[int, int]:
    """Remove all entries, or those of some kinds: how many, and their bytes.

    UserError: there is no such kind, or it cannot be looked through.
    """
    wanted = set(kinds)
    entries = list(_entries(memo.cache_dir()))
    unknown = sorted(wanted - {one.kind for one in entries})
    if unknown:
        there = ", ".join(sorted({one.kind for one in entries})) or "nothing"
        raise UserError(f"the cache holds no {unknown[0]}", hint=f"it holds: {there}")
    done = _remove(one for one in entries if not wanted or one.kind in wanted)
    _measured(sum(one.size for one in entries) - done[1])
    return done


def prune(limit: Limits) -> tuple[int, int]:
    """Remove what is unused for too long, then the longest unused above the size."""
    now = time.time_ns()
    entries = sorted(_entries(memo.cache_dir()), key=lambda one: one.used)
    total = left = sum(one.size for one in entries)
    due = []
    over = total > limit.size
    for one in entries:
        old = now - one.used > (limit.days * _DAY if one.whole else _LEFT)
        if old or (over and left > limit.size * _KEPT):
            due.append(one)
            left -= one.size
    done = _remove(due)
    _measured(total - done[1])
    return done


def keep() -> None:
    """Hold the cache to its limits, where it is time to; nothing stands in the way of a run.

    UserError: the limits are none.
    """
    limit = limits()
    total, since = _tally()
    if total > limit.size or since > _DAY:
        with contextlib.suppress(UserError):
            prune(limit)


def _tally() -> tuple[int, int]:
    """Bytes as they were measured last and written since; ns since it was measured."""
    data = read_private(memo.cache_dir() / memo.TALLY, MIB)
    try:
        first, *more = (data or b"").split()
        when, *sizes = int(first), *map(int, more)
    except ValueError:
        return 0, 2 * _DAY  # never measured, or nobody knows
    return sum(sizes), time.time_ns() - when


def _measured(total: int) -> None:
    with contextlib.suppress(OSError):
        text = f"{time.time_ns()}\n{max(0, total)}\n"
        memo.write_atomic(memo.cache_dir() / memo.TALLY, text.encode())


def _entries(folder: Path) -> Iterator[_Entry]:
    try:
        for kind in look.names(folder):
            if look.kind(folder / kind) != "folder":
                continue
            if kind in _FOLDERS:
                yield from _folders(kind, folder / kind)
            elif kind == "boot":
                yield from _folders("boot/work", folder / "boot/work")
                yield from _files("boot/images", folder / "boot/images")
            else:
                for part in look.names(folder / kind):
                    if len(part) == 2 and look.kind(folder / kind / part) == "folder":
                        yield from _files(kind, folder / kind / part, part)
    except OSError as error:
        where = str(error.filename or folder)
        raise UserError(f"cannot be looked through: {error.strerror}", where) from None


def _files(kind: str, folder: Path, begin: str = "") -> Iterator[_Entry]:
    if look.kind(folder) != "folder":
        return
    for one in look.below(folder, lambda path: "/" in path):
        name = one.path
        whole = _KEY.fullmatch(name) is not None and name.startswith(begin)
        if one.kind == "file" and (whole or name.startswith(".new-")):
            yield _Entry(kind, folder / name, one.size, one.time, whole)


def _folders(kind: str, folder: Path) -> Iterator[_Entry]:
    if look.kind(folder) != "folder":
        return
    for name in look.names(folder):
        place = folder / name
        whole = _KEY.fullmatch(name) is not None
        if (whole or name.startswith(".new-")) and look.kind(place) == "folder":
            own = _FOLDERS[kind]
            stamps = [look.stamp(str(place)), look.stamp(str(place / own)) if own else None]
            used = max(stamp[1] for stamp in stamps if stamp is not None)
            size = sum(one.size for one in look.below(place) if one.kind == "file")
            yield _Entry(kind, place, size, used, whole)


def _remove(entries: Iterable[_Entry]) -> tuple[int, int]:
    count = size = 0
    mine = memo.hold()
    nobody = mine is not None and lock.alone(mine)
    try:
        for one in entries:
            if _removed(one, nobody):
                count += 1
                size += one.size
    finally:
        if mine is not None:
            lock.beside(mine)
    return count, size


def _removed(one: _Entry, nobody: bool) -> bool:
    """Remove an entry, unless another run may have it; ``nobody`` reads the cache now."""
    try:
        if one.kind not in _FOLDERS:
            one.path.unlink()
            return True
        own = _FOLDERS[one.kind]
        if not own or not one.whole:
            if nobody:
                shutil.rmtree(one.path, ignore_errors=True)
        elif (handle := lock.taken(one.path / own)) is not None:
            shutil.rmtree(one.path, ignore_errors=True)
            os.close(handle)
        return not look.is_there(one.path)
    except OSError:
        return False
