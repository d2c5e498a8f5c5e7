# SPDX-License-Identifier: GPL-2.0-only
"""The one reader of what strangers wrote: inside a root, regular files, within a size.

A file is opened once, and what was opened is looked at: its kind, its size, its bytes.  The
kernel resolves the path (openat2(2) with RESOLVE_BENEATH, Linux 5.6), so that no link leads
out of the root however fast it is exchanged; where it cannot, the resolved path is tested.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

from patchgen.model.outcome import UserError

#: Largest file that is read, in bytes.  The largest source that mentions the API in
#: any kernel so far has well under 1 MiB; generated register headers reach 15 MiB.
SIZE_LIMIT = 32 << 20

Stamp = tuple[int, int, int, int]
"""How a file looks from outside: size, times of change of bytes and of inode in ns, inode."""

# O_NONBLOCK: opening a FIFO must not wait for a writer.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OPENAT2 = 437  # on every architecture (include/uapi/asm-generic/unistd.h)
_NO_MAGICLINKS, _BENEATH = 0x02, 0x08  # RESOLVE_* of include/uapi/linux/openat2.h
_TICK, _COARSE, _SECOND = 50_000_000, 2_100_000_000, 1_000_000_000
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


class File(NamedTuple):
    """A file's bytes, and how it looked when they were read."""

    stamp: Stamp
    data: bytes


class _How(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


_libc = ctypes.CDLL(None, use_errno=True)
_HOW = _How(_FLAGS, 0, _BENEATH | _NO_MAGICLINKS)


def stamp_of(state: os.stat_result) -> Stamp:
    """The stamp of a file that was looked at."""
    return (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


def old_enough(time: int, now: int) -> bool:
    """Whether another change than that at ``time`` (ns) would show by another time.

    Clocks of file systems stand still for up to a tick (10 ms), some for a second or two.
    """
    return time + (_TICK if time % _SECOND else _COARSE) <= now


def changed(path: str) -> UserError:
    """What is said of a file that a run saw in two states."""
    return UserError("changed while it was read", path, "run again")


def read_inside(real_root: str, path: str, limit: int = SIZE_LIMIT) -> bytes | None:
    """The bytes of ``path`` below ``real_root`` (a resolved folder), or None: no such file.

    UserError: the path leads out of the root, is no regular file, or larger than ``limit``.
    """
    found = file_inside(real_root, path, limit)
    return None if found is None else found.data


def file_inside(real_root: str, path: str, limit: int = SIZE_LIMIT) -> File | None:
    """As :func:`read_inside`, with the stamp."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise UserError("path leads out of the tree", path)
    try:
        handle = _open_inside(real_root, path)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise UserError(f"cannot be read: {error.strerror}", path) from None
    try:
        return _content(handle, path, limit)
    finally:
        os.close(handle)


def read_given(path: Path, limit: int = SIZE_LIMIT) -> bytes | None:
    """The bytes of a file that the user named, links followed; None: no such file.

    UserError: it cannot be read, is no regular file, or larger than ``limit``.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise UserError(f"cannot be read: {error.strerror}", str(path)) from None
    try:
        found = _content(handle, str(path), limit)
        return None if found is None else found.data
    finally:
        os.close(handle)


def folder_inside(real_root: str, path: str) -> int:
    """A descriptor of a folder of a tree.  OSError: there is none; UserError: it is outside."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise UserError("path leads out of the tree", path)
    handle = _open_inside(real_root, path or ".")
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def read_private(path: Path, limit: int) -> bytes | None:
    """The bytes of a file that nobody but this user can write; None for any other, or a link."""
    found = private_file(path, limit)
    return None if found is None else found.data


def private_file(path: Path, limit: int) -> File | None:
    """As :func:`read_private`, with the stamp."""
    return _of_user(path, limit, os.O_NOFOLLOW, stat.S_IWGRP | stat.S_IWOTH)


def read_users(path: Path, limit: int) -> bytes | None:
    """The bytes of a file that belongs to this user; None for any other."""
    found = _of_user(path, limit, 0, 0)
    return None if found is None else found.data


def _of_user(path: Path, limit: int, flags: int, forbidden: int) -> File | None:
    try:
        handle = os.open(path, _FLAGS | flags)
    except (OSError, ValueError):
        return None
    try:
        state = os.fstat(handle)
        if state.st_uid != os.geteuid() or state.st_mode & forbidden:
            return None
        return _content(handle, str(path), limit)
    except (OSError, UserError):
        return None
    finally:
        os.close(handle)


def read_own(path: Path) -> bytes | None:
    """The bytes of a file that this program wrote; None where it cannot be read."""
    try:
        return read_given(path)
    except UserError:
        return None


def _open_inside(root: str, path: str) -> int:
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name = os.fsencode(path)
        handle = _libc.syscall(_OPENAT2, top, name, ctypes.byref(_HOW), ctypes.sizeof(_HOW))
        if handle >= 0:
            return int(handle)
        failed = ctypes.get_errno()
    finally:
        os.close(top)
    # EXDEV: a link that leads out, or an absolute one that leads in; the others: no openat2.
    if failed not in (errno.EXDEV, errno.ENOSYS, errno.EPERM, errno.EAGAIN):
        raise OSError(failed, os.strerror(failed))
    full = os.path.realpath(f"{root}/{path}")
    if full != root and not full.startswith(f"{root}/"):
        raise UserError("symbolic link leads out of the tree", path)
    return os.open(full, _FLAGS | os.O_NOFOLLOW)


def _content(handle: int, path: str, limit: int) -> File | None:
    state = os.fstat(handle)
    if stat.S_ISDIR(state.st_mode):
        return None
    if not stat.S_ISREG(state.st_mode):
        raise UserError("not a regular file", path)
    data = b""
    if state.st_size <= limit:
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
            data = _bytes(file, state.st_size, limit)
    size = max(state.st_size, len(data))
    if size > limit:
        raise UserError(f"{size >> 20} MiB, larger than the {limit >> 20} MiB that are read", path)
    return File(stamp_of(state), data)


def _bytes(file: io.FileIO, size: int, limit: int) -> bytes:
    """All that there is, at most one byte more than ``limit``: a file may grow meanwhile."""
    data = file.read(size + 1) or b""
    if len(data) == size:
        return data
    found = bytearray(data)
    while data and len(found) <= limit:
        data = file.read(min(1 << 20, limit + 1 - len(found))) or b""
        found += data
    return bytes(found)
