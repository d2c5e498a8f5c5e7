# SPDX-License-Identifier: GPL-2.0-only
"""A build that can write into its own folders, nowhere else.

Makefiles and build tools come with the tree and with the series, and the view of the
tree is made of links into it: whatever they do, the tree and the user's files stay as
they are.  Landlock (Documentation/userspace-api/landlock.rst) takes the right to write
away from a child for good; reading and the network are not limited.  Its first version
forbids all renames between folders, which kconfig does: Linux 5.19 has the second.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from patchgen.sandbox import landlock


@contextlib.contextmanager
def fence(folders: Iterable[Path]) -> Iterator[Callable[[], None] | None]:
    """What a new child calls to be kept to ``folders``; None: no Landlock that can do it."""
    if landlock.version() < 2:
        yield None
        return
    with landlock.rules(landlock.WRITE) as rules:
        if rules is None:
            yield None
            return
        for folder in folders:
            rules.allow(folder, landlock.WRITE)
        for name in ("null", "zero", "full"):
            rules.allow(Path("/dev", name), landlock.WRITE)

        def enter() -> None:
            if not rules.enter():
                os._exit(126)

        yield enter
