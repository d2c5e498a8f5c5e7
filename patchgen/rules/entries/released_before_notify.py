# SPDX-License-Identifier: GPL-2.0-only
"""The old page is released before set_pte_at_notify() has replaced it.

Secondary MMUs are still on the old page until change_pte() returns.  A page that was
put, or taken off the reverse mapping, before that may be freed or reused while the
guest writes to it.

Bad::

    ptep_clear_flush_notify(vma, address, ptep);
    page_remove_rmap(old_page, false);
    put_page(old_page);
    set_pte_at_notify(mm, address, ptep, entry);

Good::

    ptep_clear_flush_notify(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, entry);
    page_remove_rmap(old_page, false);
    put_page(old_page);

A reference that the function took itself may go earlier, and so may the new page's.
Where it is not known whether the entry mapped the page, the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.early_release import released_early
from patchgen.kernel.api.features import ApiFeatures
from patchgen.kernel.knowledge import names
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_set_pte_at_notify


RULE = Rule(
    "MN018",
    "released-before-notify",
    ERROR,
    "the old page is released before set_pte_at_notify()",
    _applies,
    "trees with set_pte_at_notify()",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Releases of a page that secondary MMUs still map."""
    wanted = names("entries", "notifies")
    for function in tree.functions():
        if function.path in CORE:
            continue
        if not any(call.name in wanted for call in tree.program.calls(function)):
            continue
        for one in released_early(tree.program, function):
            assert one.event.expr is not None
            name = one.event.expr.name
            if one.unsure:
                yield undecided(RULE, one.event.place, f"{name}(): {one.unsure}")
                continue
            message = f"{name}() lets {one.page} go before line {one.then.line} tells change_pte()"
            yield tree.finding(RULE, one.event, message, one.steps, function=function.name)
