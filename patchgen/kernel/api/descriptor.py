# SPDX-License-Identifier: GPL-2.0-only
"""The API's generations as data: ``generations/<name>.toml``, one a file.

A file says what differs from its ``base`` generation; loading gives the whole
list of names.  To add a generation, add a file: nothing else lists them.

Layout of a file::

    summary = "one line"
    order = 20                   # position in time, for listings
    base = "5.0"                 # optional: start from this generation's names
    target = ["mmu_notifier_*"]  # optional: a target, held only against these names
    remove = ["struct.member", "on:name", ...]
    optional = ["off:name", ...] # may be there or not

    [any.members.mmu_notifier_range]    # any, on or off; then members, functions,
    mm = "struct mm_struct *"           # enumerators or macros
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from patchgen.kernel.api.surface import BRANCHES, Item
from patchgen.model.base import Value
from patchgen.model.outcome import UserError

_FOLDER = Path(__file__).parent / "generations"
_BIT = re.compile(r"^BIT\((\d+)\)$")


class Descriptor(Value, frozen=True):
    """One generation: its names, and for a target the names that it is about."""

    name: str
    summary: str
    order: int
    items: tuple[Item, ...]
    target: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def may_lack(self, item: Item) -> bool:
        """Whether a tree conforms without ``item``, too."""
        return f"{item.branch}:{item.name}" in self.optional

    def concerns(self, name: str) -> bool:
        """Whether the check against this descriptor is about ``name``."""
        return not self.target or any(fnmatchcase(name, pattern) for pattern in self.target)


def names() -> tuple[str, ...]:
    """Names of all generations, in their order in time."""
    return tuple(d.name for d in all_descriptors())


@lru_cache(maxsize=1)
def all_descriptors() -> tuple[Descriptor, ...]:
    """Every generation, in order in time."""
    found = (load(path.stem) for path in _FOLDER.glob("*.toml"))
    return tuple(sorted(found, key=lambda descriptor: descriptor.order))


@lru_cache(maxsize=32)
def load(name: str) -> Descriptor:
    """The generation ``name``; UserError with the list when there is none."""
    path = _FOLDER / f"{name}.toml"
    if name not in {known.stem for known in _FOLDER.glob("*.toml")}:
        known_names = ", ".join(sorted(known.stem for known in _FOLDER.glob("*.toml")))
        raise UserError(f"no API generation {name!r}", hint=f"one of {known_names}")
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    items: dict[tuple[str, str], Item] = {}
    if "base" in data:
        items = {(item.branch, item.name): item for item in load(data["base"]).items}
    for pattern in data.get("remove", ()):
        _remove(items, pattern, name)
    for section in ("any", *BRANCHES):
        for branch in BRANCHES if section == "any" else (section,):
            for item in _items(branch, data.get(section, {})):
                items[branch, item.name] = item
    return Descriptor(
        name,
        data["summary"],
        data["order"],
        tuple(sorted(items.values())),
        tuple(data.get("target", ())),
        tuple(data.get("optional", ())),
    )


def _remove(items: dict[tuple[str, str], Item], entry: str, generation: str) -> None:
    branch, _, name = entry.rpartition(":")
    gone = [
        key
        for key in items
        if (key[1] == name or key[1].startswith(f"{name}.")) and branch in ("", key[0])
    ]
    if not gone:
        raise ValueError(f"generation {generation} removes {entry}, which its base does not have")
    for key in gone:
        del items[key]


def _items(branch: str, section: Mapping[str, Any]) -> list[Item]:
    found: list[Item] = []
    for struct, members in section.get("members", {}).items():
        found.append(Item(branch, struct, "struct", ""))
        found += [Item(branch, f"{struct}.{m}", "member", text) for m, text in members.items()]
    for enum, enumerators in section.get("enumerators", {}).items():
        found.append(Item(branch, enum, "enum", ""))
        found += [Item(branch, e, "enumerator", str(value)) for e, value in enumerators.items()]
    for kind in ("functions", "macros"):
        found += [
            Item(branch, name, kind.removesuffix("s"), macro_text(text))
            for name, text in section.get(kind, {}).items()
        ]
    return found


def macro_text(value: str | int) -> str:
    """A macro's text: its replacement, or for a number that many parameters.

    ``BIT(n)`` and ``(1 << n)`` are one value written in two ways.
    """
    if not isinstance(value, str):
        return f"macro with {value} parameters"
    return _BIT.sub(r"(1<<\1)", value)
