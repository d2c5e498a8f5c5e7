# SPDX-License-Identifier: GPL-2.0-only
"""The mmu-notifier-v05 series: context information for mmu notifiers, on a 5.0 tree.

Nine patches, each building alone: the blockable helper and its users, blockable as
a flag, the events, the new arguments at every call of mmu_notifier_range_init(), the
right event at each (by analysis of what the section does), the structure that carries
them, the helper for ranges that only become read-only, and the change_pte flag.

Before:

    mmu_notifier_range_init(&range, vma->vm_mm, old_addr, old_end);

After:

    mmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, vma, vma->vm_mm,
                            old_addr, old_end);
"""

from __future__ import annotations

from patchgen.analysis.entries.section_code import HEADER, INIT
from patchgen.model.base import Evidence, Place
from patchgen.model.plan import Refusal
from patchgen.recipes.base import Recipe, State
from patchgen.recipes.mmu_notifier.v05_api import (
    blockable_helper,
    event_enum,
    pass_down,
    read_only_helper,
)
from patchgen.recipes.mmu_notifier.v05_convert import to_flag, use_helper
from patchgen.recipes.mmu_notifier.v05_header import NAME, Header, header, refusal
from patchgen.recipes.mmu_notifier.v05_sites import (
    NEW,
    OLD,
    change_pte_flag,
    new_arguments,
    right_events,
)


def _applies(state: State) -> Refusal | None:
    """Only a 5.0-shaped API, or one that has the series' shape, can take the series."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    init = parts.on[INIT]
    where = Evidence(Place(HEADER, init.line), f"{len(init.params)} parameters")
    if len(init.params) not in (OLD, NEW):
        reason = f"{INIT}() is neither 5.0's nor the series': the API has moved on"
        return refusal("absent", reason, (where,))
    return None


RECIPE = Recipe(
    name=NAME,
    summary="context information for mmu notifiers, the whole series for a 5.0 tree",
    steps=(
        blockable_helper,
        use_helper,
        to_flag,
        event_enum,
        new_arguments,
        right_events,
        pass_down,
        read_only_helper,
        change_pte_flag,
    ),
    applies=_applies,
)
