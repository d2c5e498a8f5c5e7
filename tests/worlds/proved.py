# SPDX-License-Identifier: GPL-2.0-only
"""Edits of real kernels that the proof has to stop, whichever of them they fit.

``python -m tests.worlds.proved NAME|FOLDER...`` tries them on trees that are there: each edit
where its text stands, by the path that the tree has for the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from patchgen.proof.prove import look
from patchgen.source.tree import registry
from tests.worlds.edit import CORE, HEADER, KVM, MMU, Edit, edited, proved

HOST = "include/linux/kvm_host.h"
CACHE = "virt/kvm/pfncache.c"
TEMPLATE = "arch/x86/kvm/mmu/paging_tmpl.h"
INTERNAL = "arch/x86/kvm/mmu/mmu_internal.h"
#: Up to 5.3 x86's MMU is one folder higher.
_OLD = {MMU: "arch/x86/kvm/mmu.c", TEMPLATE: "arch/x86/kvm/paging_tmpl.h"}

_WALK = "__kvm_handle_hva_range("
_SWAP = "static void kvm_swap_active_memslots("
_REFRESH = "static kvm_pfn_t hva_to_pfn_retry("
_STALE = "static bool is_page_fault_stale("

WRONG = (
    # Flushes, counters, deferred flushes.
    Edit("a vCPU in the guest is left there", KVM, "\tif (kvm_request_needs_ipi(vcpu, req)) {", "\tif (kvm_request_needs_ipi(vcpu, req) && vcpu->preempted) {"),
    Edit("no request", KVM, "\tif (likely(!(req & KVM_REQUEST_NO_ACTION)))\n\t\t__kvm_make_request(req, vcpu);\n", ""),
    Edit("no request, as it was", KVM, "\tkvm_make_request(req, vcpu);\n\n\tif (!(req", "\tif (!(req"),
    Edit("a flush that goes to nobody", KVM, "\tif (!kvm_arch_flush_remote_tlb(kvm)\n\t    || kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH))\n", "\tif (!kvm_arch_flush_remote_tlb(kvm))\n"),
    Edit("a flush that goes to nobody (6.6)", KVM, "\tif (!kvm_arch_flush_remote_tlbs(kvm)\n\t    || kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH))\n", "\tif (!kvm_arch_flush_remote_tlbs(kvm))\n"),
    Edit("the architecture only says so", "arch/x86/include/asm/kvm_host.h", "\tif (kvm_x86_ops.tlb_remote_flush &&\n", "\tif (!kvm_x86_ops.tlb_remote_flush)\n\t\treturn 0;\n\tif (kvm_x86_ops.tlb_remote_flush &&\n"),
    Edit("the vCPU loop begins behind the first", HOST, "\tfor (idx = 0; \\\n\t     idx < atomic_read", "\tfor (idx = 1; \\\n\t     idx < atomic_read"),
    Edit("the vCPU loop begins behind the first (6.1)", HOST, "idx, vcpup, 0, \\\n", "idx, vcpup, 1, \\\n"),
    Edit("nobody is kicked", KVM, "\tsmp_call_function_many(cpus, ack_flush, NULL, wait);\n", "", told_in=HOST),
    Edit("nobody is kicked (6.1)", KVM, "\tsmp_call_function_many(cpus, ack_kick, NULL, wait);\n", "", told_in=HOST),
    Edit("the sequence has 16 bits", HOST, "\tunsigned long mmu_notifier_seq;", "\tunsigned short mmu_notifier_seq;"),
    Edit("the sequence has 16 bits (6.1)", HOST, "\tunsigned long mmu_invalidate_seq;", "\tunsigned short mmu_invalidate_seq;"),
    Edit("the count has 8 bits (6.1)", HOST, "\tlong mmu_invalidate_in_progress;", "\tsigned char mmu_invalidate_in_progress;"),
    Edit("the sample is kept in 8 bits (6.1)", INTERNAL, "\tunsigned long mmu_seq;", "\tunsigned char mmu_seq;"),
    Edit("a deferred flush is not counted", TEMPLATE, "\t\t\tvcpu->kvm->tlbs_dirty++;\n\t\t\tcontinue;\n\t\t}\n\n\t\tgfn =", "\t\t\tcontinue;\n\t\t}\n\n\t\tgfn ="),
    Edit("the other deferred flush is not counted", TEMPLATE, "\t\t\tsmp_wmb();\n\t\t\tvcpu->kvm->tlbs_dirty++;\n\t\t\tcontinue;\n\t\t}\n\n\t\tnr_present++;", "\t\t\tcontinue;\n\t\t}\n\n\t\tnr_present++;"),
    # The core, and who subscribes.
    Edit("the end is told to the first", CORE, "\t\t\tops->invalidate_range_end(subscription, range);\n", "\t\t\tops->invalidate_range_end(subscription, range);\n\t\t\tbreak;\n"),
    Edit("the end begins with other flags", CORE, "\tlock_map_acquire(&__mmu_notifier_invalidate_range_start_map);\n\tif (subscriptions->has_itree)\n\t\tmn_itree_inv_end(subscriptions);\n", "\trange->flags = 0;\n\tlock_map_acquire(&__mmu_notifier_invalidate_range_start_map);\n\tif (subscriptions->has_itree)\n\t\tmn_itree_inv_end(subscriptions);\n"),
    Edit("init forgets the flags", HEADER, "\trange->flags = flags;\n", ""),
    Edit("unregistering lets nothing go", CORE, "\tmmdrop(mm);\n", "", "void mmu_notifier_unregister("),
    Edit("a guest that is destroyed stays on the list", KVM, "\tmmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);\n", ""),
    # Walks: x86's own, the common one.
    Edit("the last page (x86)", MMU, "hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1, memslot);", "hva_to_gfn_memslot(hva_end - 1, memslot);", "static int kvm_handle_hva_range("),
    Edit("all but the last frame (x86)", MMU, "gfn_start, gfn_end - 1,\n", "gfn_start, gfn_end - 2,\n", "static int kvm_handle_hva_range("),
    Edit("4 KiB entries only (x86)", MMU, "KVM_MAX_HUGEPAGE_LEVEL,\n\t\t\t\t\t\t gfn_start", "PG_LEVEL_4K,\n\t\t\t\t\t\t gfn_start", "static int kvm_handle_hva_range("),
    Edit("the last answer alone (x86)", MMU, "\t\t\t\tret |= handler(", "\t\t\t\tret = handler(", "static int kvm_handle_hva_range("),
    Edit("the last page (common)", KVM, "gfn_range.end = hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1, slot);", "gfn_range.end = hva_to_gfn_memslot(hva_end - 1, slot);", _WALK),
    Edit("the last memslot (common)", KVM, "range->start, range->end - 1) {", "range->start, range->end - PAGE_SIZE) {", _WALK),
    Edit("one address space (common)", KVM, "i < KVM_ADDRESS_SPACE_NUM; i++) {\n\t\tstruct interval_tree_node", "i < 1; i++) {\n\t\tstruct interval_tree_node", _WALK),
    Edit("until a mapping was found (common)", KVM, "\t\t\t\t\tbreak;\n\t\t\t}\n\t\t\tret |= range->handler(kvm, &gfn_range);\n\t\t}\n\t}\n\n\tif (range->flush_on_ret && ret)\n", "\t\t\t\t\tbreak;\n\t\t\t}\n\t\t\tret |= range->handler(kvm, &gfn_range);\n\t\t\tif (ret)\n\t\t\t\tbreak;\n\t\t}\n\t}\n\n\tif (range->flush_on_ret && ret)\n", _WALK),
    Edit("another memslot (common)", KVM, "\t\t\tgfn_range.slot = slot;\n", "\t\t\tgfn_range.slot = slot + 1;\n", _WALK),
    Edit("the loop over memslots (common)", KVM, "node = interval_tree_iter_next(node, start, last))", "node = NULL)", "#define kvm_for_each_memslot_in_hva_range("),
    Edit("all but the last frame of a memslot", MMU, "range->start, range->end - 1, &iterator)\n\t\tret |= handler(", "range->start, range->end - 2, &iterator)\n\t\tret |= handler("),
    # Fault paths.
    Edit("the barrier is gone", MMU, "\tfault->mmu_seq = vcpu->kvm->mmu_invalidate_seq;\n\tsmp_rmb();\n", "\tfault->mmu_seq = vcpu->kvm->mmu_invalidate_seq;\n"),
    Edit("the barrier is gone (5.10)", MMU, "\tmmu_seq = vcpu->kvm->mmu_notifier_seq;\n\tsmp_rmb();\n", "\tmmu_seq = vcpu->kvm->mmu_notifier_seq;\n"),
    Edit("the barrier is gone (shadow paging)", TEMPLATE, "\tmmu_seq = vcpu->kvm->mmu_notifier_seq;\n\tsmp_rmb();\n", "\tmmu_seq = vcpu->kvm->mmu_notifier_seq;\n"),
    Edit("the sample is masked", MMU, "\tfault->mmu_seq = vcpu->kvm->mmu_invalidate_seq;\n", "\tfault->mmu_seq = vcpu->kvm->mmu_invalidate_seq & 0xff;\n"),
    Edit("the test is of another page", MMU, "mmu_invalidate_retry_hva(vcpu->kvm, fault->mmu_seq, fault->hva);", "mmu_invalidate_retry_hva(vcpu->kvm, fault->mmu_seq, fault->hva + PAGE_SIZE);", _STALE),
    Edit("the test is of another page (6.12)", MMU, "mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, fault->gfn);", "mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, fault->gfn + 1);", _STALE),
    Edit("the test is of another sequence", MMU, "(vcpu->kvm, fault->mmu_seq, fault->", "(vcpu->kvm, vcpu->kvm->mmu_invalidate_seq, fault->", _STALE),
    Edit("the sample is stepped (5.10)", TEMPLATE, "\tr = RET_PF_RETRY;\n\tspin_lock(&vcpu->kvm->mmu_lock);\n", "\tr = RET_PF_RETRY;\n\tmmu_seq++;\n\tspin_lock(&vcpu->kvm->mmu_lock);\n"),
    # The pfn cache and the swap of memslots.
    Edit("the cache does not ask again", CACHE, "} while (mmu_notifier_retry_cache(kvm, mmu_seq));", "} while (0);"),
    Edit("the cache does not ask again (6.6)", CACHE, "} while (mmu_notifier_retry_cache(gpc->kvm, mmu_seq));", "} while (0);"),
    Edit("the cache asks before it has its lock", CACHE, "\t\twrite_lock_irq(&gpc->lock);\n\n\t\t/*\n\t\t * Other", "\t\t/*\n\t\t * Other", _REFRESH),
    Edit("the cache looks up before the sample", CACHE, "\t\tsmp_rmb();\n\n\t\twrite_unlock_irq(&gpc->lock);\n", "\t\twrite_unlock_irq(&gpc->lock);\n", _REFRESH),
    Edit("the cache samples again behind the lookup", CACHE, "\t\tWARN_ON_ONCE(gpc->valid);\n", "\t\tWARN_ON_ONCE(gpc->valid);\n\t\tmmu_seq = kvm->mmu_invalidate_seq;\n", _REFRESH),
    Edit("the cache is valid before the test", CACHE, "\t\tWARN_ON_ONCE(gpc->valid);\n", "\t\tgpc->valid = true;\n", _REFRESH),
    Edit("the cache's test forgets what runs", CACHE, "\tif (kvm->mn_active_invalidate_count)\n\t\treturn true;\n", ""),
    Edit("the swap waits for nothing", KVM, "\twhile (kvm->mn_active_invalidate_count) {", "\twhile (0) {", _SWAP),
    Edit("the swap waits once", KVM, "\twhile (kvm->mn_active_invalidate_count) {", "\tif (kvm->mn_active_invalidate_count) {", _SWAP),
    Edit("the swap gives the lock up", KVM, "\tfinish_rcuwait(&kvm->mn_memslots_update_rcuwait);\n", "\tfinish_rcuwait(&kvm->mn_memslots_update_rcuwait);\n\tspin_unlock(&kvm->mn_invalidate_lock);\n\tspin_lock(&kvm->mn_invalidate_lock);\n", _SWAP),
    Edit("the swap comes first", KVM, "\tspin_lock(&kvm->mn_invalidate_lock);\n\tprepare_to_rcuwait", "\trcu_assign_pointer(kvm->memslots[as_id], slots);\n\tspin_lock(&kvm->mn_invalidate_lock);\n\tprepare_to_rcuwait", _SWAP),
)  # fmt: skip

KEPT = (
    Edit("nothing", KVM, "struct kvm", "struct kvm"),
    Edit("statistics in a flush", KVM, "\tif (!kvm_arch_flush_remote_tlb(kvm)\n", "\t++kvm->stat.generic.remote_tlb_flush;\n\tif (!kvm_arch_flush_remote_tlb(kvm)\n"),
    Edit("a variable for the guest", MMU, "\tfault->mmu_seq = vcpu->kvm->mmu_invalidate_seq;\n", "\tfault->mmu_seq = READ_ONCE(vcpu->kvm->mmu_invalidate_seq);\n"),
    Edit("a trace in the walk", KVM, "\t\t\tgfn_range.slot = slot;\n", "\t\t\tgfn_range.slot = slot;\n\t\t\ttrace_kvm_walk(gfn_range.start);\n", _WALK),
    Edit("the lock asserted behind the test", MMU, "\tr = direct_map(vcpu, fault);\n", "\tlockdep_assert_held_write(&vcpu->kvm->mmu_lock);\n\tr = direct_map(vcpu, fault);\n"),
)  # fmt: skip


def fitting(root: Path, edit: Edit) -> Edit | None:
    """The edit by the paths of a tree; None where it does not fit there."""
    for path in (edit.path, _OLD.get(edit.path, "")):
        moved = edit._replace(path=path)
        if not path or not (root / path).is_file():
            continue
        try:
            edited(root, moved)
        except ValueError:
            continue
        return moved
    return None


def wrong(root: Path, edit: Edit) -> str:
    """Why an edit is not stopped with a line of its file, or ""."""
    looked = look(edited(root, edit).read)
    if looked.found is not None:
        found = proved(root, edit)
        return "it holds" if found.planned else ""
    named = any(one.place.path in (edit.path, edit.told_in) for one in looked.unknown)
    return "" if named else f"no line of {edit.path}: {looked.unknown[0]}"


def kept(root: Path, edit: Edit) -> str:
    """Why a tree that means the same is not understood, or ""."""
    unknown = look(edited(root, edit).read).unknown
    return "; ".join(map(str, unknown))


def tried(root: Path) -> tuple[int, list[str]]:
    """How many edits fit a tree, and what went wrong with which."""
    count, bad = 0, []
    for edits, judged in ((WRONG, wrong), (KEPT, kept)):
        for edit in edits:
            moved = fitting(root, edit)
            if moved is None:
                continue
            count += 1
            text = judged(root, moved)
            if text:
                bad.append(f"{moved.path}: {moved.why}: {text}")
    return count, bad


def main() -> int:
    """Try the edits on each tree that is named; exit status 1: one is not as it should be."""
    failed = 0
    for name in sys.argv[1:]:
        root = registry.location(name) if not Path(name).is_dir() else Path(name).resolve()
        if root is None:
            print(f"{name}: not here (patchgen tree add {name})")
            failed += 1
            continue
        count, bad = tried(root)
        print(f"{name}: {count - len(bad)} of {count} edits of {len(WRONG) + len(KEPT)} as they"
              " should be", flush=True)  # fmt: skip
        print(*bad, sep="\n", end="\n" if bad else "")
        failed += len(bad)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
