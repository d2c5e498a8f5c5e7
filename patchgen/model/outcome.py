# SPDX-License-Identifier: GPL-2.0-only
"""Results as values, and the one exception that reaches the user.

Functions that can answer "not applicable" return an :data:`Outcome`; they do
not raise for it.  Exceptions derived from :class:`UserError` are for input that
cannot be used at all: they carry what, where and what to do, and the exit
status of the command line (DESIGN, "The command line").
"""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Exit(IntEnum):
    """Exit statuses of every command."""

    CLEAN = 0
    FINDINGS = 1
    UNUSABLE = 2
    REFUSED = 3
    INTERRUPTED = 130


class Done(msgspec.Struct, Generic[T], frozen=True):
    """The work was done; ``value`` is its result."""

    value: T


class Unchanged(msgspec.Struct, frozen=True):
    """Nothing to do: the input already is as wanted."""

    reason: str = ""


class Skipped(msgspec.Struct, frozen=True):
    """Deliberately not done; ``reason`` says why, in a sentence."""

    reason: str


class Failed(msgspec.Struct, frozen=True):
    """Tried and failed; ``error`` is one line: what, where, what to do."""

    error: str


def located(path: str, error: str) -> str:
    """An error of a file as one line that names the file, and once."""
    return error if error == path or error.startswith(f"{path}:") else f"{path}: {error}"


class UserError(Exception):
    """Input that cannot be used: one clear line and an exit status.

    ``what`` is the fault, ``where`` a ``file:line`` or a path (may be empty),
    ``hint`` what to do about it (may be empty), ``evidence`` what shows it, each a line of
    its own behind the fault.
    """

    exit_status = Exit.UNUSABLE

    def __init__(
        self, what: str, where: str = "", hint: str = "", evidence: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.evidence = evidence

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} ({self.hint})" if self.hint else line


class Refused(UserError):
    """The tree is understood, and the request is refused for it."""

    exit_status = Exit.REFUSED


class CheckFailed(UserError):
    """A verification failed: nothing was written."""

    exit_status = Exit.FINDINGS
