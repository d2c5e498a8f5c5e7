# SPDX-License-Identifier: GPL-2.0-only
"""What a request comes to on one tree, as values."""

from __future__ import annotations

import msgspec

from patchgen.model.base import Value
from patchgen.model.plan import AlreadyThere, Landing, Patch, PatchPlan, Refusal
from patchgen.source.facts.state import TreeState


class Planned(msgspec.Struct, frozen=True):
    """A patch to be generated, with the states before and behind it, and where it lands."""

    plan: PatchPlan
    patch: Patch
    before: TreeState
    after: TreeState
    landings: tuple[Landing, ...] = ()


class SeriesPlan(msgspec.Struct, frozen=True):
    """What a request comes to on one tree.

    ``recipes`` are all that took part, in order; ``already`` what the tree has.
    With a refusal nothing is generated.
    """

    recipes: tuple[str, ...]
    planned: tuple[Planned, ...]
    already: tuple[AlreadyThere, ...]
    refusals: tuple[Refusal, ...]
    first: TreeState
    last: TreeState

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The patches, in order."""
        return tuple(planned.patch for planned in self.planned)


class Choice(Value, frozen=True):
    """Which patches of a plan are wanted: names of recipes, or subjects' numbers."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    until: str = ""
