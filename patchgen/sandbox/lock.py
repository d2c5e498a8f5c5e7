# SPDX-License-Identifier: GPL-2.0-only
"""Locks on files: held until the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def held(path: Path) -> int:
    """A descriptor of a file that is locked beside others; waits for who has it alone.

    OSError: the file cannot be made.
    """
    handle = os.open(path, _FLAGS, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def taken(path: Path) -> int | None:
    """A descriptor of a file that is locked alone; None: somebody has it.  OSError as above."""
    handle = os.open(path, _FLAGS, 0o600)
    if alone(handle):
        return handle
    os.close(handle)
    return None


def alone(handle: int) -> bool:
    """Turn a lock into one that nobody else has; False: somebody else has it, too."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def beside(handle: int) -> None:
    """Turn a lock back into one that others may have, too."""
    fcntl.flock(handle, fcntl.LOCK_SH)


def append(path: Path, data: bytes) -> None:
    """Add to the end of a file of the user's own, in one step.  OSError: it cannot be."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    handle = os.open(path, flags, 0o600)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
