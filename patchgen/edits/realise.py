# SPDX-License-Identifier: GPL-2.0-only
"""A recipe's changes become edits, and edits become the files' new contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from patchgen.edits.apply import apply
from patchgen.edits.render import render
from patchgen.edits.wrapping import reflow
from patchgen.model.outcome import UserError
from patchgen.model.plan import Change, Edit, PatchPlan


def realise(change: Change) -> Edit:
    """The edit for a change: its template rendered, UTF-8."""
    return Edit(change.path, change.span, render(change.template, change.context).encode())


def new_files(
    changes: Iterable[Change], read: Callable[[str], bytes | None]
) -> dict[str, bytes | None]:
    """Path to new contents for every file that the changes touch.

    ``read`` gives a file's bytes in the state the changes were planned on.
    """
    by_path: dict[str, list[Edit]] = {}
    for change in changes:
        by_path.setdefault(change.path, []).append(realise(change))
    files: dict[str, bytes | None] = {}
    for path, edits in sorted(by_path.items()):
        source = read(path)
        if source is None:
            raise UserError("a file to be changed is not there", path)
        files[path] = apply(source, edits)
    return files


def message(plan: PatchPlan, extra: dict[str, object]) -> str:
    """The commit message of a planned patch: subject, blank line, body."""
    body = reflow(render(plan.message, {**plan.context, **extra}).strip("\n"))
    return f"{plan.subject}\n\n{body}\n"
