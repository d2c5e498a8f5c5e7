# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree that is on this machine already: it is linked, never copied."""

from __future__ import annotations

import os
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.source.tree.describe import Tree, describe
from patchgen.source.tree.registry import environment_name


def from_environment(name: str) -> Path | None:
    """The path that the tree's environment variable gives, if it is set."""
    value = os.environ.get(environment_name(name))
    return Path(value) if value else None


def adopt(path: Path, name: str, series: str) -> Tree:
    """The tree at ``path`` for ``name``; ``series`` ("5.10", or "" for any) must fit.

    Raises UserError when there is no kernel, or one of another series.
    """
    try:
        tree = describe(path.expanduser(), name)
    except RuntimeError:
        raise UserError("nobody's home folder", str(path), "give the folder's path") from None
    require_series(tree, series)
    return tree


def require_series(tree: Tree, series: str) -> None:
    """Raise UserError unless the tree's version is of ``series`` (or that is "")."""
    if series and tree.version != series and not tree.version.startswith(f"{series}."):
        raise UserError(
            f"this is Linux {tree.version}, not {series}", tree.root, "choose a name with --as NAME"
        )
