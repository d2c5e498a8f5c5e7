# SPDX-License-Identifier: GPL-2.0-only
"""What judgements on a state say against a plan, remembered by all that they read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from patchgen import memo
from patchgen.model.base import Evidence
from patchgen.recipes.base import State
from patchgen.source.facts.reads import Reads
from patchgen.source.facts.store import program

Read: TypeAlias = Callable[[str], bytes | None]
Listed: TypeAlias = Callable[[str], tuple[str, ...]]

#: Before the name of a folder whose listing is part of what was read; no path begins so.
_FOLDER = "\0"


def _nothing(folder: str) -> tuple[str, ...]:
    return ()


def remembered(
    state: State,
    asked: str,
    judge: Callable[[Read, Listed], tuple[Evidence, ...]],
    listed: Listed = _nothing,
) -> tuple[Evidence, ...]:
    """What ``judge`` says of a state; known where all that it read then is the same now.

    ``asked`` is what makes the question another one than what is read; ``listed`` gives
    the files below a folder.  The judge must read by its two arguments alone.
    """

    def source(path: str) -> bytes | None:
        if path[:1] == _FOLDER:
            return "\n".join(listed(path[1:])).encode("utf-8", "surrogateescape")
        return state.read(path)

    reads = Reads("proof", memo.digest(asked, program("analysis", "recipes")), source)
    known: tuple[Evidence, ...] | None = reads.recall(tuple[Evidence, ...])
    if known is not None:
        return known

    def folder(name: str) -> tuple[str, ...]:
        reads.read(_FOLDER + name)
        return listed(name)

    found = judge(reads.read, folder)
    reads.remember(found)
    return found
