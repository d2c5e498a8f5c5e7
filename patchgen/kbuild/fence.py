# SPDX-License-Identifier: GPL-2.0-only
"""A build that can write into its own folders, nowhere else.

Makefiles and build tools come with the tree and with the series, and the view of the
tree is made of links into it: whatever they do, the tree and the user's files stay as
they are.  Landlock (Documentation/userspace-api/landlock.rst) takes the right to write
away from a child for good; reading and the network are not limited.  Its first version
forbids all renames between folders, which kconfig does: Linux 5.19 has the second.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from patchgen.source.clang.confine import (
    ADD_RULE,
    CREATE,
    PATH_BENEATH,
    PR_SET_NO_NEW_PRIVS,
    RESTRICT,
    Beneath,
)

#: LANDLOCK_ACCESS_FS_*: write_file; remove_dir to make_sym, and refer (version 2);
#: truncate (version 3).
_WRITE_FILE = 1 << 1
_WRITE = _WRITE_FILE | sum(1 << bit for bit in range(4, 14))
_TRUNCATE = 1 << 14
_VERSION = 1


@contextlib.contextmanager
def fence(folders: Iterable[Path]) -> Iterator[Callable[[], None] | None]:
    """What a new child calls to be kept to ``folders``; None: no Landlock that can do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE, None, 0, _VERSION)
    if version < 2:
        yield None
        return
    rights = _WRITE | (_TRUNCATE if version >= 3 else 0)
    handled = ctypes.c_uint64(rights)
    rules = libc.syscall(CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if rules < 0:
        yield None
        return
    try:
        for folder in folders:
            _allow(libc, rules, folder, rights)
        for name in ("null", "zero", "full"):
            _allow(libc, rules, Path("/dev", name), rights & (_WRITE_FILE | _TRUNCATE))

        def enter() -> None:
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            if libc.syscall(RESTRICT, rules, 0) != 0:
                os._exit(126)

        yield enter
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = Beneath(rights, handle)
        libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)
