# SPDX-License-Identifier: GPL-2.0-only
"""Edits of KVM's callbacks and of its setter, on the miniature kernel."""

from __future__ import annotations

from tests.worlds.edit import KVM, MMU, Edit

_START = "static int kvm_mmu_notifier_invalidate_range_start("
_END = "static void kvm_mmu_notifier_invalidate_range_end("
_CHANGE = "static void kvm_mmu_notifier_change_pte("
_HELPERS = "static void kvm_flush_shadow_all("
_HOST = "include/linux/kvm_host.h"
_COUNT = "\tkvm->mmu_notifier_count++;\n"
_BUMP = "\tkvm->mmu_notifier_seq++;\n"
_SETTER = "static int kvm_set_pte_rmapp("
_NEW = "\tnew_spte = make_spte(new_pfn, false);\n"
_NONE = "\tif (!sptep)\n\t\treturn 0;\n"
_RANGE = "static int kvm_handle_hva_range("
_SLOTS = "\t\t\tif (hva_start >= hva_end)\n\t\t\t\tcontinue;\n"
_MEMBER = "\tlong tlbs_dirty;"


def _declared(line: str) -> tuple[tuple[str, str, str], ...]:
    return ((KVM, _HELPERS, line + "\n" + _HELPERS),)


def _with_member(line: str) -> tuple[tuple[str, str, str], ...]:
    return ((_HOST, _MEMBER, f"{_MEMBER}\n\t{line}"),)


#: Each of them makes the series wrong.
WRONG = (
    Edit("start invalidates a cache of pfns", KVM, _COUNT, _COUNT + "\tpfn_cache_drop(kvm, range->start, range->end);\n",
         _START, _declared("void pfn_cache_drop(struct kvm *kvm, unsigned long start, unsigned long end);")),
    Edit("by an inline of the file", KVM, _COUNT, _COUNT + "\tdrop_cached(kvm);\n", _START,
         (*_declared("static inline void drop_cached(struct kvm *kvm)\n{\n\tkvm->cached_pfn = 0;\n}\n"),
          *_with_member("unsigned long cached_pfn;"))),
    Edit("by architecture code", KVM, _COUNT, _COUNT + "\tkvm_arch_drop_cached(kvm);\n", _START,
         _declared("void kvm_arch_drop_cached(struct kvm *kvm);")),
    Edit("by a loop", KVM, _COUNT, _COUNT + "\twhile (kvm->busy)\n\t\tkvm->busy--;\n", _START, _with_member("int busy;")),
    Edit("start counts what end drops", KVM, _COUNT, _COUNT + "\tkvm->in_start++;\n", _START, _with_member("int in_start;")),
    Edit("start writes a pointer", KVM, _COUNT, _COUNT + "\tWRITE_ONCE(kvm->cached, 0);\n", _START,
         _with_member("unsigned long cached;")),
    Edit("start raises the count in some cases", KVM, _COUNT, "\tif (range->start)\n\t\tkvm->mmu_notifier_count++;\n", _START),
    Edit("start raises it by two", KVM, _COUNT, "\tkvm->mmu_notifier_count += 2;\n", _START),
    Edit("end drops what change_pte() raised", KVM, _BUMP, _BUMP + "\tkvm->changing++;\n", _CHANGE,
         (*_with_member("int changing;"), (KVM, "\tkvm->mmu_notifier_count--;\n", "\tkvm->mmu_notifier_count--;\n\tkvm->changing--;\n"))),
    Edit("end wakes somebody", KVM, "\tkvm->mmu_notifier_count--;\n", "\tkvm->mmu_notifier_count--;\n\twake_waiters(kvm);\n",
         _END, _declared("void wake_waiters(struct kvm *kvm);")),
    Edit("change_pte() warns without a count", KVM, _BUMP, _BUMP + "\tWARN_ON(!kvm->mmu_notifier_count);\n", _CHANGE),
    Edit("it warns once", KVM, _BUMP, "\tWARN_ON_ONCE(!kvm->mmu_notifier_count);\n" + _BUMP, _CHANGE,
         ((KVM, _HELPERS, "#ifndef WARN_ON_ONCE\n#define WARN_ON_ONCE(x) WARN_ON(x)\n#endif\n" + _HELPERS),)),
    Edit("change_pte() returns without a count", KVM, _BUMP,
         "\tif (!kvm->mmu_notifier_count) {\n\t\tspin_unlock(&kvm->mmu_lock);\n\t\tsrcu_read_unlock(&kvm->srcu, idx);\n\t\treturn;\n\t}\n" + _BUMP, _CHANGE),
    Edit("the bump for read-only entries only", KVM, _BUMP, "\tif (!pte_write(pte))\n\t\tkvm->mmu_notifier_seq++;\n", _CHANGE),
    Edit("the bump on x86 only", KVM, _BUMP, "#ifdef CONFIG_X86\n\tkvm->mmu_notifier_seq++;\n#endif\n", _CHANGE),
    Edit("the body on x86 only", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n",
         "#ifdef CONFIG_X86\n\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n#endif\n", _CHANGE),
    Edit("the bump with an option that is off", KVM, _BUMP, "#ifndef CONFIG_KVM_NO_SEQ\n\tkvm->mmu_notifier_seq++;\n#endif\n", _CHANGE),
    Edit("the bump behind the setter", KVM, _BUMP + "\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n",
         "\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n" + _BUMP, _CHANGE),
    Edit("another address is set", KVM, "kvm_set_spte_hva(kvm, address, pte)", "kvm_set_spte_hva(kvm, address & ~1UL, pte)", _CHANGE),
    Edit("no flush", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n\t\tkvm_flush_remote_tlbs(kvm);\n",
         "\tkvm_set_spte_hva(kvm, address, pte);\n", _CHANGE),
    Edit("change_pte() calls an unknown function", KVM, _BUMP, _BUMP + "\tnote_change(kvm);\n", _CHANGE,
         _declared("void note_change(struct kvm *kvm);")),
    Edit("the architecture's hook does more", MMU, "void kvm_arch_guest_memory_reclaimed(struct kvm *kvm)\n{\n",
         "void kvm_arch_guest_memory_reclaimed(struct kvm *kvm)\n{\n\tkvm->tlbs_dirty = 0;\n"),
    Edit("the setter skips read-only slots", MMU, _SLOTS, _SLOTS + "\t\t\tif (memslot->flags & 2)\n\t\t\t\tcontinue;\n", _RANGE,
         (("include/linux/kvm_host.h", "struct kvm_memory_slot {\n", "struct kvm_memory_slot {\n\tunsigned int flags;\n"),)),
    Edit("the setter keeps the write bit", MMU, _NEW, "\tnew_spte = make_spte(new_pfn, true);\n", _SETTER),
    Edit("it adds it", MMU, _NEW, _NEW + "\tnew_spte |= PT_WRITABLE_MASK;\n", _SETTER),
    Edit("it keeps the old one's rights", MMU, _NEW, _NEW + "\tnew_spte |= *sptep & PT_WRITABLE_MASK;\n", _SETTER),
    Edit("the old page stays", MMU, "\tnew_pfn = pte_pfn(*ptep);\n", "\tnew_pfn = spte_to_pfn(*sptep);\n", _SETTER),
    Edit("the setter leaves young entries", MMU, _NONE, _NONE + "\tif (*sptep & PT_ACCESSED_MASK)\n\t\treturn 0;\n", _SETTER),
    Edit("the setter does nothing", MMU, _NONE, "\treturn 0;\n" + _NONE, _SETTER),
    Edit("what drops a mapping clears nothing", MMU, "\tmmu_spte_clear_no_track(sptep);\n\trmap_head->sptep = NULL;\n",
         "\trmap_head->sptep = NULL;\n", "static void drop_spte("),
    Edit("writable entries are left", MMU, "\t\tdrop_spte(rmap_head, sptep);\n\t\treturn 1;\n", "\t\treturn 1;\n", _SETTER),
    Edit("the first memslot only", MMU, "\t\t\t\tret |= handler(kvm, gfn_to_rmap(memslot, gfn),\n\t\t\t\t\t       data);\n",
         "\t\t\t\tret |= handler(kvm, gfn_to_rmap(memslot, gfn),\n\t\t\t\t\t       data);\n\t\t\tbreak;\n", _RANGE),
    Edit("the first address space only", MMU, "i < KVM_ADDRESS_SPACE_NUM", "i < 1", _RANGE),
    Edit("not the first address space", MMU, "for (i = 0; i", "for (i = 1; i", _RANGE),
    Edit("every other frame", MMU, "for (; gfn < gfn_end; gfn++)", "for (; gfn < gfn_end; gfn += 2)", _RANGE),
    Edit("one frame less", MMU, "for (; gfn < gfn_end; gfn++)", "for (; gfn + 1 < gfn_end; gfn++)", _RANGE),
    Edit("the loop over memslots leaves the last out", _HOST, "memslot < (slots)->memslots + (slots)->used_slots;",
         "memslot + 1 < (slots)->memslots + (slots)->used_slots;"),
    Edit("the setter on 64 bits only", MMU, _NEW, "#ifndef CONFIG_X86_64\n\treturn 0;\n#endif\n" + _NEW, _SETTER),
    Edit("the setter leaves early by goto", MMU, _NONE, _NONE + "\tif (data & 1)\n\t\tgoto out;\n", _SETTER,
         ((MMU, "\tmmu_spte_set(sptep, new_spte);\n\treturn 1;\n", "\tmmu_spte_set(sptep, new_spte);\nout:\n\treturn 1;\n"),)),
)  # fmt: skip

#: None of them changes what the code does.
KEPT = (
    Edit("statistics in start", KVM, _COUNT, _COUNT + "\tkvm->stat.invalidations++;\n", _START,
         _with_member("struct { unsigned long invalidations; } stat;")),
    Edit("a trace in change_pte()", KVM, _BUMP, "\ttrace_kvm_set_spte_hva(address);\n" + _BUMP, _CHANGE,
         _declared("void trace_kvm_set_spte_hva(unsigned long address);")),
    Edit("+= 1", KVM, _BUMP, "\tkvm->mmu_notifier_seq += 1;\n", _CHANGE),
    Edit("a variable for the answer", KVM, "\tif (kvm_set_spte_hva(kvm, address, pte))\n", "\tidx2 = kvm_set_spte_hva(kvm, address, pte);\n\tif (idx2)\n",
         _CHANGE, ((KVM, "\tint idx;\n\n\tidx = srcu_read_lock(&kvm->srcu);\n\tspin_lock(&kvm->mmu_lock);\n\t/* A fault may have looked",
                    "\tint idx, idx2;\n\n\tidx = srcu_read_lock(&kvm->srcu);\n\tspin_lock(&kvm->mmu_lock);\n\t/* A fault may have looked"),)),
    Edit("-= 1", KVM, "\tkvm->mmu_notifier_count--;\n\tspin_unlock(&kvm->mmu_lock);\n", "\tkvm->mmu_notifier_count -= 1;\n\tspin_unlock(&kvm->mmu_lock);\n", _END),
    Edit("an if the other way round", MMU, "\tif (!sptep)\n\t\treturn 0;\n", "\tif (sptep == NULL)\n\t\treturn 0;\n", _SETTER),
    Edit("a message", MMU, _NEW, "\tpr_debug(\"new page\\n\");\n" + _NEW, _SETTER,
         ((MMU, _SETTER, "void pr_debug(const char *text);\n" + _SETTER),)),
    Edit("without a variable for the new SPTE", MMU, "\tmmu_spte_set(sptep, new_spte);\n", "\tmmu_spte_set(sptep, make_spte(new_pfn, false));\n", _SETTER),
    Edit("++gfn", MMU, "gfn < gfn_end; gfn++", "gfn < gfn_end; ++gfn", _RANGE),
    Edit("a block instead of continue", MMU, "\t\t\tif (hva_start >= hva_end)\n\t\t\t\tcontinue;\n",
         "\t\t\tif (hva_start >= hva_end) {\n\t\t\t\tcontinue;\n\t\t\t}\n", _RANGE),
)  # fmt: skip
