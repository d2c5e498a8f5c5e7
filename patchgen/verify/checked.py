# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of one patch's checks."""

from __future__ import annotations

from patchgen.model.base import Value
from patchgen.verify.coverage import ANALYSED, NOT_ANALYSED, FileVerdict
from patchgen.verify.lint_delta import LintDelta


class PatchCheck(Value, frozen=True):
    """One row of the verification table.

    ``parsed`` of ``asked`` files have nothing new to complain of: the patch's own
    (``files``, each with its verdict) and the ``users`` of what it changes.  ``faults`` are
    the reasons for which the series must not ship; empty: verified.  ``undecided`` is
    notifier code that was not analysed, ``remarks`` do not make a patch fail.
    """

    subject: str
    applies: bool
    parsed: int
    asked: int
    parse_faults: tuple[str, ...]
    api: str
    lint: LintDelta
    style: str
    faults: tuple[str, ...]
    files: tuple[FileVerdict, ...] = ()
    users: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def parse_cell(self) -> str:
        """``3/3``; "-" where no kernel code is touched."""
        return f"{self.parsed}/{self.asked}" if self.asked else "-"

    @property
    def lint_cell(self) -> str:
        """Numbers for the files that were analysed; the others are counted apart."""
        lost = len(self.lint.lost) + sum(
            v.state == NOT_ANALYSED and v.path not in dict(self.lint.lost) for v in self.files
        )
        parts = []
        if self.lint.analysed and any(v.state == ANALYSED for v in self.files):
            parts.append(f"{len(self.lint.introduced)} new")
            if self.lint.fixed:
                parts.append(f"{len(self.lint.fixed)} fixed")
        if lost:
            parts.append(f"{lost} not analysed" if parts or lost > 1 else "not analysed")
        return ", ".join(parts) or "-"


def undecided_of(files: tuple[FileVerdict, ...], lint: LintDelta) -> tuple[str, ...]:
    """Notifier code of a patch that nothing was said about, a line each."""
    whole = [v for v in files if v.state == NOT_ANALYSED and not v.partly]
    told = [str(v) for v in whole if v.notifier]
    paths = {v.path for v in whole}
    told += [
        f"{path}: not analysed: {why.removeprefix('not analysed: ')}"
        for path, why in lint.lost
        if path not in paths
    ]
    lost = paths | {path for path, _ in lint.lost}
    off = [mention for mention in lint.off if mention.path not in lost]
    told += [
        f"{m.path}:{m.line}: {m.name} is not analysed: {m.state}"
        + (f" ({m.detail})" if m.detail else "")
        for m in off
    ]
    return tuple(dict.fromkeys(told))
