# SPDX-License-Identifier: GPL-2.0-only
"""The mmu notifier API as a flat set of names: what a tree has, or should have.

A name stands in one or both of two branches: ``on`` is the header with
CONFIG_MMU_NOTIFIER, ``off`` the header without it.
"""

from __future__ import annotations

from collections.abc import Iterable

from patchgen.model.base import Place, Value
from patchgen.model.facts import Diagnostic

#: The header that holds the API, the interval notifiers (5.5 and later) included.
HEADER = "include/linux/mmu_notifier.h"
BRANCHES = ("on", "off")


class Item(Value, frozen=True, order=True):
    """One name of the API in one branch.

    ``name`` is the identifier, members as ``struct.member``.  ``kind`` is
    struct, member, function, enum, enumerator or macro.  ``text`` is what must
    agree: a member's or function's type without parameter names, an
    enumerator's value, an object-like macro's replacement, a function-like
    macro's number of parameters; "" for a struct and an enum.  ``place`` is
    None in a descriptor.
    """

    branch: str
    name: str
    kind: str
    text: str
    place: Place | None = None


class Surface(Value, frozen=True):
    """All names of a tree's API header, and what clang complained about."""

    items: tuple[Item, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Surface]) -> Surface:
        """Several branches as one."""
        items: list[Item] = []
        diagnostics: set[Diagnostic] = set()
        for part in parts:
            items += part.items
            diagnostics.update(part.diagnostics)
        return cls(tuple(sorted(items)), tuple(sorted(diagnostics)))

    def find(self, name: str, branch: str = "on") -> Item | None:
        """The item ``name`` of a branch, or None."""
        return self.by_key().get((branch, name))

    def by_key(self) -> dict[tuple[str, str], Item]:
        """Items by branch and name."""
        return {(item.branch, item.name): item for item in self.items}
