# SPDX-License-Identifier: GPL-2.0-only
"""Folders for a run's own files in TMPDIR, which no run leaves there for good.

A folder is locked by the run that has it, and the kernel takes the lock when that ends,
however it ends: what a killed run left is found by the next one that needs a folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from patchgen.model.outcome import UserError

_PREFIX, _NEW = "patchgen-run-", ".patchgen-run-"
_OLD = 3600.0  # seconds: nobody takes that long to lock what it made
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HINT = "free some, or set TMPDIR to another folder"


class Aside:
    """A folder of this run's own, ``path``; removed when the block, or the run, ends.

    ``parent`` is where it is made, by default the folder for temporary files.  UserError:
    it cannot be made there.
    """

    def __init__(self, parent: Path | None = None) -> None:
        try:
            place = Path(tempfile.gettempdir()) if parent is None else parent
            sweep(place)
            made = Path(tempfile.mkdtemp(prefix=_NEW, dir=place))
            self._lock = os.open(made, _FLAGS)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            # Under its last name it is locked, so that nobody takes it for a killed run's.
            self.path = made.with_name(f"{_PREFIX}{made.name.removeprefix(_NEW)}")
            made.rename(self.path)
        except OSError as error:
            where = str(error.filename or tempfile.tempdir or "")
            what = f"no folder for temporary files can be made: {error.strerror}"
            raise UserError(what, where, _HINT) from None

    def close(self) -> None:
        """Remove it, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # a fork gave it up, with all descriptors
            os.close(self._lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@functools.cache
def sweep(place: Path) -> None:
    """Remove what killed runs left in a folder; once a run."""
    with contextlib.suppress(OSError):
        for name in os.listdir(place):  # noqa: PTH208
            if name.startswith((_PREFIX, _NEW)):
                _take(place / name)


def _take(folder: Path) -> None:
    """Remove a folder of this user's that nobody holds."""
    try:
        handle = os.open(folder, _FLAGS)
    except OSError:
        return  # a file, a link, or another user's
    try:
        state = os.fstat(handle)
        ours = state.st_uid == os.geteuid() and not state.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        young = folder.name.startswith(_NEW) and time.time() - state.st_mtime < _OLD
        if ours and not young:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # somebody works in it
    finally:
        os.close(handle)


@contextlib.contextmanager
def given_aside(data: bytes) -> Iterator[int]:
    """A descriptor to read ``data`` from, which no folder shows.  UserError: no room for it."""
    try:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            yield file.fileno()
    except OSError as error:
        raise UserError(f"no room for temporary files: {error.strerror}", "", _HINT) from None
