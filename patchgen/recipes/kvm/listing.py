# SPDX-License-Identifier: GPL-2.0-only
"""Which files there are below a folder of a tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from patchgen.sandbox import look


def listing(root: Path) -> Callable[[str], tuple[str, ...]]:
    """A function from a folder to the files below it, sorted; from ``arch/`` to the names in it.

    Links are not followed.
    """
    known: dict[str, tuple[str, ...]] = {}

    def listed(folder: str) -> tuple[str, ...]:
        if folder not in known:
            known[folder] = _listed(root, folder)
        return known[folder]

    return listed


def _listed(root: Path, folder: str) -> tuple[str, ...]:
    place = root / folder
    if look.kind(place) != "folder":
        return ()
    if folder.endswith("/"):
        names = look.names(place)
        return tuple(name for name in names if look.is_folder(place / name))
    found = look.below(place)
    return tuple(sorted(f"{folder}/{one.path}" for one in found if one.kind != "folder"))
