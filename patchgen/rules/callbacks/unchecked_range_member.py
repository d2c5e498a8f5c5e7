# SPDX-License-Identifier: GPL-2.0-only
"""range->vma is used although it may be NULL, or the owner without its event.

Many invalidations have no VMA: the member is NULL then (and gone from 6.3 on).
The owner only means something for the events that set it, and they must set it: the
plain initialiser leaves the member of a variable on the stack as it was.

Bad::

    if (range->vma->vm_flags & VM_HUGETLB)
    if (range->owner == d)
    mmu_notifier_range_init(&range, MMU_NOTIFY_MIGRATE, 0, mm, start, end);

Good::

    if (range->vma && (range->vma->vm_flags & VM_HUGETLB))
    if (range->event == MMU_NOTIFY_MIGRATE && range->owner == d)
    mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0, mm, start, end, d);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.analysis.entries.event import possible
from patchgen.analysis.sections.sites import inits, range_of, role
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.value import Known, truth
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided
from patchgen.source.c.text import bare, every, root, statements

#: Events whose initiator sets the owner: mm/migrate_device.c, mm/rmap.c.
_OWNED = ("MMU_NOTIFY_MIGRATE", "MMU_NOTIFY_EXCLUSIVE")
_CLEARS = ("memset", "memcpy", "memzero_explicit")
_OWNERS = ("owner", "migrate_pgmap_owner")


def _applies(api: ApiFeatures) -> bool:
    return api.has_events


RULE = Rule(
    "MN033",
    "unchecked-range-member",
    ERROR,
    "range->vma dereferenced unchecked, or the owner read without its event or left unset",
    _applies,
    "trees whose ranges have events",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Callbacks and what they hand a range to."""
    if not tree.api.range_has_vma:
        for function in tree.readable():
            yield from _absent(tree, function, tree.effects.naming(function))
    if tree.api.owner_field:
        yield from _unset(tree)
    for function in tree.functions():
        naming = tree.effects.naming(function)
        if not any(_is_range(written) for written in naming.types.values()):
            continue
        if not any(_member_of_range(naming, p) in ("vma", *_OWNERS) for p in every(function.body)):
            continue
        checker = _Checker(tree, naming)
        result = walk(function, checker)
        for event, message, steps in checker.found.values():
            yield tree.finding(RULE, event, message, steps, function=function.name)
        if result.bounded:
            yield undecided(RULE, next(iter(tree.callbacks())).function_place, result.bounded)


def _is_range(written: str) -> bool:
    words = written.replace("*", " ").split()
    return "mmu_notifier_range" in words


def _member_of_range(naming: Naming, expr: Expr) -> str:
    if expr.kind in ("arrow", "member"):
        base = bare(expr.args[0])
        if base.kind == "name" and _is_range(naming.types.get(base.name, "")):
            return expr.name
    return ""


def _absent(tree: Context, function: Function, naming: Naming) -> Iterator[Finding | Undecided]:
    for part in every(function.body):
        if _member_of_range(naming, part) == "vma":
            message = "ranges have no vma in this tree"
            yield tree.from_names(RULE, part, message, function.path, function.name)


def _unset(tree: Context) -> Iterator[Finding | Undecided]:
    """Variables whose event promises an owner, and whose initialiser sets none."""
    for site in inits(tree.program, CORE):
        event = next((one for one in possible(site) if one in _OWNED), "")
        target = range_of(site.call)
        if "owner" in site.arguments or not event or target is None or target.kind != "name":
            continue
        if not _on_stack(site.function, target.name):
            continue  # what the caller set, or cleared, is not seen here
        setter = _setter(site.function, target.name)
        if setter is None:
            message = f"{event}, and {site.call.name}() leaves {tree.api.owner_field} unset"
            yield tree.finding(
                RULE, site.call, message, path=site.function.path, function=site.function.name
            )
        elif setter:
            yield undecided(RULE, site.place, f"{event}: does {setter}() set the owner?")


def _on_stack(function: Function, variable: str) -> bool:
    """Whether a local is what its place on the stack held before."""
    return any(
        one.name == variable and one.init is None and not {"*", "static"} & set(_words(one.type))
        for stmt in statements(function.body)
        if isinstance(stmt, Decl)
        for one in stmt.variables
    )


def _words(written: str) -> list[str]:
    return written.replace("*", " * ").split()


def _setter(function: Function, variable: str) -> str | None:
    """What may set the owner: a function's name, "" for a store, None for nothing."""
    found: str | None = None
    for part in every(function.body):
        if part.kind == "assign":
            left = bare(part.args[0])
            if root(left) == variable and (left.kind == "name" or left.name in _OWNERS):
                return ""
        handed = part.kind == "call" and any(
            arg.kind == "unary" and arg.name == "&" and root(arg.args[0]) == variable
            for arg in map(bare, part.args[1:])
        )
        if handed and not role(part):
            found = "" if part.name in _CLEARS else found or part.name
    return found


class _Checker(Checker[int]):
    kinds = frozenset({events.DEREF})

    def __init__(self, tree: Context, naming: Naming) -> None:
        self.tree = tree
        self.naming = naming
        self.found: dict[tuple[int, int], tuple[Event, str, tuple[Step, ...]]] = {}

    def initial(self, function: Function) -> int:
        return 0

    def keeps(self, condition: str) -> bool:
        return condition.endswith(("vma", "event")) or "event ==" in condition

    def event(self, state: int, event: Event, here: Here) -> int:
        assert event.expr is not None and event.whole is not None
        resolved = self.naming.plain(event.expr)
        if _member_of_range(self.naming, resolved) == "vma":
            if not self._checked(event.expr, here) and not self._checked(resolved, here):
                self._add(event, "the range's vma may be NULL here", here)
        elif _member_of_range(self.naming, event.whole) in _OWNERS:
            known = here.value(
                Expr("arrow", "event", event.whole.args, event.whole.span, event.line)
            )
            if not _owned(known):
                self._add(
                    event,
                    f"{event.whole.name} means nothing unless the event is MIGRATE or EXCLUSIVE",
                    here,
                )
        return state

    @staticmethod
    def _checked(expr: Expr, here: Here) -> bool:
        return truth(here.value(expr)) is True

    def _add(self, event: Event, message: str, here: Here) -> None:
        key = (event.span.start, event.span.end)
        if key not in self.found:
            self.found[key] = (event, message, here.steps(event))


def _owned(known: Known) -> bool:
    return known.symbol in _OWNED
