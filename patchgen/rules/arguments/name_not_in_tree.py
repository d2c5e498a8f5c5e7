# SPDX-License-Identifier: GPL-2.0-only
"""A flag, helper, event or macro of the notifier API that this tree does not have.

The API came in pieces: events and flags, the change_pte flag with its helper, the
owner; and pieces of it left again.  Code that was carried from one tree to another
does not build there, or asks for something that nobody does.

Bad (in a tree of the 5.10 shape)::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE,
                            vma, mm, address, address + PAGE_SIZE);

Good (there)::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0,
                            vma, mm, address, address + PAGE_SIZE);

The tree's own header decides, also about members of its tables.  Files that do not
compile are looked at, too: such a name may be why.  Where a header that the file includes
is not there, it may declare the name, and the rule does not decide.  Initialisers of
ranges are init-unlike-tree's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from patchgen.analysis.sections.sites import initialisers
from patchgen.kernel.api.descriptor import all_descriptors
from patchgen.model.code import Expr
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule
from patchgen.source.c.text import every

RULE = Rule(
    "MN019",
    "name-not-in-tree",
    ERROR,
    "a name of the notifier API is used that the tree's header does not declare",
)

#: Names that only the API's header may declare; KVM and drivers have others that
#: start with mmu_notifier_.
_PREFIXES = ("MMU_NOTIFIER_", "MMU_NOTIFY_", "mmu_notifier_range_", "mmu_notifier_invalidate_range")


@cache
def _ever() -> frozenset[str]:
    """Names that some generation of the API has and only its header declares.

    Members are apart.  The forms of page-table primitives that notify, but for
    set_pte_at_notify(), have moved to other headers (mm/internal.h in 7.2).
    """
    found = {item.name for one in all_descriptors() for item in one.items}
    moved = {name for name in found if name.endswith("_notify")} - {"set_pte_at_notify"}
    return frozenset(name for name in found - moved if "." not in name)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Uses of names that nothing declares."""
    known = frozenset(tree.api.names)
    if not known:
        return
    for function in tree.readable():
        if function.path in CORE:
            continue
        own = {param.name for param in function.params}
        for expr in every(function.body):
            name = expr.name
            if expr.kind != "name" or name in known or name in own or name in tree.declared:
                continue
            if not _of_the_api(name) or tree.program.named(name, function.path):
                continue
            message = f"this tree's API has no {name}{_instead(expr, known)}"
            yield tree.from_names(RULE, expr, message, function.path, function.name)
    yield from _members(tree)


def _members(tree: Context) -> Iterator[Finding | Undecided]:
    """Callbacks that the tree's tables do not have; with one, the file does not compile."""
    known = frozenset(tree.api.members)
    ever = {item.name for one in all_descriptors() for item in one.items}
    for facts in tree.broken.values():
        for table in facts.ops:
            for entry in table.entries:
                member = f"{table.struct}.{entry.member}"
                if member in ever and member not in known:
                    message = f"this tree's struct {table.struct} has no {entry.member}"
                    yield tree.from_names(RULE, entry, message, facts.path, entry.function)


def _of_the_api(name: str) -> bool:
    if name in initialisers():
        return False
    return name in _ever() or name.startswith(_PREFIXES)


def _instead(expr: Expr, known: frozenset[str]) -> str:
    """Events that there are, where an event is missing."""
    if not expr.name.startswith("MMU_NOTIFY_"):
        return ""
    events = sorted(name for name in known if name.startswith("MMU_NOTIFY_"))
    return f", only {', '.join(events)}" if events else ", which has no events"
