# SPDX-License-Identifier: GPL-2.0-only
"""A range's event or flags are tested the wrong way, or the range is written to.

Events are numbers, flags are bits; a user reads them with ``==`` and the
helpers.  The range that a callback gets belongs to the caller.

Bad::

    if (range->event & MMU_NOTIFY_CLEAR)                    /* events are no bits */
    if (range->flags == MMU_NOTIFIER_RANGE_BLOCKABLE)       /* other bits may be set */
    if (range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE)        /* helper exists */
    ((struct mmu_notifier_range *)range)->end = end;

The same in a macro of the file, on a local copy, or on an event that was passed.

Good::

    if (range->event == MMU_NOTIFY_CLEAR)
    if (mmu_notifier_range_blockable(range))
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.expanded import Expander
from patchgen.analysis.values.naming import Naming
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule
from patchgen.source.c.text import bare, every, root, subexpressions, text

_FLAG_HELPERS = {
    "MMU_NOTIFIER_RANGE_BLOCKABLE": "mmu_notifier_range_blockable",
    "MMU_NOTIFIER_USE_CHANGE_PTE": "mmu_notifier_range_use_change_pte",
}


#: What asks for a number or for bits; ``&&`` asks for neither.
_ASKS = frozenset({"&", "|", "^", "==", "!="})


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
        naming = tree.effects.naming(function)
        if not any(_tells(written) for written in naming.types.values()):
            continue
        for part in _parts(tree, function):
            message = _fault(tree, naming, part)
            if message:
                yield tree.from_names(RULE, part, message, function.path, function.name)


def _tells(written: str) -> bool:
    """Whether a type is that of a range or of an event."""
    return "mmu_notifier_range" in written or "mmu_notifier_event" in written


def _parts(tree: Context, function: Function) -> Iterator[Expr]:
    """The expressions as written, then with the macros replaced that the file sees."""
    yield from every(function.body)
    source, macros = tree.read(function.path), tree.source.macros(function.path)
    if source is not None and macros:
        expanded = Expander(source, macros, lambda name: macros[name] is not None)
        yield from every(expanded.function(function).body)


def _range_member(naming: Naming, expr: Expr) -> str:
    """The member of a range that ``expr`` reads, or that a local holds; else ""."""
    expr = bare(naming.plain(expr))
    if expr.kind == "name":
        return "event" if "mmu_notifier_event" in naming.types.get(expr.name, "") else ""
    if expr.kind not in ("arrow", "member"):
        return ""
    base = bare(expr.args[0])
    if base.kind == "name" and "mmu_notifier_range" in naming.types.get(base.name, ""):
        return expr.name
    return ""


def _fault(tree: Context, naming: Naming, part: Expr) -> str:
    if part.kind == "binary" and part.name in _ASKS:
        return _comparison(tree, naming, part)
    blockable = part.kind in ("arrow", "member") and part.name == "blockable"
    if blockable and not tree.api.has_blockable_field and _range_member(naming, part):
        return f"{text(part)}: ranges have no such member here, use the helper"
    return _write(naming.types, part)


def _comparison(tree: Context, naming: Naming, part: Expr) -> str:
    sides = [_range_member(naming, arg) for arg in part.args]
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
