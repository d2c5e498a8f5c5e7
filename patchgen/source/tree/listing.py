# SPDX-License-Identifier: GPL-2.0-only
"""What trees there are: listed ones, present or not, and others of the folder."""

from __future__ import annotations

from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.source.tree import fetch, registry
from patchgen.source.tree.describe import describe


class Row(Value, frozen=True):
    """One tree; ``size`` in bytes is known of fetched trees only.

    ``source`` is git, debian, bundled or path; for an absent tree the sources
    that it would come from.  ``note`` says what is wrong with a present one.
    """

    name: str
    version: str
    source: str
    where: str
    present: bool
    size: int | None = None
    note: str = ""


def listing(base: Path | None = None) -> list[Row]:
    """All trees of trees.toml in its order, then the folder's other trees by name."""
    entries = registry.load(base).tree
    folder = base or registry.kernel_tree_dir()
    there = look.names(folder) if look.is_folder(folder) else ()
    others = [name for name in there if look.is_folder(folder / name)]
    names = [*entries, *(n for n in others if n not in entries and registry.is_name(n))]
    return [_row(name, entries.get(name), base) for name in names]


def _row(name: str, entry: registry.Entry | None, base: Path | None) -> Row:
    place = registry.location(name, base)
    if place is None:
        sources = "bundled" if entry and entry.bundled else "git, debian"
        wanted = entry.tag.removeprefix("v") if entry else ""
        return Row(name, wanted, sources, "", False)
    try:
        tree = describe(place, name)
    except UserError as error:
        return Row(name, "", "path", str(place), False, note=error.what)
    origin = fetch.origin(tree.path)
    if origin is not None:
        return Row(name, tree.version, origin.source, tree.root, True, origin.size)
    source = "bundled" if entry and entry.bundled else "path"
    return Row(name, tree.version, source, tree.root, True)
