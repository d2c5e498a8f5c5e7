# SPDX-License-Identifier: GPL-2.0-only
"""What a recipe plans: edits, changes, patches; or why not."""

from __future__ import annotations

from patchgen.model.base import Evidence, Place, Span, Value


class Edit(Value, frozen=True, order=True):
    """Replace the bytes ``span`` of ``path`` with ``new``."""

    path: str
    span: Span
    new: bytes


class Change(Value, frozen=True):
    """A change that a recipe wants: a template rendered over a span.

    ``template`` is a name below ``templates/<recipe>/``; ``context`` its values
    (strings, numbers, booleans, lists of strings).  An empty span inserts.
    """

    path: str
    span: Span
    template: str
    context: dict[str, str | int | bool | list[str]]


class LeftAlone(Value, frozen=True):
    """A place that a recipe looked at and leaves as it is, with the reason."""

    place: Place
    reason: str


class PatchPlan(Value, frozen=True):
    """One patch to be: its recipe, its changes, and what its message needs.

    ``subject`` is the summary without ``[PATCH ...]``; ``message`` a template
    name for the commit message below ``templates/<recipe>/`` with ``context``;
    ``note`` one line for the plan's table ("3 files, 3 of 5 sites").
    """

    recipe: str
    subject: str
    message: str
    context: dict[str, object]
    changes: tuple[Change, ...]
    note: str = ""
    left_alone: tuple[LeftAlone, ...] = ()
    limits: tuple[str, ...] = ()


class Refusal(Value, frozen=True):
    """A recipe will not touch this tree: the reason and its evidence.

    ``kind`` is "unsafe" (it would break), "absent" (nothing to do it to) or
    "half" (the tree has a part of the change already).
    """

    recipe: str
    kind: str
    reason: str
    evidence: tuple[Evidence, ...]


class AlreadyThere(Value, frozen=True):
    """The tree has the recipe's change already."""

    recipe: str
    evidence: tuple[Evidence, ...]


class Patch(Value, frozen=True):
    """A finished patch of a series, before it becomes a mail.

    ``files`` maps path to the complete new contents.  ``message`` is the full
    commit message: subject, blank line, body.
    """

    recipe: str
    subject: str
    message: str
    files: dict[str, bytes]
    note: str = ""
    left_alone: tuple[LeftAlone, ...] = ()
    limits: tuple[str, ...] = ()
