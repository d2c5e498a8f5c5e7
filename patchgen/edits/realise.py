# SPDX-License-Identifier: GPL-2.0-only
"""A recipe's changes become edits, and edits become the files' new contents."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable

from patchgen.edits.apply import apply
from patchgen.edits.render import render
from patchgen.model.outcome import UserError
from patchgen.model.plan import Change, Edit, PatchPlan

#: Commit messages wrap here (Documentation/process/submitting-patches.rst; checkpatch warns
#: beyond 75).
MESSAGE_WIDTH = 72


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


def reflow(text: str, width: int = MESSAGE_WIDTH) -> str:
    """Wrap paragraphs; lines that begin with white space (code, lists) stay.

    Blank lines separate paragraphs; runs of them become one.
    """
    out: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        if any(line[:1].isspace() for line in block.split("\n")):
            out.append(block)
        else:
            out.append(textwrap.fill(block, width, break_long_words=False, break_on_hyphens=False))
    return "\n\n".join(out)
