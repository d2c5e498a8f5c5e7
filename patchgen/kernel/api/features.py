# SPDX-License-Identifier: GPL-2.0-only
"""What a tree's mmu notifier API can do, as plain yes and no.

Rules and recipes ask for features, never for versions: stable trees carry
backports.  The features are read from the header's surface or a descriptor.
"""

from __future__ import annotations

from collections.abc import Iterable

from patchgen.kernel.api.surface import Item
from patchgen.model.base import Value


class ApiFeatures(Value, frozen=True):
    """Features of one tree (include/linux/mmu_notifier.h, CONFIG_MMU_NOTIFIER=y).

    ``idiom`` is KVM's: "direct", "hva-range", "none" (no change_pte callback) or
    "" where the tree has no KVM or it was not looked at.
    ``owner_field`` is the range's member for the initiator, "" if it has none.
    ``names`` are all names that the header declares, members apart; ``members`` those,
    as ``mmu_notifier_ops.release``.
    """

    has_flag_use_change_pte: bool = False
    has_use_change_pte_helper: bool = False
    has_change_pte: bool = False
    has_set_pte_at_notify: bool = False
    has_invalidate_range: bool = False
    has_secondary_tlbs: bool = False
    has_only_end: bool = False
    has_events: bool = False
    has_flags: bool = False
    has_interval: bool = False
    has_get_put: bool = False
    has_blockable_helper: bool = False
    has_blockable_field: bool = False
    range_has_vma: bool = False
    owner_field: str = ""
    start_returns: bool = False
    events: tuple[str, ...] = ()
    init_variants: tuple[tuple[str, int], ...] = ()
    idiom: str = ""
    names: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


def features_of(items: Iterable[Item], idiom: str = "") -> ApiFeatures:
    """The features of a surface's or a descriptor's items."""
    known = {item.name: item for item in items if item.branch == "on"}
    member = "mmu_notifier_range."
    owners = ("owner", "migrate_pgmap_owner")
    start = known.get("mmu_notifier_ops.invalidate_range_start")
    return ApiFeatures(
        has_flag_use_change_pte="MMU_NOTIFIER_USE_CHANGE_PTE" in known,
        has_use_change_pte_helper="mmu_notifier_range_use_change_pte" in known,
        has_change_pte="mmu_notifier_ops.change_pte" in known,
        has_set_pte_at_notify="set_pte_at_notify" in known,
        has_invalidate_range="mmu_notifier_ops.invalidate_range" in known,
        has_secondary_tlbs="mmu_notifier_ops.arch_invalidate_secondary_tlbs" in known,
        has_only_end="mmu_notifier_invalidate_range_only_end" in known,
        has_events=f"{member}event" in known,
        has_flags=f"{member}flags" in known,
        has_interval="mmu_interval_notifier_ops.invalidate" in known,
        has_get_put="mmu_notifier_ops.alloc_notifier" in known,
        has_blockable_helper="mmu_notifier_range_blockable" in known,
        has_blockable_field=f"{member}blockable" in known,
        range_has_vma=f"{member}vma" in known,
        owner_field=next((name for name in owners if member + name in known), ""),
        start_returns=start is not None and start.text.startswith("int"),
        events=tuple(sorted(name for name in known if name.startswith("MMU_NOTIFY_"))),
        init_variants=tuple(_variants(known)),
        idiom=idiom,
        names=tuple(sorted(name for name in known if "." not in name)),
        members=tuple(sorted(name for name in known if "." in name)),
    )


def _variants(known: dict[str, Item]) -> Iterable[tuple[str, int]]:
    """mmu_notifier_range_init() and its relatives, with their number of arguments."""
    for name, item in sorted(known.items()):
        if name.startswith("mmu_notifier_range_init"):
            if item.kind == "function":
                yield name, item.text.count(",") + 1
            elif item.text.startswith("macro with "):
                yield name, int(item.text.split()[2])
