# SPDX-License-Identifier: GPL-2.0-only
"""A range's event or flags are tested the wrong way, or the range is written to.

Events are numbers, flags are bits; a user reads them with ``==`` and the
helpers.  The range that a callback gets belongs to the caller.

Bad::

    if (range->event & MMU_NOTIFY_CLEAR)                    /* events are no bits */
    if (range->flags == MMU_NOTIFIER_RANGE_BLOCKABLE)       /* other bits may be set */
    if (range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE)        /* helper exists */
    ((struct mmu_notifier_range *)range)->end = end;

Good::

    if (range->event == MMU_NOTIFY_CLEAR)
    if (mmu_notifier_range_blockable(range))
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.code import Expr
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule
from patchgen.source.c.text import bare, every, root, subexpressions, text

_FLAG_HELPERS = {
    "MMU_NOTIFIER_RANGE_BLOCKABLE": "mmu_notifier_range_blockable",
    "MMU_NOTIFIER_USE_CHANGE_PTE": "mmu_notifier_range_use_change_pte",
}


def _applies(api: ApiFeatures) -> bool:
    return api.has_flags


RULE = Rule(
    "MN032",
    "range-misread",
    ERROR,
    "event, flags or blockable of a range read or written directly or the wrong way",
    _applies,
    "trees whose ranges have events and flags",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Every expression on a range, outside the API's own code."""
    for function in tree.readable():
        types = tree.effects.naming(function).types
        if not any("mmu_notifier_range" in written for written in types.values()):
            continue
        for part in every(function.body):
            message = _fault(tree, types, part)
            if message:
                yield tree.from_names(RULE, part, message, function.path, function.name)


def _range_member(types: dict[str, str], expr: Expr) -> str:
    """The member that ``expr`` reads of a range, or ""."""
    expr = bare(expr)
    if expr.kind not in ("arrow", "member"):
        return ""
    base = bare(expr.args[0])
    if base.kind == "name" and "mmu_notifier_range" in types.get(base.name, ""):
        return expr.name
    return ""


def _fault(tree: Context, types: dict[str, str], part: Expr) -> str:
    if part.kind == "binary":
        return _comparison(tree, types, part)
    if not tree.api.has_blockable_field and _range_member(types, part) == "blockable":
        return f"{text(part)}: ranges have no such member here, use the helper"
    return _write(types, part)


def _comparison(tree: Context, types: dict[str, str], part: Expr) -> str:
    sides = [_range_member(types, arg) for arg in part.args]
    if "event" not in sides and "flags" not in sides:
        return ""
    mentioned = {sub.name for sub in subexpressions(part) if sub.kind == "name"}
    events = {name for name in mentioned if name.startswith("MMU_NOTIFY_")}
    flags = mentioned & set(_FLAG_HELPERS)
    if "event" in sides and part.name in ("&", "|"):
        return f"{text(part)}: events are numbers, compare with =="
    if "event" in sides and flags:
        return f"{text(part)}: {min(flags)} is a flag, not an event"
    if "flags" in sides and part.name in ("==", "!="):
        return f"{text(part)}: other flags may be set as well, test the bit"
    if "flags" in sides and events:
        return f"{text(part)}: {min(events)} is an event, not a flag"
    if "flags" in sides and part.name == "&" and flags:
        helper = _FLAG_HELPERS[min(flags)]
        if helper.endswith("pte") and not tree.api.has_use_change_pte_helper:
            return ""
        return f"{text(part)}: use {helper}()"
    return ""


def _write(types: dict[str, str], part: Expr) -> str:
    if part.kind == "assign" or part.kind == "postfix" or part.name in ("++", "--"):
        left = bare(part.args[0]) if part.args else part
        if left.kind == "arrow":
            written = types.get(root(left), "")
            if "mmu_notifier_range" in written and "const" in written.split():
                return f"{text(left)} is written, and the range is the caller's"
    return ""
