# SPDX-License-Identifier: GPL-2.0-only
"""A range's event promises more than its section keeps.

A consumer that is told of a protection change keeps its mapping of the page, only
with less rights; soft-dirty tracking it may pass over.  If the section takes the
entry away, the consumer goes on using a page that is no longer there.

Bad::

    mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, vma, mm, start, end);
    mmu_notifier_invalidate_range_start(&range);
    ptep_clear_flush(vma, start, ptep);

Good::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, end);
    mmu_notifier_invalidate_range_start(&range);
    ptep_clear_flush(vma, start, ptep);

The event may come from a ``?:`` or a local variable.  If only some of its values are
too weak, it is one where the change follows whatever was chosen, and undecided else.

An event that is stronger than needed costs time and breaks nothing: it is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.event import Facts, moves, perhaps_weaker, weaker
from patchgen.analysis.entries.section_code import Code
from patchgen.analysis.sections.sites import inits
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_events


RULE = Rule(
    "MN011",
    "event-too-weak",
    ERROR,
    "a range's event is weaker than what its section does",
    _applies,
    "trees whose ranges carry an event",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Initialisations whose event does not cover the section's changes."""
    code = Code(Facts(tree.program, tree.read))
    for site in inits(tree.program, CORE):
        found, sure = weaker(site, code), True
        if found is None:
            found, sure = perhaps_weaker(site, code) or (None, True)
        if found is not None and not sure:
            yield undecided(RULE, site.place, f"one of several events: {found.message}")
            continue
        if found is not None:
            yield tree.finding(
                RULE,
                site.call,
                found.message,
                found.steps,
                path=site.function.path,
                function=site.function.name,
            )
            continue
        moved = moves(site, code)
        if moved is not None:
            why = f"entries move to another address ({moved}): is the old mapping kept?"
            yield undecided(RULE, site.place, why)
