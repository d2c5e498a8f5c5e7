# SPDX-License-Identifier: GPL-2.0-only
"""Files of a tree as people name them: one place that understands every spelling.

A path is meant from where the user stands; where nothing is there, from the tree's top,
as findings print it.  ``./a.c``, ``x/../a.c``, an absolute path and a path through a
symbolic link all mean the one path that the tree itself has for the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look


def tree_path(root: str, given: str, here: str | None = None) -> str:
    """``given`` as a path from the top of the tree at ``root``; "" is the top itself.

    ``root`` is absolute, links resolved; ``here`` is the folder that relative paths are
    meant from (default: the current one).  UserError: there is no such file or folder in
    the tree, or it is reached from the tree only by leaving it.
    """
    if not given or "\0" in given:
        raise UserError("not a path", ascii(given))
    if any("\ud800" <= letter <= "\udfff" for letter in given):
        raise UserError("the name is no UTF-8", ascii(given))
    inside = False
    for place in _places(root, given, here):
        real = os.path.realpath(place)
        if not _in(root, real) and _in(root, os.path.normpath(place)) and _there(place):
            raise UserError("symbolic link leads out of the tree", given)
        if _in(root, real):
            inside = True
            if _there(place):
                return "" if real == root else os.path.relpath(real, root)
    if not inside:
        raise UserError("is outside the tree", given, f"the tree is {root}")
    raise UserError("no such file in the tree", given, f"the tree is {root}")


def _in(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def _there(place: str) -> bool:
    try:
        return look.is_there(place)
    except OSError as error:
        raise UserError(f"cannot be looked up: {error.strerror}", place[:200]) from None


def spelled(root: str, given: str) -> str:
    """``given`` as a patch names it: plain, from the top; the file need not be there."""
    plain = os.path.normpath(given)
    if plain.startswith("/"):
        return os.path.relpath(os.path.realpath(plain), root)
    return plain


def _places(root: str, given: str, here: str | None) -> Iterator[str]:
    """Where the file may lie, the likeliest first; ``..`` behind a link is the link's."""
    if given.startswith("/"):
        yield given
        return
    yield f"{here or Path.cwd()}/{given}"
    yield f"{root}/{given}"
