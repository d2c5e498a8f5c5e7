# SPDX-License-Identifier: GPL-2.0-only
"""Event and flags are swapped, or mm and vma stand in each other's place.

Event and flags are both integers to the compiler, and a void pointer or a NULL
hides the rest: such a call compiles, and means something else.

Bad::

    mmu_notifier_range_init(&range, 0, MMU_NOTIFY_CLEAR, vma, mm, start, end);

Good::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, end);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.engine.program import declared_type
from patchgen.analysis.sections.sites import RangeInit, inits
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule
from patchgen.source.c.text import bare, subexpressions, text

_VMA, _MM = "struct vm_area_struct *", "struct mm_struct *"
#: include/linux/mm_types.h: struct vm_area_struct has vm_mm.
_MEMBERS = {"vm_mm": _MM, "mm": _MM, "active_mm": _MM, "vma": _VMA}


def _applies(api: ApiFeatures) -> bool:
    return api.has_events


RULE = Rule(
    "MN009",
    "init-arguments-misplaced",
    ERROR,
    "a range is initialised with event and flags swapped, or mm and vma misplaced",
    _applies,
    "trees whose ranges carry an event",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Arguments of initialisers that belong elsewhere."""
    for site in inits(tree.program, CORE):
        for wrong, message in _faults(site):
            yield tree.finding(
                RULE, wrong, message, path=site.function.path, function=site.function.name
            )


def _faults(site: RangeInit) -> Iterator[tuple[Expr, str]]:
    given = site.arguments
    event, flags = given.get("event"), given.get("flags")
    if event is not None and flags is not None:
        if _mentions(flags, "MMU_NOTIFY_"):
            yield flags, f"{text(flags)} is an event, and stands where the flags belong"
        elif _mentions(event, "MMU_NOTIFIER_"):
            yield event, f"{text(event)} is a flag, and stands where the event belongs"
        elif bare(event).kind == "const":
            yield event, f"the event is the number {text(event)}: a range needs an MMU_NOTIFY_ name"
    elif flags is not None and _mentions(flags, "MMU_NOTIFY_"):
        yield flags, f"{text(flags)} is an event, and stands where the flags belong"
    for name, wanted, other in (("vma", _VMA, _MM), ("mm", _MM, _VMA)):
        argument = given.get(name)
        if argument is not None and _type(argument, site.function) == other:
            yield argument, f"{text(argument)} is a {other}, and stands where the {wanted} belongs"
    mm = given.get("mm")
    if mm is not None and bare(mm).name == "NULL":
        yield mm, "the range has no mm: no notifier would be called"


def _mentions(expr: Expr, prefix: str) -> bool:
    return any(
        part.kind == "name" and part.name.startswith(prefix) for part in subexpressions(expr)
    )


def _type(expr: Expr, function: Function) -> str:
    """The type of a plain variable or a well-known member; "" if unknown."""
    expr = bare(expr)
    if expr.kind == "name":
        return " ".join(declared_type(function, expr.name).removeprefix("const ").split())
    if expr.kind in ("arrow", "member"):
        return _MEMBERS.get(expr.name, "")
    return ""
