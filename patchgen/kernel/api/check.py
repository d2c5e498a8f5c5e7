# SPDX-License-Identifier: GPL-2.0-only
"""A tree's API surface held against a generation, and which one it is.

The generation comes from the names alone, never from a version number: stable
and vendor trees carry backports, so the answer is a generation and deviations.
"""

from __future__ import annotations

from patchgen.kernel.api.descriptor import Descriptor, all_descriptors
from patchgen.kernel.api.surface import Item, Surface
from patchgen.model.base import Value


class Different(Value, frozen=True):
    """A name that the tree has otherwise than the descriptor says."""

    wanted: Item
    found: Item


class Comparison(Value, frozen=True):
    """What of a descriptor a tree has.

    ``extra`` are names the tree has beyond the descriptor: no fault, but what
    tells a backport.
    """

    generation: str
    present: tuple[Item, ...]
    missing: tuple[Item, ...]
    different: tuple[Different, ...]
    extra: tuple[Item, ...]

    @property
    def conforms(self) -> bool:
        """Nothing missing and nothing different."""
        return not self.missing and not self.different


class Identity(Value, frozen=True):
    """The nearest generation, and how the tree deviates from it.

    The deviations are names, each once: ``added`` beyond the generation,
    ``lacking`` from it, ``changed`` in kind or type.
    """

    generation: str
    added: tuple[str, ...]
    lacking: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether nothing deviates."""
        return not (self.added or self.lacking or self.changed)

    def __str__(self) -> str:
        parts = [f" + {name}" for name in self.added] + [f" - {name}" for name in self.lacking]
        parts += [f" with another {name}" for name in self.changed]
        return self.generation + "".join(parts)


def compare(surface: Surface, descriptor: Descriptor, whole: bool = False) -> Comparison:
    """Hold ``surface`` against ``descriptor``.

    A target's check is about the target's own names only, unless ``whole``.
    """
    found = surface.by_key()
    present: list[Item] = []
    missing: list[Item] = []
    different: list[Different] = []
    wanted = {(item.branch, item.name): item for item in descriptor.items}
    for key, item in wanted.items():
        if not (whole or descriptor.concerns(item.name)):
            continue
        here = found.get(key)
        if here is None:
            if not descriptor.may_lack(item):
                missing.append(item)
        elif (here.kind, here.text) != (item.kind, item.text):
            different.append(Different(item, here))
        else:
            present.append(here)
    extra = [
        item
        for key, item in found.items()
        if key not in wanted and (whole or descriptor.concerns(item.name))
    ]
    return Comparison(
        descriptor.name, tuple(present), tuple(missing), tuple(different), tuple(extra)
    )


def identify(surface: Surface) -> Identity:
    """The generation with the fewest deviations; of equals, the latest."""
    compared = [compare(surface, descriptor, whole=True) for descriptor in all_descriptors()]
    best = min(reversed(compared), key=_distance)
    return Identity(
        best.generation,
        _names(best.extra),
        _names(best.missing),
        tuple(sorted({d.found.name for d in best.different})),
    )


def _distance(compared: Comparison) -> int:
    return len(compared.missing) + len(compared.different) + len(compared.extra)


def _names(items: tuple[Item, ...]) -> tuple[str, ...]:
    """Each name once; a whole struct or enum stands for its parts."""
    names = {item.name for item in items}
    whole = {item.name for item in items if item.kind == "struct"}
    return tuple(sorted(n for n in names if n.rpartition(".")[0] not in whole))
