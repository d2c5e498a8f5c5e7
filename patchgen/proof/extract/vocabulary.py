# SPDX-License-Identifier: GPL-2.0-only
"""What kernel names mean to the proof, each with where that can be read.

Only names that the extraction may not or need not look into are here; everything else
is followed into its definition.  A name in none of these tables, with no definition in
the files that are read, makes a program unknown.
"""

from __future__ import annotations

import re

#: Calls that do something: operations in order.
DOES: dict[str, tuple[tuple[str, str], ...]] = {
    # virt/kvm/kvm_main.c: all vCPUs, waits; also settles deferred flushes (tlbs_dirty).
    "kvm_flush_remote_tlbs": (("flush", ""),),
    # arch/x86/kvm/mmu/mmu.c: a range only, deferred flushes stay.
    "kvm_flush_remote_tlbs_with_address": (("flush_page", ""),),
    # arch/x86/kvm/mmu/mmu_internal.h (6.6 on).
    "kvm_flush_remote_tlbs_gfn": (("flush_page", ""),),
    "kvm_flush_remote_tlbs_range": (("flush_page", ""),),
    # virt/kvm/pfncache.c: under each cache's lock.
    "gfn_to_pfn_cache_invalidate_start": (
        ("lock", "gpc"),
        ("invalidate_cache", ""),
        ("unlock", "gpc"),
    ),
    # include/linux/sched.h: the one rwlock that is passed to it here is mmu_lock.
    "cond_resched_rwlock_write": (("unlock", "mmu"), ("lock", "mmu")),
    # include/linux/srcu.h
    "srcu_read_lock": (("srcu_enter", ""),),
    "srcu_read_unlock": (("srcu_leave", ""),),
    # arch/x86/kvm/mmu/mmu.c: clears the one SPTE, keeping its accessed and dirty bits.
    "mmu_spte_clear_track_bits": (("clear_spte", ""),),
    "mmu_spte_clear_no_track": (("clear_spte", ""),),
    # arch/x86/kvm/mmu/mmu.c: clear the SPTE and unlink it.
    "drop_spte": (("drop_spte", ""),),
    "kvm_zap_one_rmap_spte": (("drop_spte", ""),),
    # include/linux/kvm_host.h
    "KVM_MMU_LOCK": (("lock", "mmu"),),
    "KVM_MMU_UNLOCK": (("unlock", "mmu"),),
}

#: Calls that drop the SPTE where their own body calls the second name, else only unlink it.
#: arch/x86/kvm/mmu/mmu.c: 5.0 to 5.15 clear it themselves, 6.1 does before the call.
DROPS_IF_CALLS = {"pte_list_remove": "mmu_spte_clear_track_bits"}

#: Calls that drop the page's SPTE where there is one, and tell whether there was one.
#: arch/x86/kvm/mmu/mmu.c (6.1): empties the page's rmap.
DROPS_ALL = frozenset({"kvm_zap_all_rmap_sptes"})

#: Calls that write the SPTE with their last argument: arch/x86/kvm/mmu/mmu.c.
WRITES_SPTE = frozenset({"mmu_spte_set"})

#: Calls that answer a question of the model.
ASKS = {
    # arch/x86/kvm/mmu/mmu.c: the first SPTE that maps the page.
    "rmap_get_first": "present",
    # arch/x86/include/asm/pgtable.h, on the PTE that change_pte() is given.
    "pte_write": "new_writable",
    # arch/x86/kvm/mmu/mmu.c: on Hyper-V only.
    "kvm_available_flush_tlb_with_range": "either",
    "kvm_available_flush_remote_tlbs_range": "either",
    # include/linux/sched.h
    "need_resched": "either",
    "rwlock_needbreak": "either",
    # include/linux/mmu_notifier.h
    "mmu_notifier_range_blockable": "blockable",
    # include/linux/mmu_notifier.h, with mmu-notifier-v05.
    "mmu_notifier_range_use_change_pte": "flagged",
    # include/linux/mmu_notifier.h: mprotect() of a range to read-only.
    "mmu_notifier_range_update_to_read_only": "only_protected",
}

#: Calls that write the SPTE anew in place, here without its write bit, and tell whether TLBs
#: may hold more than it says now: arch/x86/kvm/mmu/mmu.c.
PROTECTS_SPTE = frozenset({"mmu_spte_update"})

#: Fields that answer one: the SPTE of an rmap that holds one at most (the miniature kernel's
#: arch/x86/kvm/mmu/mmu.c).
ASKS_FIELDS = {"sptep": "present"}

#: Flags of a range (include/linux/mmu_notifier.h) that are tested with ``range->flags &``.
FLAGS = {
    "MMU_NOTIFIER_USE_CHANGE_PTE": "flagged",
    "MMU_NOTIFIER_RANGE_BLOCKABLE": "blockable",
}

#: Flags of a memslot (virt/kvm/kvm_main.c, include/linux/kvm_host.h).
SLOT_FLAGS = {"KVM_MEMSLOT_INVALID": "slot_invalid"}

#: Fields of struct kvm (include/linux/kvm_host.h): (question when read, raise, lower).
STATE = {
    "mmu_notifier_count": ("in_progress", "raise_count", "lower_count"),
    "mmu_invalidate_in_progress": ("in_progress", "raise_count", "lower_count"),
    "mmu_notifier_seq": ("", "bump_seq", ""),
    "mmu_invalidate_seq": ("", "bump_seq", ""),
    "mn_active_invalidate_count": ("active", "raise_active", "lower_active"),
    "tlbs_dirty": ("deferred", "mark_dirty", ""),
}

#: Fields of struct kvm that hold the range of the invalidations in progress.
RANGE_FIELDS = frozenset(
    {
        "mmu_notifier_range_start",
        "mmu_notifier_range_end",
        "mmu_invalidate_range_start",
        "mmu_invalidate_range_end",
    }
)

#: Locks of struct kvm, by member.
LOCK_FIELDS = {"mmu_lock": "mmu", "mn_invalidate_lock": "mn"}

#: include/linux/spinlock.h, include/linux/rwlock.h
LOCK_CALLS = frozenset({"spin_lock", "write_lock", "read_lock"})
UNLOCK_CALLS = frozenset({"spin_unlock", "write_unlock", "read_unlock"})

#: Calls that read their argument: include/asm-generic/rwonce.h, include/linux/compiler.h.
READS = frozenset({"READ_ONCE", "data_race", "ACCESS_ONCE"})
#: Calls that write their second argument to their first, or to what it points to:
#: include/asm-generic/rwonce.h, include/asm-generic/barrier.h.
WRITES = frozenset({"WRITE_ONCE"})
WRITES_THROUGH = frozenset({"smp_store_release", "smp_store_mb"})
#: Calls that count in what their first argument points to, or is:
#: include/linux/atomic/atomic-instrumented.h, include/linux/percpu-defs.h.
COUNTS = re.compile(
    r"(atomic|atomic64|atomic_long)_(inc|dec)|(raw_cpu|this_cpu|__this_cpu)_(inc|dec)"
)
#: The same, by their first or second argument.
ADDS = re.compile(
    r"(atomic|atomic64|atomic_long)_(add|sub|set)|(raw_cpu|this_cpu|__this_cpu)_(add|sub)"
)

#: Files in which a member that the model leaves out may be read: KVM's common and x86 code.
READERS = (
    "virt/kvm/kvm_main.c",
    "virt/kvm/kvm_mm.h",
    "virt/kvm/pfncache.c",
    "virt/kvm/async_pf.c",
    "virt/kvm/eventfd.c",
    "virt/kvm/guest_memfd.c",
    "include/linux/kvm_host.h",
    "arch/x86/include/asm/kvm_host.h",
    "arch/x86/kvm/mmu.h",
    "arch/x86/kvm/mmu.c",
    "arch/x86/kvm/paging_tmpl.h",
    "arch/x86/kvm/mmu/mmu.c",
    "arch/x86/kvm/mmu/mmu_internal.h",
    "arch/x86/kvm/mmu/page_track.c",
    "arch/x86/kvm/mmu/paging_tmpl.h",
    "arch/x86/kvm/mmu/spte.c",
    "arch/x86/kvm/mmu/spte.h",
    "arch/x86/kvm/mmu/tdp_iter.c",
    "arch/x86/kvm/mmu/tdp_mmu.c",
    "arch/x86/kvm/x86.c",
    "arch/x86/kvm/x86.h",
    "arch/x86/kvm/hyperv.c",
    "arch/x86/kvm/lapic.c",
    "arch/x86/kvm/svm.c",
    "arch/x86/kvm/svm/nested.c",
    "arch/x86/kvm/svm/sev.c",
    "arch/x86/kvm/svm/svm.c",
    "arch/x86/kvm/vmx.c",
    "arch/x86/kvm/vmx/nested.c",
    "arch/x86/kvm/vmx/vmx.c",
)

#: Calls whose value is their first argument's: include/linux/compiler.h,
#: include/asm-generic/bug.h, include/linux/rcupdate.h.
TRANSPARENT = frozenset(
    {
        "likely",
        "unlikely",
        *READS,
        "WARN_ON",
        "WARN_ON_ONCE",
        "BUG_ON",
        "KVM_MMU_WARN_ON",
        "KVM_BUG_ON",
    }
)

#: Calls with a value and no effect on the model: addresses, containers, PTE accessors.
PURE = frozenset(
    {
        # virt/kvm/kvm_main.c, include/linux/kernel.h
        "mmu_notifier_to_kvm",
        "container_of",
        "max",
        "min",
        "max_t",
        "min_t",
        # include/linux/kvm_host.h
        "hva_to_gfn_memslot",
        "__kvm_memslots",
        "kvm_memslots",
        # arch/x86/include/asm/pgtable.h
        "pte_huge",
        "pte_pfn",
        "pte_val",
        "__pte",
        # arch/x86/kvm/mmu/spte.c: keeps frame and write bit.
        "mark_spte_for_access_track",
        # include/linux/lockdep.h
        "lockdep_is_held",
        # include/linux/interval_tree.h
        "interval_tree_iter_first",
        "interval_tree_iter_next",
    }
)

#: Those of these that are x86's MMU's own, static in its file up to 5.4.
OF_THE_MMU = frozenset({"mark_spte_for_access_track"})

#: Calls without effect on the model.
NOTHING = frozenset(
    {
        # arch/x86/kvm/mmu/mmu.c: a message.
        "rmap_printk",
        # arch/x86/kvm/mmu.h: statistics.
        "kvm_update_page_stats",
        # asm/barrier.h: every access of the model is in order already.
        "smp_wmb",
        "smp_rmb",
        "smp_mb",
        # include/linux/lockdep.h
        "lockdep_assert_held",
        "lockdep_assert_held_write",
        "lockdep_assert_once",
        # arch/x86/kvm/svm: writes caches back for SEV, touches no mapping.
        "kvm_arch_guest_memory_reclaimed",
        # virt/kvm/kvm_main.c: here the request to reload the APIC access page.
        "kvm_make_all_cpus_request",
        # include/linux/rcuwait.h: wakes a memslot update.
        "rcuwait_wake_up",
        # include/linux/kernel.h, asm/barrier.h
        "might_sleep",
        "barrier",
        # include/linux/printk.h
        "printk",
        "pr_debug",
        "pr_info",
        "pr_warn",
        "pr_err",
        "pr_info_once",
        "pr_warn_once",
        "pr_err_once",
        "pr_info_ratelimited",
        "pr_warn_ratelimited",
        "pr_err_ratelimited",
    }
)

#: Prefixes of calls without effect: include/linux/tracepoint.h.
NOTHING_PREFIXES = ("trace_",)

#: Calls with a fixed value.
VALUES = {
    # arch/x86/kvm/x86.c: asks vCPUs to reload the APIC access page, returns 0.
    "kvm_arch_mmu_notifier_invalidate_range": 0,
    # arch/x86/kvm/mmu.h: the rmap MMU is the one that is looked into.
    "is_tdp_mmu_enabled": 0,
    "kvm_memslots_have_rmaps": 1,
}

#: Names and fields with a fixed value: the rmap MMU is the one that is looked into.
CONSTANTS = {"NULL": 0, "true": 1, "false": 0, "tdp_mmu_enabled": 0}

#: Conditions that hold or not by how the page is chosen: it lies in one memslot, and a
#: range is never empty (mm: the callers of mmu_notifier_invalidate_range_start()).
SETTLED = {
    "hva_start >= hva_end": 0,
    "range->end <= range->start": 0,
    # arch/x86/kvm/mmu/mmu.c (6.12): the walk comes by the page's rmap.
    "iterator.rmap": 1,
}

#: Loops that come by the page exactly once: over address spaces, memslots and rmaps
#: (include/linux/kvm_host.h, virt/kvm/kvm_main.c, arch/x86/kvm/mmu/mmu.c).
LOOPS_ONCE = frozenset(
    {
        "kvm_for_each_memslot",
        "kvm_for_each_memslot_in_hva_range",
        "for_each_slot_rmap_range",
    }
)
#: ``for`` loops that do, by their bound: over address spaces, and over the range's frames.
BOUNDS_ONCE = frozenset({"KVM_ADDRESS_SPACE_NUM", "kvm_arch_nr_memslot_as_ids", "gfn_end"})

#: Loops over the SPTEs that map the page: arch/x86/kvm/mmu/mmu.c.
LOOPS_SPTE = frozenset({"for_each_rmap_spte"})

#: The stub that stands for "no function": virt/kvm/kvm_main.c.
NULL_FUNCTION = "kvm_null_fn"
IS_NULL_FUNCTION = "IS_KVM_NULL_FN"

#: Masks: with these bits an SPTE is writable, without them read-only (arch/x86/kvm/mmu/spte.h).
WRITE_MASKS = frozenset({"PT_WRITABLE_MASK"})
