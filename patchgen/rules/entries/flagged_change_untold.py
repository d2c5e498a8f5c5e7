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

from patchgen.analysis.entries.objection import UNTOLD
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule


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
    yield from tree.against(RULE, UNTOLD, "in a flagged section, ")
