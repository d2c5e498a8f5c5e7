# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of one patch's checks."""

from __future__ import annotations

from patchgen.model.base import Value
from patchgen.verify.lint_delta import LintDelta


class PatchCheck(Value, frozen=True):
    """One row of the verification table.

    ``faults`` are the reasons for which the series must not ship; empty: verified.
    """

    subject: str
    applies: bool
    parsed: int
    parse_faults: tuple[str, ...]
    api: str
    lint: LintDelta
    style: str
    faults: tuple[str, ...]
