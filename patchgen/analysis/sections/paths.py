# SPDX-License-Identifier: GPL-2.0-only
"""What is known on one path about ranges, and what a walk of a function yields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.sections.state import Range
from patchgen.analysis.values.value import Known
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step


class PathState(msgspec.Struct, frozen=True):
    """The ranges that the path has touched, by canonical text; decided guards."""

    ranges: frozenset[tuple[str, Range]] = frozenset()
    decided: frozenset[tuple[str, bool]] = frozenset()
    notes: frozenset[str] = frozenset()

    def get(self, key: str) -> Range | None:
        return next((known for name, known in self.ranges if name == key), None)

    def put(self, key: str, after: Range) -> PathState:
        kept = {entry for entry in self.ranges if entry[0] != key}
        return msgspec.structs.replace(self, ranges=frozenset(kept | {(key, after)}))


class Observer:
    """A rule's own question, asked along the walk of one function.

    It keeps notes (strings) for each path; paths with different notes do not meet.
    """

    def watches(self, call: Expr) -> bool:
        """Whether :meth:`call` wants to see this call."""
        return False

    def call(
        self,
        notes: frozenset[str],
        ranges: Mapping[str, Range],
        event: Event,
        here: Here,
    ) -> frozenset[str] | tuple[tuple[frozenset[str], Known | None], ...]:
        """The notes after the call, asked before it takes effect on ``ranges``.

        Several, each with what the call evaluates to, split the path.
        """
        return notes

    def leaves(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> None:
        """The path leaves the function."""


class RangeExit(msgspec.Struct, frozen=True):
    """One way out: the caller's ranges that were touched, the value, the witness."""

    ranges: frozenset[tuple[str, Range]]
    value: Known
    event: Event
    steps: tuple[Step, ...]


class RangeFault(NamedTuple):
    """A misuse of a range, with its witness."""

    kind: str
    message: str
    event: Event
    function: Function
    steps: tuple[Step, ...]


class RangeSummary(msgspec.Struct, frozen=True):
    """What one function does to ranges; ``incomplete`` says why silence means nothing."""

    exits: tuple[RangeExit, ...] = ()
    faults: tuple[RangeFault, ...] = ()
    incomplete: str = ""
