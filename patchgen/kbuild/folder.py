# SPDX-License-Identifier: GPL-2.0-only
"""A build's folder in the cache, for one run at a time."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from patchgen import memo
from patchgen.model.outcome import UserError


@contextlib.contextmanager
def locked(kind: str, key: str, waiting: Callable[[], None]) -> Iterator[Path]:
    """The folder ``kind/key`` below the cache, made where it is not there.

    While another run has it, ``waiting`` is called every second.  UserError: the cache
    cannot be written.
    """
    folder = memo.cache_dir() / kind / key
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", str(folder)) from error
    with lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(1)
        yield folder
