# SPDX-License-Identifier: GPL-2.0-only
"""A recipe's changes become edits, and edits become the files' new contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from patchgen.edits.apply import apply
from patchgen.edits.landing import Places, landings
from patchgen.edits.render import render
from patchgen.edits.wrapping import reflow
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.model.plan import Change, Edit, Landing, PatchPlan


def realise(change: Change) -> Edit:
    """The edit for a change: its template rendered, UTF-8."""
    return Edit(change.path, change.span, render(change.template, change.context).encode())


class Realised(Value, frozen=True):
    """What changes come to: the files' new contents, and where each change landed."""

    files: dict[str, bytes | None]
    landings: tuple[Landing, ...]


def realised(changes: Iterable[Change], read: Callable[[str], bytes | None]) -> Realised:
    """The contents of every file that the changes touch, and where they land in C files.

    ``read`` gives a file's bytes in the state the changes were planned on.  Misplaced: a
    change does not mean there what it says.
    """
    by_path: dict[str, list[Change]] = {}
    for change in changes:
        by_path.setdefault(change.path, []).append(change)
    files: dict[str, bytes | None] = {}
    landed: list[Landing] = []
    for path, group in sorted(by_path.items()):
        source = read(path)
        if source is None:
            raise UserError("a file to be changed is not there", path)
        places = Places(path, source, group) if path.endswith((".c", ".h")) else None
        edits = {realise(change): change for change in group}
        new = apply(source, edits)
        files[path] = new
        if places is not None:
            landed += landings(places, new, edits.items())
    return Realised(files, tuple(landed))


def new_files(
    changes: Iterable[Change], read: Callable[[str], bytes | None]
) -> dict[str, bytes | None]:
    """The files of :func:`realised` alone."""
    return realised(changes, read).files


def message(plan: PatchPlan, extra: dict[str, object]) -> str:
    """The commit message of a planned patch: subject, blank line, body."""
    body = reflow(render(plan.message, {**plan.context, **extra}).strip("\n"))
    return f"{plan.subject}\n\n{body}\n"
