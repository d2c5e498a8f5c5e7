# SPDX-License-Identifier: GPL-2.0-only
"""A folder of quilt's: its ``series`` file says which patches, and in which order."""

from __future__ import annotations

import re
from pathlib import Path

from patchgen.model.outcome import UserError


def listed(folder: Path, text: str) -> list[Path]:
    """The files that the ``series`` file with this ``text`` names, in its order.

    UserError for a path that leaves the folder and for an option other than ``-p1``.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{folder / 'series'}:{number}"
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if not words:
            continue
        for option in words[1:]:
            if option not in ("-p1", "-p1ab", "-pab"):
                hint = "quilt refresh -p1 rewrites the patch"
                raise UserError(f"{option}: only -p1 is read, as git am does", where, hint)
        path = Path(words[0])
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{words[0]!a} leaves the folder", where, "name files below it")
        found.append(folder / path)
    if not found:
        raise UserError("names no patch", str(folder / "series"), "list one file a line")
    return found
