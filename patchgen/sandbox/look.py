# SPDX-License-Identifier: GPL-2.0-only
"""What is there, without reading it: kinds of entries, names in folders, stamps.

Links are followed where nothing else is said; what lies behind one that leads out of a tree
is never listed by the functions ``*_inside`` and ``below``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import Stamp, folder_inside, stamp_of

Kind = Literal["file", "folder", "link", "other", ""]
"""Of an entry itself; "": nothing is there."""

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EBADF)


def is_file(path: Path | str) -> bool:
    """Whether there is a regular file.  OSError: it cannot be told."""
    state = _state(path)
    return state is not None and stat.S_ISREG(state.st_mode)


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder.  OSError: it cannot be told."""
    state = _state(path)
    return state is not None and stat.S_ISDIR(state.st_mode)


def is_there(path: Path | str) -> bool:
    """Whether there is anything; not for a link that leads nowhere.  OSError as above."""
    return _state(path) is not None


def kind(path: Path | str) -> Kind:
    """What the entry itself is.  OSError as above."""
    return _kind(_state(path, follow=False))


def is_executable(path: Path | str) -> bool:
    """Whether the owner of a file may run it; not where there is none.  OSError as above."""
    state = _state(path)
    return state is not None and bool(state.st_mode & stat.S_IXUSR)


def may_write(path: Path | str) -> bool:
    """Whether this user may write a file, or make entries in a folder."""
    return os.access(path, os.W_OK | os.X_OK if is_folder(path) else os.W_OK)


def stamp(path: str) -> Stamp | None:
    """How a file looks from outside; None where nothing can be seen there."""
    try:
        return stamp_of(os.stat(path))
    except (OSError, ValueError):
        return None


def link_target(path: Path) -> Path:
    """Where a link points, as it says so.  OSError: it is none."""
    return path.readlink()


def names(folder: Path | str) -> tuple[str, ...]:
    """The names in a folder, sorted.  OSError: it cannot be listed."""
    return tuple(sorted(os.listdir(folder)))  # noqa: PTH208


def names_inside(real_root: str, path: str) -> tuple[str, ...] | None:
    """The names in a folder of a tree, sorted; None: there is none, or it lies outside.

    UserError: it cannot be listed.
    """
    try:
        handle = folder_inside(real_root, path)
    except UserError:
        return None
    except OSError as error:
        if error.errno in (*_ABSENT, errno.ENAMETOOLONG):
            return None
        raise UserError(f"cannot be listed: {error.strerror}", path) from None
    try:
        return tuple(sorted(os.listdir(handle)))  # noqa: PTH208
    except OSError as error:
        raise UserError(f"cannot be listed: {error.strerror}", path) from None
    finally:
        os.close(handle)


class Entry(NamedTuple):
    """One entry below a folder: its path from there, its own kind, size and time in ns."""

    path: str
    kind: Kind
    size: int
    time: int


def _no(path: str) -> bool:
    return False


def below(folder: Path | str, skip: Callable[[str], bool] = _no) -> Iterator[Entry]:
    """Everything below a folder but what ``skip`` is true of; no link is followed.

    OSError: a folder cannot be listed.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(f"{folder}/{prefix}") as entries:
            for entry in entries:
                path = prefix + entry.name
                if skip(path):
                    continue
                state = entry.stat(follow_symlinks=False)
                kind = _kind(state)
                if kind == "folder":
                    pending.append(f"{path}/")
                yield Entry(path, kind, state.st_size, state.st_mtime_ns)


def disk_use(folder: Path) -> int:
    """Bytes on disk of a folder and everything below it, as du counts."""
    total = 0
    for base, _, names in os.walk(folder):
        for path in (base, *(f"{base}/{name}" for name in names)):
            state = _state(path, follow=False)
            total += 0 if state is None else state.st_blocks * 512
    return total


def _state(path: Path | str, *, follow: bool = True) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)
    except ValueError:  # a NUL in it
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def _kind(state: os.stat_result | None) -> Kind:
    if state is None:
        return ""
    if stat.S_ISREG(state.st_mode):
        return "file"
    if stat.S_ISDIR(state.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(state.st_mode) else "other"
