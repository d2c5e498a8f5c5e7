# SPDX-License-Identifier: GPL-2.0-only
"""A flagged section changes a page table entry and change_pte() is not told.

MMU_NOTIFIER_USE_CHANGE_PTE makes KVM leave its tables alone when the section starts:
an entry that is changed without set_pte_at_notify() stays as it was for the guest.

Bad (start and end of the flagged section around it)::

    ptep_clear_flush_notify(vma, address, ptep);
    if (new_page)
            set_pte_at_notify(mm, address, ptep, mk_pte(new_page, vma->vm_page_prot));

Good: every path that clears the entry sets it with set_pte_at_notify(), or puts the
old one back::

    entry = ptep_clear_flush(vma, address, ptep);
    if (busy(page))
            set_pte_at(mm, address, ptep, entry);
    else
            set_pte_at_notify(mm, address, ptep, pte_wrprotect(entry));
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.api.features import ApiFeatures
from patchgen.flow.flagged import UNTOLD, faults, flagged, never_told
from patchgen.model import Finding, Place, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN013",
    "flagged-change-untold",
    ERROR,
    "a flagged section changes an entry without set_pte_at_notify()",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Changes in flagged sections of which change_pte() does not hear."""
    for function in tree.functions():
        if function.path in CORE:
            continue
        for section in flagged(tree.program, function):
            if section.unclear:
                silent = never_told(section, tree.program)
                if silent is None:
                    place = Place(function.path, section.init.line)
                    yield undecided(RULE, place, section.unclear)
                else:
                    yield tree.finding(
                        RULE, silent.where, f"in a flagged section, {silent.text}",
                        path=function.path, function=function.name,
                    )  # fmt: skip
                continue
            known = {one.name: one for one in tree.whole(function.path)}
            for fault in faults(section, tree.program, known):
                if fault.kind != UNTOLD:
                    continue
                if not fault.sure:
                    place = Place(function.path, fault.where.line)
                    yield undecided(RULE, place, fault.text)
                    continue
                message = f"in a flagged section, {fault.text}"
                yield tree.finding(
                    RULE, fault.where, message, fault.steps,
                    path=function.path, function=function.name,
                )  # fmt: skip
