# SPDX-License-Identifier: GPL-2.0-only
"""Edits of Linux 5.10 as it is, held against the one judge that each of them is for."""

from __future__ import annotations

from pathlib import Path

from patchgen.analysis.handlers.effects import Callbacks, effects
from patchgen.analysis.handlers.setters import setters
from patchgen.analysis.told.dispatch import dispatch, notification
from patchgen.recipes.kvm.listing import listing
from tests.worlds.edit import CORE, HEADER, KVM, MMU, Edit, edited

_CALLBACKS = Callbacks(
    KVM, "kvm_mmu_notifier_invalidate_range_start", "kvm_mmu_notifier_invalidate_range_end",
    "kvm_mmu_notifier_change_pte", "mmu_notifier_count", "mmu_notifier_seq",
)  # fmt: skip
_ARM64, _MIPS = "arch/arm64/kvm/mmu.c", "arch/mips/kvm/mmu.c"
_HV, _PR, _BOOKE = ("arch/powerpc/kvm/book3s_64_mmu_hv.c", "arch/powerpc/kvm/book3s_pr.c",
                    "arch/powerpc/kvm/e500_mmu_host.c")  # fmt: skip
_RMAPP = "static int kvm_set_pte_rmapp("
_START = "static int kvm_mmu_notifier_invalidate_range_start("
_CHANGE = "static void kvm_mmu_notifier_change_pte("


def faults(root: Path, edit: Edit) -> tuple[str, ...]:
    """What all the judges say of the tree with the edit."""
    state = edited(root, edit)
    found = [*notification(state.read).faults, *dispatch(state.read).faults]
    found += effects(state.read, listing(root), _CALLBACKS)
    found += setters(state.read, listing(root))
    return tuple(str(one) for one in found)


WRONG = (
    Edit("nobody is told", HEADER, "\tmmu_notifier_change_pte(___mm, ___address, ___pte);", "\t",
         "#define set_pte_at_notify("),
    Edit("the first subscriber only", CORE, "\t\t\tsubscription->ops->change_pte(subscription, mm, address,\n\t\t\t\t\t\t      pte);\n",
         "\t\t\tsubscription->ops->change_pte(subscription, mm, address,\n\t\t\t\t\t\t      pte);\n\t\tbreak;\n"),
    Edit("init drops the flags", HEADER, "\trange->flags = flags;\n", "\trange->flags = 0;\n"),
    Edit("the end gets no flags", CORE, "\t\tmn_hlist_invalidate_end(subscriptions, range, only_end);",
         "\t\trange->flags = 0, mn_hlist_invalidate_end(subscriptions, range, only_end);"),
    Edit("start drops a cache", KVM, "\tkvm->mmu_notifier_count++;\n", "\tkvm->mmu_notifier_count++;\n\tkvm_drop_pfns(kvm);\n", _START),
    Edit("a warning without a count", KVM, "\tkvm->mmu_notifier_seq++;\n",
         "\tkvm->mmu_notifier_seq++;\n\tWARN_ON_ONCE(!kvm->mmu_notifier_count);\n", _CHANGE),
    Edit("x86: the first SPTE of an rmap only", MMU, "\t\t\tmmu_spte_set(sptep, new_spte);\n",
         "\t\t\tmmu_spte_set(sptep, new_spte);\n\t\t\tbreak;\n", _RMAPP),
    Edit("x86: no restart behind a drop", MMU, "\t\t\tgoto restart;\n", "\t\t\tbreak;\n", _RMAPP),
    Edit("x86: read-only slots are skipped", MMU, "\tint need_flush = 0;\n",
         "\tint need_flush = 0;\n\n\tif (slot->flags & KVM_MEM_READONLY)\n\t\treturn 0;\n", _RMAPP),
    Edit("x86: huge pages are skipped", MMU, "\tint need_flush = 0;\n",
         "\tint need_flush = 0;\n\n\tif (level > PG_LEVEL_4K)\n\t\treturn 0;\n", _RMAPP),
    Edit("x86: the write bit is kept", "arch/x86/kvm/mmu/spte.c", "\tnew_spte &= ~PT_WRITABLE_MASK;\n", "",
         "u64 kvm_mmu_changed_pte_notifier_make_spte(", told_in=MMU),
    Edit("x86: the old page stays", "arch/x86/kvm/mmu/spte.c", "\tnew_spte |= (u64)new_pfn << PAGE_SHIFT;\n",
         "\tnew_spte |= old_spte & PT64_BASE_ADDR_MASK;\n", "u64 kvm_mmu_changed_pte_notifier_make_spte(", told_in=MMU),
    Edit("x86: the rmap's loop ends early", MMU, "_spte_; _spte_ = rmap_get_next(_iter_))", "_spte_; _spte_ = NULL)"),
    Edit("arm64: the new mapping may be written", _ARM64, "KVM_PGTABLE_PROT_R, NULL", "KVM_PGTABLE_PROT_R | KVM_PGTABLE_PROT_W, NULL",
         "static int kvm_set_spte_handler("),
    Edit("arm64: nothing is mapped", _ARM64, "\tkvm_pgtable_stage2_map(kvm->arch.mmu.pgt, gpa, PAGE_SIZE,\n\t\t\t       __pfn_to_phys(*pfn), KVM_PGTABLE_PROT_R, NULL);\n",
         "", "static int kvm_set_spte_handler("),
    Edit("arm64: only sometimes", _ARM64, "\tWARN_ON(size != PAGE_SIZE);\n", "\tif (size != PAGE_SIZE)\n\t\treturn 0;\n",
         "static int kvm_set_spte_handler("),
    Edit("mips: young entries only", _MIPS, "\tif (!gpa_pte)\n", "\tif (!gpa_pte || !pte_young(*gpa_pte))\n", "static int kvm_set_spte_handler("),
    Edit("mips: the old entry again", _MIPS, "\tset_pte(gpa_pte, hva_pte);\n", "\tset_pte(gpa_pte, old_pte);\n", "static int kvm_set_spte_handler("),
    Edit("powerpc: the first entry only", _HV, "\t\tkvmppc_unmap_hpte(kvm, i, memslot, rmapp, gfn);\n\t\tunlock_rmap(rmapp);\n",
         "\t\tkvmppc_unmap_hpte(kvm, i, memslot, rmapp, gfn);\n\t\tunlock_rmap(rmapp);\n\t\tbreak;\n", "static int kvm_unmap_rmapp("),
    Edit("powerpc: radix does nothing", _HV, "\thandler = kvm_is_radix(kvm) ? kvm_unmap_radix : kvm_unmap_rmapp;\n\tkvm_handle_hva(kvm, hva, handler);\n",
         "\thandler = kvm_unmap_rmapp;\n\tif (!kvm_is_radix(kvm))\n\t\tkvm_handle_hva(kvm, hva, handler);\n", "void kvm_set_spte_hva_hv("),
    Edit("powerpc: PR does nothing", _PR, "\tdo_kvm_unmap_hva(kvm, hva, hva + PAGE_SIZE);\n", "", "static void kvm_set_spte_hva_pr("),
    Edit("powerpc: e500 does nothing", _BOOKE, "\tkvm_unmap_hva(kvm, hva);\n", "", "int kvm_set_spte_hva("),
)  # fmt: skip

KEPT = (
    Edit("nothing", MMU, _RMAPP, _RMAPP),
    Edit("x86: |= for =", MMU, "\t\tneed_flush = 1;\n", "\t\tneed_flush |= 1;\n", _RMAPP),
    Edit("arm64: a variable", _ARM64, "\tWARN_ON(size != PAGE_SIZE);\n", "\tgpa_t at = gpa;\n\n\tWARN_ON(size != PAGE_SIZE);\n\tgpa = at;\n",
         "static int kvm_set_spte_handler("),
    Edit("a trace in start", KVM, "\tkvm->mmu_notifier_count++;\n", "\ttrace_kvm_invalidate(range->start);\n\tkvm->mmu_notifier_count++;\n", _START),
    Edit("statistics in change_pte()", KVM, "\tkvm->mmu_notifier_seq++;\n", "\tkvm->mmu_notifier_seq++;\n\t++kvm->stat.changes;\n", _CHANGE),
)  # fmt: skip
