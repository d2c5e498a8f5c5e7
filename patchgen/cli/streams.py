# SPDX-License-Identifier: GPL-2.0-only
"""stdin, stdout and stderr as a run finds them: closed, a closed pipe, a full disk.

A pipe whose reader went away (``| head``) ends what is shown, not what is done: the rest
goes nowhere, in silence, and the exit status stays that of the run.
"""

from __future__ import annotations

import errno
import io
import os
import sys

from patchgen.model.outcome import UserError


def prepare() -> None:
    """Open closed streams on /dev/null, and let stdout and stderr outlive their readers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened would be taken for the stream.
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _text(1, "stdout", sys.stdout)
    sys.stderr = _text(2, "stderr", sys.stderr)


def _text(number: int, name: str, now: io.TextIOBase | object) -> io.TextIOWrapper:
    encoding = getattr(now, "encoding", None) or "utf-8"
    errors = getattr(now, "errors", None) or "backslashreplace"
    raw = io.BufferedWriter(_Stream(number, name))
    return io.TextIOWrapper(
        raw, encoding=encoding, errors=errors,
        line_buffering=number == 2 or os.isatty(number),
    )  # fmt: skip


class _Stream(io.RawIOBase):
    """A file descriptor that takes all that is written; behind a closed pipe, to nowhere."""

    def __init__(self, number: int, name: str) -> None:
        self.name = f"<{name}>"
        self.mode = "wb"
        self._number = number
        self._what = name

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        try:
            return os.write(self._number, view)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._number)
            os.close(nowhere)
            # Nobody can be told what went wrong with stderr; the exit status still is.
            if self._number == 1 and error.errno not in (errno.EPIPE, errno.EIO):
                raise UserError(f"cannot be written: {error.strerror}", self._what) from None
            return len(view)
