# SPDX-License-Identifier: GPL-2.0-only
"""Edits as values: disjoint spans of one file, applied back to front.

Bytes outside the spans never change, and the order in which edits are given does
not matter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from patchgen.model.base import Span
from patchgen.model.outcome import UserError
from patchgen.model.plan import Edit


class Overlap(UserError):
    """Two edits want the same bytes, or an edit lies outside the file."""


def edit_set(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits of one file, sorted and without exact duplicates.

    Overlap: two spans share bytes, two insertions fall on the same offset, or
    the edits are for different files.
    """
    ordered = sorted(set(edits))
    for left, right in itertools.pairwise(ordered):
        if left.path != right.path:
            raise Overlap(f"edits of two files in one set: {left.path}, {right.path}")
        if right.span.start < left.span.end or right.span == left.span:
            raise Overlap(
                f"edits overlap at bytes {left.span.start}-{left.span.end}"
                f" and {right.span.start}-{right.span.end}",
                left.path,
            )
    return tuple(ordered)


def apply(source: bytes, edits: Iterable[Edit]) -> bytes:
    """``source`` with the edits made; see :func:`edit_set` for what is refused."""
    out: list[bytes] = []
    at = 0
    for edit in edit_set(edits):
        _inside(edit.span, len(source), edit.path)
        out += (source[at : edit.span.start], edit.new)
        at = edit.span.end
    return b"".join((*out, source[at:]))


def _inside(span: Span, length: int, path: str) -> None:
    if not 0 <= span.start <= span.end <= length:
        raise Overlap(f"edit outside the file: {span.start}-{span.end} of {length} bytes", path)
