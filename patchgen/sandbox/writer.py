# SPDX-License-Identifier: GPL-2.0-only
"""Files that the user named to be written: whole or not at all, and nothing but files.

A device, a FIFO or a folder stays what it is; a link stays one, and its target is written.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from patchgen.model.outcome import UserError

_HINT = "name a file to write"


def check_given(path: Path) -> None:
    """UserError where :func:`write_given` would refuse ``path``: ask before long work."""
    try:
        real = Path(os.path.realpath(path))
        _mode(real, path)
        folder = next(one for one in real.parents if one.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError("cannot be written: no permission", str(path), _HINT)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", str(path), _HINT) from None


def write_given(path: Path, data: bytes) -> None:
    """Write ``data`` to a file that the user named, and the folders above it.

    Whoever reads it meanwhile sees the old content or the new.  UserError: it cannot be.
    """
    try:
        real = Path(os.path.realpath(path))
        mode = _mode(real, path)
        real.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=real.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                os.fchmod(handle, mode)
            Path(name).replace(real)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", str(path), _HINT) from None


def _mode(real: Path, named: Path) -> int:
    """The mode of the file that is there, or of a new one; UserError: it is no file."""
    try:
        state = os.lstat(real)
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask
    if not stat.S_ISREG(state.st_mode):  # also a link in a circle: realpath() leaves it
        raise UserError("is no regular file", str(named), _HINT)
    return stat.S_IMODE(state.st_mode)
