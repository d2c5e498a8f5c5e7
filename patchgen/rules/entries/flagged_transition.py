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

Whether the section is flagged or not, change_pte() must not be told of an entry that
maps no page: it takes a page frame from the entry's bits.

Bad: the entry is empty, and change_pte() gives page frame 0 to the guest::

    ptep_clear_flush(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, __pte(0));

Good: an entry that goes away is cleared, with nothing set::

    ptep_clear_flush_notify(vma, address, ptep);

Where the old entry comes from callers that are not known, the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.flagged import notifies, pageless
from patchgen.analysis.entries.objection import FORBIDDEN, NO_PAGE
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule


def _applies(api: ApiFeatures) -> bool:
    return api.has_set_pte_at_notify


RULE = Rule(
    "MN015",
    "flagged-transition",
    ERROR,
    "an entry changes, under the flag or to no page, in a way that change_pte() cannot follow",
    _applies,
    "trees with set_pte_at_notify()",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Notified changes that are none of change_pte()'s."""
    told = set()
    for code in (FORBIDDEN, NO_PAGE):
        for result in tree.against(RULE, code):
            told.add(result.place)
            yield result
    for function in tree.functions():
        if notifies(tree.program, function):
            # Functions of the file that are no facts may change anything: no harm here.
            known = {one.name: one for one in tree.facts[function.path].functions}
            for one in pageless(function, known):
                if one.place not in told:
                    yield tree.objection(RULE, one, function)
