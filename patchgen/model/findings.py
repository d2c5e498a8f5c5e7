# SPDX-License-Identifier: GPL-2.0-only
"""What a rule reports, and what it could not decide."""

from __future__ import annotations

from patchgen.model.base import Place, Span, Value


class Step(Value, frozen=True):
    """One step of a witness, in execution order."""

    place: Place
    text: str


class Finding(Value, frozen=True):
    """A rule's finding with the path on which the fault happens.

    ``rule`` is the ID (MN020), ``severity`` error, warning or note; ``span`` the
    bytes to underline; ``path_steps`` the witness, in execution order.
    """

    rule: str
    severity: str
    place: Place
    column: int
    span: Span
    message: str
    path_steps: tuple[Step, ...]
    function: str = ""


class Undecided(Value, frozen=True):
    """A place where a rule could not decide, with the reason."""

    rule: str
    place: Place
    reason: str
