# SPDX-License-Identifier: GPL-2.0-only
"""What a recipe plans: edits, changes, patches; or why not."""

from __future__ import annotations

from patchgen.model.base import Evidence, Place, Span, Value


class Edit(Value, frozen=True, order=True):
    """Replace the bytes ``span`` of ``path`` with ``new``."""

    path: str
    span: Span
    new: bytes


class Meant(Value, frozen=True):
    """What a change is to be where it lands, beyond whole statements or whole expressions.

    ``function``: the function that it is for.  ``first``: a statement of the function's own
    block, behind every declaration and before all else.  ``joined``: the old expression and
    these, joined by ``||``.  ``branch``: the function may be defined in another branch of a
    conditional, too; else that is refused.  ``macro``: it changes a macro's definition.
    ``value``: the new expression has the old one's value, also as a macro's argument.
    """

    function: str = ""
    first: bool = False
    joined: tuple[str, ...] = ()
    branch: bool = False
    macro: bool = False
    value: bool = False


class Change(Value, frozen=True):
    """A change that a recipe wants: a template rendered over a span.

    ``template`` is a name below ``templates/<recipe>/``; ``context`` its values
    (strings, numbers, booleans, lists of strings).  An empty span inserts.
    """

    path: str
    span: Span
    template: str
    context: dict[str, str | int | bool | list[str]]
    meant: Meant = Meant()


class Landing(Value, frozen=True):
    """Where a change stands in the patched file, by its tokens; for the compiler to confirm.

    ``offset`` is where the new statement or expression begins, in ``function``; ``around``
    are the statements that it stands in, outermost first, each a name and where it begins.
    ``before`` are statements of the block ahead of it that are no declarations by their
    tokens, and must be some of a macro's making; with ``first`` none may follow.  With
    ``value`` it may be in a macro's argument.
    ``inner`` are places in the branches of the conditionals within the function.  Of a
    condition that was joined ``joined`` is where it ends and where its last operand begins.
    """

    path: str
    function: str
    offset: int
    statement: bool
    around: tuple[tuple[str, int], ...]
    before: tuple[int, ...] = ()
    first: bool = False
    value: bool = False
    inner: tuple[int, ...] = ()
    joined: tuple[int, int] | None = None


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
