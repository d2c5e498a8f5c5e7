# SPDX-License-Identifier: GPL-2.0-only
"""How a process that this one made ends with it, and holds nothing of its.

A part of :mod:`patchgen.sandbox.child` that needs nothing to start programs with.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def not_without(parent: int) -> None:
    """End this process where ``parent``, which forked it, ended before :func:`die_with_parent`.

    The signal is for what happens after the call: of an end before it nobody tells.
    """
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def follower() -> Callable[[], None]:
    """What a child of this process calls before its program, to end with this process."""
    return functools.partial(_follow, os.getpid())


def _follow(parent: int) -> None:
    die_with_parent()
    not_without(parent)


def let_go(*kept: int) -> None:
    """Give up every descriptor that a fork inherited but ``kept``; standard streams, too.

    A worker must hold neither the run's output nor the other end of its own pipe.  The
    numbers stay taken, by the null device: an object of the parent that is collected here
    still closes its own.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in _descriptors():
        with contextlib.suppress(OSError):  # the listing's own
            os.fstat(number)
            if number not in (*kept, null):
                os.dup2(null, number, inheritable=number < 3)
    os.close(null)


def _descriptors() -> list[int]:
    try:
        return [int(entry.name) for entry in os.scandir("/proc/self/fd")]
    except OSError:
        return list(range(os.sysconf("SC_OPEN_MAX")))


def worked(pid: int | None) -> str | None:
    """The time that each thread of a process worked; None where one is not asleep."""
    found = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            fields = (thread / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            if fields[0] != "S":  # proc(5): sleeping, for no disk
                return None
            found.append(f"{thread.name} {fields[11]} {fields[12]}")
    except (OSError, IndexError):
        return None
    return "\n".join(found)
