# SPDX-License-Identifier: GPL-2.0-only
"""Edits of KVM's callbacks, the core and the sections that keep what the code means.

Neither the series nor the proof may be lost by one; and breaks that look alike.
"""

from __future__ import annotations

from tests.worlds.edit import CORE, KSM, KVM, MMU, Edit

HOST = "include/linux/kvm_host.h"
_START = "static int kvm_mmu_notifier_invalidate_range_start("
_END = "static void kvm_mmu_notifier_invalidate_range_end("
_CHANGE = "static void kvm_mmu_notifier_change_pte("
_HELPERS = "static void kvm_flush_shadow_all("
_COUNT = "\tkvm->mmu_notifier_count++;\n"
_DOWN = "\tkvm->mmu_notifier_count--;\n"
_BUMP = "\tkvm->mmu_notifier_seq++;\n"
_SET = "\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n"
_FLUSH = "\tif (need_tlb_flush || kvm->tlbs_dirty)\n\t\tkvm_flush_remote_tlbs(kvm);\n"
_SETTER = "static int kvm_set_pte_rmapp("
_REPLACE = "static int replace_page("


def _helper(text: str) -> tuple[tuple[str, str, str], ...]:
    return ((KVM, _HELPERS, text + "\n" + _HELPERS),)


KEPT = (
    Edit("WRITE_ONCE() in change_pte()", KVM, _BUMP, "\tWRITE_ONCE(kvm->mmu_notifier_seq, kvm->mmu_notifier_seq + 1);\n", _CHANGE),
    Edit("WRITE_ONCE() and READ_ONCE()", KVM, _BUMP, "\tWRITE_ONCE(kvm->mmu_notifier_seq, READ_ONCE(kvm->mmu_notifier_seq) + 1);\n", _CHANGE),
    Edit("WRITE_ONCE() in end", KVM, _BUMP, "\tWRITE_ONCE(kvm->mmu_notifier_seq, kvm->mmu_notifier_seq + 1);\n", _END),
    Edit("one and the old one", KVM, _BUMP, "\tkvm->mmu_notifier_seq = 1 + kvm->mmu_notifier_seq;\n", _CHANGE),
    Edit("the old one and one", KVM, _COUNT, "\tkvm->mmu_notifier_count = kvm->mmu_notifier_count + 1;\n", _START),
    Edit("++count", KVM, _COUNT, "\t++kvm->mmu_notifier_count;\n", _START),
    Edit("WRITE_ONCE() of the count", KVM, _COUNT, "\tWRITE_ONCE(kvm->mmu_notifier_count, kvm->mmu_notifier_count + 1);\n", _START),
    Edit("do and while", KVM, _COUNT, "\tdo {\n\t\tkvm->mmu_notifier_count++;\n\t} while (0);\n", _START),
    Edit("a block", KVM, _BUMP, "\t{\n\t\tkvm->mmu_notifier_seq++;\n\t}\n", _CHANGE),
    Edit("a helper counts", KVM, _COUNT, "\traise_count(kvm);\n", _START, _helper("static void raise_count(struct kvm *kvm)\n{\n\tkvm->mmu_notifier_count++;\n}\n")),
    Edit("a helper of a helper bumps", KVM, _BUMP, "\tbump(kvm);\n", _CHANGE, _helper("static inline void bump_(struct kvm *k)\n{\n\tk->mmu_notifier_seq++;\n}\nstatic inline void bump(struct kvm *vm)\n{\n\tbump_(vm);\n}\n")),
    Edit("the flush's condition turned round", KVM, _FLUSH, "\tif (!(need_tlb_flush || kvm->tlbs_dirty))\n\t\tgoto unflushed;\n\tkvm_flush_remote_tlbs(kvm);\nunflushed:\n", _START),
    Edit("two conditions for the flush", KVM, _FLUSH, "\tif (need_tlb_flush)\n\t\tkvm_flush_remote_tlbs(kvm);\n\telse if (kvm->tlbs_dirty)\n\t\tkvm_flush_remote_tlbs(kvm);\n", _START),
    Edit("the count read once in the warning", KVM, "\tBUG_ON(kvm->mmu_notifier_count < 0);\n", "\tBUG_ON(READ_ONCE(kvm->mmu_notifier_count) < 0);\n", _END),
    Edit("a warning and no BUG", KVM, "\tBUG_ON(kvm->mmu_notifier_count < 0);\n", "\tWARN_ON(kvm->mmu_notifier_count < 0);\n", _END),
    Edit("likely()", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n", "\tif (likely(kvm_set_spte_hva(kvm, address, pte)))\n", _CHANGE),
    Edit("!!", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n", "\tif (!!kvm_set_spte_hva(kvm, address, pte))\n", _CHANGE),
    Edit("compared with 0", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n", "\tif (kvm_set_spte_hva(kvm, address, pte) != 0)\n", _CHANGE),
    Edit("the lock asserted", KVM, _COUNT, "\tlockdep_assert_held(&kvm->mmu_lock);\n" + _COUNT, _START, _helper("void lockdep_assert_held(void *lock);")),
    Edit("a trace in start", KVM, _COUNT, "\ttrace_kvm_start(range->start, range->end);\n" + _COUNT, _START, _helper("void trace_kvm_start(unsigned long start, unsigned long end);")),
    Edit("a trace in end", KVM, _DOWN, _DOWN + "\ttrace_kvm_end(kvm);\n", _END, _helper("void trace_kvm_end(struct kvm *kvm);")),
    Edit("another name for the guest", KVM, "\tspin_lock(&kvm->mmu_lock);\n\t/* A fault that", "\tstruct kvm *vm = kvm;\n\n\tspin_lock(&vm->mmu_lock);\n\t/* A fault that", _END),
    Edit("might_sleep()", KVM, "\tidx = srcu_read_lock(&kvm->srcu);\n\tspin_lock(&kvm->mmu_lock);\n\t/* Whoever", "\tmight_sleep();\n\tidx = srcu_read_lock(&kvm->srcu);\n\tspin_lock(&kvm->mmu_lock);\n\t/* Whoever", _START),
    Edit("a counter of the core's", CORE, "\tint idx = srcu_read_lock(&srcu);\n\tstruct mmu_notifier *mn;\n\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)", "\tint idx = srcu_read_lock(&srcu);\n\tstruct mmu_notifier *mn;\n\n\tatomic_long_inc(&told);\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)"),
    Edit("the setter's early return inverted", MMU, "\tif (pte_write(*ptep)) {\n\t\tdrop_spte(rmap_head, sptep);\n\t\treturn 1;\n\t}\n\n\tnew_spte = make_spte(new_pfn, false);\n\tmmu_spte_clear_no_track(sptep);\n\tmmu_spte_set(sptep, new_spte);\n\treturn 1;\n",
         "\tif (!pte_write(*ptep)) {\n\t\tnew_spte = make_spte(new_pfn, false);\n\t\tmmu_spte_clear_no_track(sptep);\n\t\tmmu_spte_set(sptep, new_spte);\n\t} else {\n\t\tdrop_spte(rmap_head, sptep);\n\t}\n\treturn 1;\n", _SETTER),
    Edit("the entry read once", MMU, "\tif (pte_write(*ptep)) {\n", "\tif (pte_write(READ_ONCE(*ptep))) {\n", _SETTER),
    Edit("a copy of the entry", MMU, "\tnew_pfn = pte_pfn(*ptep);\n\tif (pte_write(*ptep)) {\n", "\tpte_t entry = *ptep;\n\n\tnew_pfn = pte_pfn(entry);\n\tif (pte_write(entry)) {\n", _SETTER),
    Edit("a section's end by one way out", KSM, "out_unlock:\n\tpte_unmap_unlock(ptep, ptl);\n\tmmu_notifier_invalidate_range_end(&range);\n\treturn err;\n", "out_unlock:\n\tpte_unmap_unlock(ptep, ptl);\n\tmmu_notifier_invalidate_range_end(&range);\n\tgoto out;\nout:\n\treturn err;\n", _REPLACE),
)  # fmt: skip

#: The proof takes it; the series finds no condition that it could extend, and says so.
SWITCHED = (
    Edit("a switch over the answer", KVM, _SET, "\tswitch (kvm_set_spte_hva(kvm, address, pte)) {\n\tcase 0:\n\t\tbreak;\n\tdefault:\n\t\tkvm_flush_remote_tlbs(kvm);\n\t}\n", _CHANGE),
)  # fmt: skip

#: Breaks that look alike.
WRONG = (
    Edit("WRITE_ONCE() of the same value", KVM, _BUMP, "\tWRITE_ONCE(kvm->mmu_notifier_seq, kvm->mmu_notifier_seq);\n", _CHANGE),
    Edit("WRITE_ONCE() of a number", KVM, _BUMP, "\tWRITE_ONCE(kvm->mmu_notifier_seq, 1);\n", _CHANGE),
    Edit("two steps in do and while", KVM, _COUNT, "\tdo {\n\t\tkvm->mmu_notifier_count++;\n\t} while (kvm->mmu_notifier_count < 2);\n", _START),
    Edit("a count for each address space", KVM, _COUNT, "\tfor (idx = 0; idx < KVM_ADDRESS_SPACE_NUM; idx++)\n\t\tkvm->mmu_notifier_count++;\n", _START),
    Edit("a helper counts another guest", KVM, _COUNT, "\traise_count(other_vm);\n", _START, _helper("static struct kvm *other_vm;\nstatic void raise_count(struct kvm *kvm)\n{\n\tkvm->mmu_notifier_count++;\n}\n")),
    Edit("the sequence behind the lock", KVM, _BUMP, "\tspin_unlock(&kvm->mmu_lock);\n\tkvm->mmu_notifier_seq++;\n\tspin_lock(&kvm->mmu_lock);\n", _CHANGE),
)  # fmt: skip
#: Without the guard start has flushed, so that the proof of the tree as it is does not mind.
PLANNED = (
    Edit("the switch flushes for nothing", KVM, _SET, "\tswitch (kvm_set_spte_hva(kvm, address, pte)) {\n\tcase 0:\n\t\tkvm_flush_remote_tlbs(kvm);\n\t\tbreak;\n\tdefault:\n\t\tbreak;\n\t}\n", _CHANGE),
    Edit("the flush turned round", KVM, _SET, "\tif (!kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n", _CHANGE),
)  # fmt: skip
#: What the proof alone is asked, for the site loses its flag else.
RANGES = (
    Edit("another range is ended", KSM, "\tmmu_notifier_invalidate_range_end(&range);\n\treturn err;", "\tmmu_notifier_invalidate_range_end(&range + 1);\n\treturn err;", _REPLACE),
    Edit("the end moves within the section", KSM, "\tptep_clear_flush(vma, addr, ptep);\n", "\trange.end += PAGE_SIZE;\n\tptep_clear_flush(vma, addr, ptep);\n", _REPLACE),
)  # fmt: skip
