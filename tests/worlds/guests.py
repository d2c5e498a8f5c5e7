# SPDX-License-Identifier: GPL-2.0-only
"""Edits of what KVM does beside its callbacks, on the miniature kernel.

Both ways must stop them: the series, and the proof of the tree as it is.
"""

from __future__ import annotations

from tests.worlds.edit import CORE, KVM, MMU, Edit

HOST = "include/linux/kvm_host.h"
_ASK = "\tkvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);\n"
_PAID = "\tcmpxchg(&kvm->tlbs_dirty, dirty_count, 0);\n"
_REQUEST = "\t\tkvm_make_request(req, vcpu);\n"
_ALL = "bool kvm_make_all_cpus_request("
_COUNTED = "\t\t\tkvm->tlbs_dirty++;\n"
_SYNCED = "\tsp->unsync = false;\n"
_SEQ, _COUNT, _DIRTY = (
    "\tunsigned long mmu_notifier_seq;",
    "\tlong mmu_notifier_count;",
    "\tlong tlbs_dirty;",
)
_SAMPLE = "\tmmu_seq = kvm->mmu_notifier_seq;\n"
_FAULT = "static int direct_page_fault("
_KEPT_IN = "\tunsigned long mmu_seq;\n"
_LOCK = "\tspin_lock(&kvm->mmu_lock);\n\tif (mmu_notifier_retry("
_TEST = "\tif (mmu_notifier_retry(kvm, mmu_seq))\n\t\tgoto out_unlock;\n"
_RETRY = "static inline int mmu_notifier_retry("
_MOVED = "\tif (kvm->mmu_notifier_seq != mmu_seq)\n"
_IN_PROGRESS = "\tif (unlikely(kvm->mmu_notifier_count))\n"


def _before(place: str, line: str) -> tuple[tuple[str, str, str], ...]:
    return ((MMU, place, f"{line}\n{place}"),)


#: Flushes: each leaves a vCPU with entries that are gone.
FLUSHES = (
    Edit("a flush leaves the first vCPU out", KVM, _REQUEST, "\t\tif (!i)\n\t\t\tcontinue;\n" + _REQUEST, _ALL),
    Edit("a flush leaves some vCPUs out", KVM, _REQUEST, "\t\tif (vcpu->requests)\n\t\t\tcontinue;\n" + _REQUEST, _ALL),
    Edit("a flush ends at the first vCPU", KVM, "\t\tcalled = true;\n", "\t\tcalled = true;\n\t\tbreak;\n", _ALL),
    Edit("a flush asks for nothing", KVM, _REQUEST, "", _ALL),
    Edit("a vCPU is left in the guest", KVM, "\t\tkvm_vcpu_kick(vcpu);\n", "", _ALL, told_in=HOST),
    Edit("a vCPU is left in the guest if idle", KVM, "\t\tkvm_vcpu_kick(vcpu);\n", "\t\tif (vcpu->vcpu_id)\n\t\t\tkvm_vcpu_kick(vcpu);\n", _ALL, told_in=HOST),
    Edit("sent out before the request", KVM, _REQUEST + "\t\tkvm_vcpu_kick(vcpu);\n", "\t\tkvm_vcpu_kick(vcpu);\n" + _REQUEST, _ALL),
    Edit("no flush without deferred ones", KVM, _ASK, "\tif (!dirty_count)\n\t\treturn;\n" + _ASK),
    Edit("another request", KVM, _ASK, _ASK.replace("TLB_FLUSH", "APIC_PAGE_RELOAD")),
    Edit("no request at all", KVM, _ASK, ""),
    Edit("the loop leaves the last vCPU out", HOST, "idx < atomic_read(&(kvm)->online_vcpus) &&", "idx + 1 < atomic_read(&(kvm)->online_vcpus) &&"),
    Edit("the loop begins behind the first vCPU", HOST, "\tfor (idx = 0;\t", "\tfor (idx = 1;\t"),
    Edit("every other vCPU", HOST, "\t     idx++)", "\t     idx += 2)", "#define kvm_for_each_vcpu("),
    Edit("the bit of another request", HOST, "1UL << req);", "1UL << 1);", told_in=KVM),
    Edit("a request sets no bit", HOST, "\t__sync_fetch_and_or(&vcpu->requests, 1UL << req);", "", told_in=KVM),
    Edit("deferred flushes are dropped before", KVM, _ASK + _PAID, _PAID + _ASK),
    Edit("all deferred flushes are dropped", KVM, _PAID, "\tkvm->tlbs_dirty = 0;\n"),
    Edit("what others deferred meanwhile is dropped", KVM, _PAID, "\tcmpxchg(&kvm->tlbs_dirty, kvm->tlbs_dirty, 0);\n"),
    Edit("a deferred flush is not counted", MMU, _COUNTED, "", told_in=HOST),
    Edit("it is counted in some cases", MMU, _COUNTED, "\t\t\tif (i)\n\t\t\t\tkvm->tlbs_dirty++;\n"),
    Edit("it is counted down", MMU, _COUNTED, "\t\t\tkvm->tlbs_dirty--;\n"),
    Edit("it is counted if some are left", MMU, _COUNTED, "", "", ((MMU, _SYNCED, _SYNCED + "\tif (nr_present)\n\t\tkvm->tlbs_dirty++;\n"),)),
    Edit("it is counted once, and then left", MMU, _COUNTED, "\t\t\treturn 0;\n" + _COUNTED),
)  # fmt: skip

#: Numbers that wrap, or are kept in less than they are.
WIDTHS = (
    Edit("the sequence has 8 bits", HOST, _SEQ, _SEQ.replace("long", "char")),
    Edit("the sequence has 16 bits", HOST, _SEQ, _SEQ.replace("long", "short")),
    Edit("the sequence is a bit field", HOST, _SEQ, _SEQ.replace(";", " : 8;")),
    Edit("the sequence is a truth value", HOST, _SEQ, _SEQ.replace("unsigned long", "bool")),
    Edit("the count is a truth value", HOST, _COUNT, _COUNT.replace("long", "bool")),
    Edit("the count has 8 bits", HOST, _COUNT, _COUNT.replace("long", "signed char")),
    Edit("deferred flushes have 8 bits", HOST, _DIRTY, _DIRTY.replace("long", "char")),
    Edit("the sample is kept in 8 bits", MMU, _KEPT_IN, "\tunsigned char mmu_seq;\n", _FAULT),
    Edit("the sample is kept as a truth value", MMU, _KEPT_IN, "\tbool mmu_seq;\n", _FAULT),
    Edit("the sample is handed on in 16 bits", HOST, "unsigned long mmu_seq)", "unsigned short mmu_seq)", _RETRY),
)  # fmt: skip

#: The fault path: each may map a page that was invalidated.
FAULTS = (
    Edit("the sample is stepped", MMU, _LOCK, "\tmmu_seq++;\n" + _LOCK, _FAULT),
    Edit("the sample is masked", MMU, _LOCK, "\tmmu_seq &= 0xff;\n" + _LOCK, _FAULT),
    Edit("the sample is set anew behind the lookup", MMU, _LOCK, _SAMPLE + _LOCK, _FAULT),
    Edit("the sample is set anew through a pointer", MMU, _LOCK, "\tresample(kvm, &mmu_seq);\n" + _LOCK, _FAULT,
         _before(_FAULT, "static void resample(struct kvm *kvm, unsigned long *s)\n{\n\t*s = kvm->mmu_notifier_seq;\n}\n")),
    Edit("a masked sample", MMU, _SAMPLE, "\tmmu_seq = kvm->mmu_notifier_seq & 0xff;\n", _FAULT),
    Edit("the sequence of another guest", MMU, _SAMPLE, "\tmmu_seq = other_of(kvm)->mmu_notifier_seq;\n", _FAULT,
         _before(_FAULT, "struct kvm *other_of(struct kvm *kvm);\n")),
    Edit("the lock of another guest", MMU, _LOCK, _LOCK.replace("&kvm", "&other_of(kvm)"), _FAULT,
         _before(_FAULT, "struct kvm *other_of(struct kvm *kvm);\n")),
    Edit("the test is of another guest", MMU, _TEST, _TEST.replace("(kvm,", "(other_of(kvm),"), _FAULT,
         _before(_FAULT, "struct kvm *other_of(struct kvm *kvm);\n")),
    Edit("the test is of another number", MMU, _TEST, _TEST.replace("mmu_seq)", "gfn)"), _FAULT),
    Edit("nothing keeps the lookup behind the sample", MMU, "\tsmp_rmb();\n", "", _FAULT),
    Edit("the barrier stands before the sample", MMU, _SAMPLE + "\t/* the sequence before the host's page tables */\n\tsmp_rmb();\n", "\tsmp_rmb();\n" + _SAMPLE, _FAULT),
    Edit("the test compares with itself", HOST, _MOVED, "\tif (kvm->mmu_notifier_seq != kvm->mmu_notifier_seq)\n", _RETRY),
    Edit("the test compares with the count", HOST, _MOVED, "\tif (kvm->mmu_notifier_count != mmu_seq)\n", _RETRY),
    Edit("the test is for counts above one", HOST, _IN_PROGRESS, "\tif (unlikely(kvm->mmu_notifier_count > 1))\n", _RETRY),
    Edit("the test is for a negative count", HOST, _IN_PROGRESS, "\tif (unlikely(kvm->mmu_notifier_count < 0))\n", _RETRY),
    Edit("no test", MMU, _TEST, "", _FAULT),
    Edit("the test inverted", MMU, _TEST, _TEST.replace("if (", "if (!"), _FAULT),
    Edit("the lock given up behind the test", MMU, _TEST, _TEST + "\tspin_unlock(&kvm->mmu_lock);\n\tspin_lock(&kvm->mmu_lock);\n", _FAULT),
)  # fmt: skip

_ENTRY = "int kvm_mmu_page_fault("
_CALLS_FAULT = "\tr = direct_page_fault(vcpu, cr2_or_gpa >> PAGE_SHIFT, write);\n"


def _new_fault(body: str) -> Edit:
    """A fault function of its own, called before the one that is known."""
    head = (
        "static int map_early(struct kvm_vcpu *vcpu, gfn_t gfn)\n{\n\tstruct kvm *kvm = vcpu->kvm;\n"
        "\tstruct kvm_memory_slot *slot = kvm_gfn_to_memslot(kvm, 0, gfn);\n\tbool writable = false;\n\tkvm_pfn_t pfn;\n\n"
        "\tpfn = kvm_hva_to_pfn(kvm, gfn_to_hva_memslot(slot, gfn), false, &writable);\n"
    )
    return Edit("", MMU, _CALLS_FAULT, "\tmap_early(vcpu, cr2_or_gpa >> PAGE_SHIFT);\n" + _CALLS_FAULT, _ENTRY,
                ((MMU, _ENTRY, f"{head}{body}\treturn 0;\n}}\n\n{_ENTRY}"),))  # fmt: skip


_SET = "\tmmu_spte_set(&vcpu->arch.root_spt[gfn % PT64_ENT_PER_PAGE], make_spte(pfn, writable));\n"
#: Fault functions that nobody knows by name, and that ask for no retry.
NEW_FAULTS = (
    _new_fault(_SET)._replace(why="a new fault function without lock and test"),
    _new_fault(f"\tspin_lock(&kvm->mmu_lock);\n{_SET}\tspin_unlock(&kvm->mmu_lock);\n")._replace(why="a new fault function without test"),
    _new_fault("\tput_early(vcpu, gfn, pfn);\n")._replace(
        why="by a helper", also=(
            (MMU, _ENTRY, "static void put_early(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn)\n{\n\tbool writable = false;\n\n" + _SET + "}\n\n" + _ENTRY),
            *(_new_fault("\tput_early(vcpu, gfn, pfn);\n").also))),
)  # fmt: skip

#: The core, as the proof has to see it, too.
HANDED = (
    Edit("the core clears the flags before end", CORE, "\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\trange->flags = 0;\n\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);"),
    Edit("the core's end ends at the first", CORE, "\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\tfor_each_mn(mn, mm) {\n\t\tcall_end(mn, range);\n\t\tbreak;\n\t}"),
    Edit("the core's start begins another range", CORE, "err = mn->ops->invalidate_range_start(mn, range);",
         "err = mn->ops->invalidate_range_start(mn, range + 1);"),
)  # fmt: skip

WRONG = (*FLUSHES, *WIDTHS, *FAULTS, *NEW_FAULTS, *HANDED)

#: None of them changes what the code does.
KEPT = (
    Edit("the guest by another name", MMU, _TEST, _TEST.replace("(kvm,", "(vcpu->kvm,"), _FAULT),
    Edit("the sample read once", MMU, _SAMPLE, "\tmmu_seq = READ_ONCE(kvm->mmu_notifier_seq);\n", _FAULT),
    Edit("the test within do and while", MMU, _TEST, "\tdo {\n\t\tif (mmu_notifier_retry(kvm, mmu_seq))\n\t\t\tgoto out_unlock;\n\t} while (0);\n", _FAULT),
    Edit("a message behind the test", MMU, _TEST, _TEST + "\ttrace_kvm_map(gfn);\n", _FAULT, _before(_FAULT, "void trace_kvm_map(gfn_t gfn);\n")),
    Edit("the lock asserted", MMU, _TEST, "\tlockdep_assert_held(&kvm->mmu_lock);\n" + _TEST, _FAULT,
         _before(_FAULT, "void lockdep_assert_held(void *lock);\n")),
    Edit("statistics in a flush", KVM, _ASK, _ASK + "\t++kvm->stat.flushes;\n", "", ((HOST, _DIRTY, _DIRTY + "\n\tstruct { unsigned long flushes; } stat;"),)),
    Edit("++idx", HOST, "\t     idx++)", "\t     ++idx)", "#define kvm_for_each_vcpu("),
    Edit("the sequence has 64 bits", HOST, _SEQ, _SEQ.replace("unsigned long", "u64"), "",
         ((MMU, _KEPT_IN, "\tu64 mmu_seq;\n"), (HOST, "struct kvm *kvm, unsigned long mmu_seq)", "struct kvm *kvm, u64 mmu_seq)"))),
    Edit("a count compared with 0", HOST, _IN_PROGRESS, "\tif (kvm->mmu_notifier_count != 0)\n", _RETRY),
    Edit("the count in one condition with the sequence", HOST, _MOVED + "\t\treturn 1;\n\treturn 0;\n", "\treturn kvm->mmu_notifier_seq != mmu_seq;\n", _RETRY),
    Edit("both sides of the test swapped", HOST, _MOVED, "\tif (mmu_seq != kvm->mmu_notifier_seq)\n", _RETRY),
    Edit("a variable for the vCPU's guest", MMU, "\tstruct kvm *kvm = vcpu->kvm;\n", "\tstruct kvm *kvm;\n", _FAULT, ((MMU, "\tunsigned long mmu_seq;\n\tkvm_pfn_t pfn;\n\tu64 *sptep;\n", "\tunsigned long mmu_seq;\n\tkvm_pfn_t pfn;\n\tu64 *sptep;\n\n\tkvm = vcpu->kvm;\n"),)),
    Edit("deferred flushes by a step of one", MMU, _COUNTED, "\t\t\tkvm->tlbs_dirty += 1;\n"),
    Edit("deferred flushes written once", MMU, _COUNTED, "\t\t\tWRITE_ONCE(kvm->tlbs_dirty, kvm->tlbs_dirty + 1);\n"),
    Edit("a variable for the request", KVM, _ASK, "\tbool asked;\n\n\tasked = kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);\n\t(void)asked;\n"),
)  # fmt: skip
