# SPDX-License-Identifier: GPL-2.0-only
"""Landlock rules: what a process gives up for itself and all its children, for good.

Documentation/userspace-api/landlock.rst; Linux 5.13 has the first version of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# System call numbers are the same on every architecture (include/uapi/asm-generic/unistd.h).
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_PR_SET_NO_NEW_PRIVS = 38
_PATH_BENEATH = 1
_VERSION = 1

# LANDLOCK_ACCESS_FS_* (include/uapi/linux/landlock.h).
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = (1 << bit for bit in range(4))
#: remove_dir to make_sym (4 to 12), refer; truncate; ioctl of devices.
_CHANGE, _TRUNCATE, IOCTL = sum(1 << bit for bit in range(4, 14)), 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = WRITE_FILE | _CHANGE | _TRUNCATE
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | IOCTL
# LANDLOCK_ACCESS_NET_BIND_TCP, _CONNECT_TCP; LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, _SIGNAL.
_TCP, _OTHERS = 0x3, 0x3
_SINCE_TCP, _SINCE_OTHERS = 4, 6
#: How many of the rights each version knows.
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15}


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """The kernel's version of Landlock; 0 where it has none, or it is switched off."""
    return max(0, int(_libc().syscall(_CREATE, None, 0, _VERSION)))


class Rules:
    """Rights that are taken away, but beneath some paths."""

    def __init__(self, handle: int, rights: int) -> None:
        self._handle = handle
        self._rights = rights

    def allow(self, path: Path, rights: int) -> None:
        """Leave ``rights`` for a folder and all beneath it, or for a file."""
        try:
            handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # what is not there needs no right
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                rights &= _OF_FILES
            rule = _Beneath(rights & self._rights, handle)
            _libc().syscall(_ADD_RULE, self._handle, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(handle)

    def enter(self) -> bool:
        """Take the rights from this process.  False: they were not taken."""
        libc = _libc()
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT, self._handle, 0) == 0)


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scoped")]


@contextlib.contextmanager
def rules(rights: int, *, alone: bool = False) -> Iterator[Rules | None]:
    """Rules that take ``rights`` away, as far as this kernel knows them; None: no Landlock.

    ``alone``: no TCP (Linux 6.7), no signal and no abstract socket to others (Linux 6.12).
    """
    known = version()
    rights &= (1 << _KNOWN.get(known, 16)) - 1
    handled = _Ruleset(
        rights,
        _TCP if alone and known >= _SINCE_TCP else 0,
        _OTHERS if alone and known >= _SINCE_OTHERS else 0,
    )
    handle = -1
    if known:
        handle = _libc().syscall(_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if handle < 0:
        yield None
        return
    try:
        yield Rules(handle, rights)
    finally:
        os.close(handle)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
