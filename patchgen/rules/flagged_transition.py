# SPDX-License-Identifier: GPL-2.0-only
"""A flagged section changes an entry in a way that change_pte() cannot follow.

It follows read-only to read-write (same page or another), read-write to read-only
(same page) and read-only to read-only.  When a writable entry gets another page, the
guest goes on writing to the old one until it is told; an entry that maps no page has
no page to give to the guest.

Bad: nothing was compared since the page-table lock was taken, the entry may be
writable by now::

    ptep = pte_offset_map_lock(mm, pmd, address, &ptl);
    ptep_clear_flush(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, mk_pte(page, vma->vm_page_prot));

Good: the entry is still the write-protected one::

    ptep = pte_offset_map_lock(mm, pmd, address, &ptl);
    if (!pte_same(*ptep, orig_pte))
            goto unlock;
    ptep_clear_flush(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, mk_pte(page, vma->vm_page_prot));

Where the old entry comes from callers that are not known, the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.api.features import ApiFeatures
from patchgen.flow.flagged import FORBIDDEN, faults, flagged
from patchgen.model import Finding, Place, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN015",
    "flagged-transition",
    ERROR,
    "a flagged section changes an entry in a way that change_pte() cannot follow",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Notified changes in flagged sections that are none of change_pte()'s."""
    for function in tree.functions():
        if function.path in CORE:
            continue
        for section in flagged(tree.program, function):
            if section.unclear:
                place = Place(function.path, section.init.line)
                yield undecided(RULE, place, section.unclear)
                continue
            known = {one.name: one for one in tree.whole(function.path)}
            for fault in faults(section, tree.program, known):
                if fault.kind != FORBIDDEN:
                    continue
                if not fault.sure:
                    place = Place(function.path, fault.where.line)
                    yield undecided(RULE, place, fault.text)
                    continue
                message = f"{fault.text}"
                yield tree.finding(
                    RULE, fault.where, message, fault.steps,
                    path=function.path, function=function.name,
                )  # fmt: skip
