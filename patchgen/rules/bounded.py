# SPDX-License-Identifier: GPL-2.0-only
"""One question asked of a tree, so that a crash costs the file that causes it and nothing else."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from patchgen.model.outcome import UserError
from patchgen.rules.base import Context

T = TypeVar("T")

_PACKAGE = Path(__file__).parent.parent


class Lost(NamedTuple):
    """A file for which a question has no answer, and why."""

    path: str
    why: str


def bounded(
    tree: Context, ask: Callable[[Context], Iterable[T]], name: str
) -> tuple[tuple[T, ...], tuple[Lost, ...]]:
    """What ``ask`` answers, and the files that it crashes on: they are left out of the tree.

    Where it crashes on no file alone, but on all together, there is no answer for any.
    ``name`` is the question's.  UserError passes: it has its own words; so does everything
    with PATCHGEN_TRACEBACK.
    """
    answers, error = _attempt(tree, ask)
    if error is None:
        return answers, ()
    found = {path: _attempt(tree.only([path]), ask)[1] for path in tree.paths}
    lost = {path: Lost(path, _said(one, name)) for path, one in found.items() if one is not None}
    left = [path for path in tree.paths if path not in lost]
    answers, again = _attempt(tree.only(left), ask) if lost else ((), error)
    if again is not None:
        lost |= {path: Lost(path, _said(again, name)) for path in left}
        answers = ()
    return answers, tuple(lost[path] for path in tree.paths if path in lost)


def _attempt(
    tree: Context, ask: Callable[[Context], Iterable[T]]
) -> tuple[tuple[T, ...], Exception | None]:
    try:
        return tuple(ask(tree)), None
    except UserError:
        raise
    except Exception as error:
        if os.environ.get("PATCHGEN_TRACEBACK"):
            raise
        return (), error


def _said(error: Exception, name: str) -> str:
    """What, where in this program, and what to do."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in Path(frame.filename).parents]
    where = ""
    if own:
        file = Path(own[-1].filename).relative_to(_PACKAGE.parent)
        where = f" at {file.as_posix()}:{own[-1].lineno}"
    what = f"{type(error).__name__}: {error}".rstrip(": ").split("\n")[0]
    return f"{name} failed here and says nothing: {what}{where}; please report it"
