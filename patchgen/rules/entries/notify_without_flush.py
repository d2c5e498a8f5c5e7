# SPDX-License-Identifier: GPL-2.0-only
"""set_pte_at_notify() overwrites an entry that was not cleared and flushed before.

change_pte() gives the guest the new page while CPUs still hold the old entry in
their TLBs: the two write to different pages.

Bad::

    entry = pte_wrprotect(*ptep);
    set_pte_at_notify(mm, address, ptep, entry);

Good::

    entry = ptep_clear_flush(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, pte_wrprotect(entry));

An entry that was seen to be empty (pte_none()) needs no flush.  Where a function
that is called gets the pointer, or a caller gave it, the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.flush import unflushed
from patchgen.kernel.api.features import ApiFeatures
from patchgen.kernel.knowledge import names
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_set_pte_at_notify


RULE = Rule(
    "MN017",
    "notify-without-flush",
    ERROR,
    "set_pte_at_notify() without ptep_clear_flush() of the same entry before",
    _applies,
    "trees with set_pte_at_notify()",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Notified changes of entries that CPUs may still have in their TLBs."""
    wanted = names("entries", "notifies")
    for function in tree.functions():
        if function.path in CORE:
            continue
        if not any(call.name in wanted for call in tree.program.calls(function)):
            continue
        for one in unflushed(tree.program, function):
            if one.unsure:
                yield undecided(RULE, one.event.place, one.unsure)
                continue
            message = f"the entry at {one.pointer} was not cleared and flushed before"
            yield tree.finding(RULE, one.event, message, one.steps, function=function.name)
