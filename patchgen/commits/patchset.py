# SPDX-License-Identifier: GPL-2.0-only
"""A series as it was read, whoever wrote it: what applying and checking it needs."""

from __future__ import annotations

from patchgen.commits.diff import FileChange
from patchgen.commits.identity import Identity
from patchgen.model.base import Value


class ReadPatch(Value, frozen=True):
    """One patch of a series.

    ``where`` names its file (and message in it).  ``message`` is the commit message
    as git am would record it, without the final newline; ``note`` the text below
    its ``---``.  ``date`` is seconds since the epoch, ``zone`` as in ``+0100``.
    ``diff`` is the patch part, ``changes`` what it does to which file; ``applied`` is
    what git am hands to git apply, which begins with the ``---`` and ends with the diff.
    ``lacks`` is "" for a mail, and says what a patch that came as none has not.
    ``mail`` is the whole mail, decoded, as ``git am`` takes it without surprises.
    """

    number: int
    where: str
    subject: str
    message: str
    author: Identity
    date: int
    zone: str
    diff: bytes
    applied: bytes
    changes: tuple[FileChange, ...]
    mail: bytes
    note: str = ""
    lacks: str = ""
    message_id: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the patch reads or writes, sorted."""
        both = {path for change in self.changes for path in (change.old, change.new) if path}
        return tuple(sorted(both))


class CoverMail(Value, frozen=True):
    """The cover letter of a series that was read: its title and its text."""

    title: str
    text: str
    message_id: str = ""


class Series(Value, frozen=True):
    """A whole series in order: patches 1..n of one version.

    ``partial`` marks a slice of a series.  ``base`` is its
    ``base-commit:``, ``change_id`` its ``change-id:`` (each "" without one).
    ``notes`` say what was set aside while reading, ``caveats`` what a verdict on it does
    not cover: patches that are not there (first), and what makes it no series for git am.
    """

    patches: tuple[ReadPatch, ...]
    version: int
    total: int
    cover: CoverMail | None = None
    base: str = ""
    change_id: str = ""
    partial: bool = False
    notes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def which(self) -> str:
        """Which of the series' patches these are: ``patches 2 to 3 of 7``."""
        first, last = self.patches[0].number, self.patches[-1].number
        named = f"patch {first}" if first == last else f"patches {first} to {last}"
        return f"{named} of {self.total}"

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that any patch reads or writes, sorted."""
        return tuple(sorted({path for patch in self.patches for path in patch.paths}))
