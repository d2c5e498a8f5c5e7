# SPDX-License-Identifier: GPL-2.0-only
"""A parser that can read the tree, the overlay and its own program, and nothing else.

An ``#include`` of a hostile tree may name any file of the machine, by an absolute path
or through a symbolic link, and clang opens it before anybody can object.  Landlock
(Linux 5.13, Documentation/userspace-api/landlock.rst) takes the right to away from a
worker for good.  Where the kernel does not have it, the file that read outside is still
refused afterwards (see :mod:`patchgen.source.facts.store`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

# System call numbers are the same on every architecture (include/uapi/asm-generic/unistd.h).
CREATE, ADD_RULE, RESTRICT = 444, 445, 446
PR_SET_NO_NEW_PRIVS = 38
#: LANDLOCK_ACCESS_FS_*: execute, read_file, read_dir; all rights of the first version.
_READ = 1 << 0 | 1 << 2 | 1 << 3
_ALL = (1 << 13) - 1
PATH_BENEATH = 1


class Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def confine(folders: Iterable[Path]) -> bool:
    """Let this process read below ``folders`` and its own program only, and write nothing.

    It cannot be undone; call it in a worker.  False: this kernel has no Landlock.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    handled = ctypes.c_uint64(_ALL)
    rules = libc.syscall(CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if rules < 0:
        return False
    try:
        for folder in (*folders, *_program()):
            _allow(libc, rules, folder)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _program() -> list[Path]:
    """Where the interpreter, its packages and shared libraries lie."""
    named = {sys.prefix, sys.base_prefix, sys.exec_prefix, "/usr", "/lib", "/lib64"}
    # sys.path is no guide: it may begin with the folder that the program was called in.
    return [Path(name) for name in sorted(named | {str(Path(__file__).parents[3])})]


def _allow(libc: ctypes.CDLL, rules: int, folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if folder.is_dir():
            rule = Beneath(_READ, handle)
            libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)
