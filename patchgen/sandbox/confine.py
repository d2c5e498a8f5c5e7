# SPDX-License-Identifier: GPL-2.0-only
"""A parser that can read the tree and the overlay, and nothing else.

An ``#include`` of a hostile tree may name any file of the machine, by an absolute path
or through a symbolic link, and clang opens it before anybody can object.  Landlock takes
the right to away from a worker for good.  Where the kernel does not have it, a file that
read outside is still refused afterwards, before anything that clang said of it is looked
at (see :mod:`patchgen.source.clang.unit`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from patchgen.sandbox import landlock


def confine(places: Iterable[Path]) -> bool:
    """Let this process read ``places`` (folders, all beneath, or files), and change nothing.

    Its own program is not among them: what is imported later is not found.  It cannot be
    undone; call it in a worker.  False: this kernel has no Landlock.
    """
    with landlock.rules(landlock.READ | landlock.WRITE | landlock.IOCTL) as rules:
        if rules is None:
            return False
        for place in places:
            rules.allow(place, landlock.READ)
        return rules.enter()
