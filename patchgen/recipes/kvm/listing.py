# SPDX-License-Identifier: GPL-2.0-only
"""Which files there are below a folder of a tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


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
    if not place.is_dir() or place.is_symlink():
        return ()
    if folder.endswith("/"):
        return tuple(sorted(entry.name for entry in place.iterdir() if entry.is_dir()))
    found = []
    for here, _, files in os.walk(place):
        found += [(Path(here) / name).relative_to(root).as_posix() for name in files]
    return tuple(sorted(found))
