# SPDX-License-Identifier: GPL-2.0-only
"""Edits of the walks that come by a page's mappings, on the miniature kernel.

Both ways must stop them: the series, and the proof of the tree as it is.
"""

from __future__ import annotations

from tests.worlds.edit import MMU, Edit

HOST = "include/linux/kvm_host.h"
_RANGE = "static int kvm_handle_hva_range("
_CALL = "\t\t\t\tret |= handler(kvm, gfn_to_rmap(memslot, gfn),\n\t\t\t\t\t       data);\n"
_FRAMES = "\t\t\tfor (; gfn < gfn_end; gfn++)\n"
_NONE = "\t\t\tif (hva_start >= hva_end)\n\t\t\t\tcontinue;\n"
_UNMAP = "static int kvm_unmap_rmapp("
_DROP = "\tdrop_spte(rmap_head, rmap_head->sptep);\n\treturn 1;\n"

WRONG = (
    Edit("the last page is left out", MMU, "hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1,", "hva_to_gfn_memslot(hva_end - 1,", _RANGE),
    Edit("the page before the last is the last", MMU, "hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1,", "hva_to_gfn_memslot(hva_end - PAGE_SIZE,", _RANGE),
    Edit("the first page is left out", MMU, "gfn = hva_to_gfn_memslot(hva_start, memslot);", "gfn = hva_to_gfn_memslot(hva_start, memslot) + 1;", _RANGE),
    Edit("the last memslot is left out", HOST, "memslot < (slots)->memslots + (slots)->used_slots;", "memslot + 1 < (slots)->memslots + (slots)->used_slots;"),
    Edit("the first memslot is left out", HOST, "memslot = &(slots)->memslots[0];", "memslot = &(slots)->memslots[1];"),
    Edit("one address space", MMU, "i < KVM_ADDRESS_SPACE_NUM", "i < 1", _RANGE),
    Edit("not the first address space", MMU, "for (i = 0; i", "for (i = 1; i", _RANGE),
    Edit("not the last address space", MMU, "i < KVM_ADDRESS_SPACE_NUM", "i < KVM_ADDRESS_SPACE_NUM - 1", _RANGE),
    Edit("the first memslot only", MMU, _FRAMES + _CALL, _FRAMES + _CALL + "\t\t\tbreak;\n", _RANGE),
    Edit("until some page was mapped", MMU, _FRAMES + _CALL, _FRAMES + _CALL + "\t\t\tif (ret)\n\t\t\t\treturn ret;\n", _RANGE),
    Edit("one frame of each memslot", MMU, _FRAMES + _CALL, _FRAMES.replace("gfn++)", "gfn++) {") + _CALL + "\t\t\t\tbreak;\n\t\t\t}\n", _RANGE),
    Edit("every other frame", MMU, "gfn < gfn_end; gfn++", "gfn < gfn_end; gfn += 2", _RANGE),
    Edit("the last answer alone", MMU, "ret |= handler(", "ret = handler(", _RANGE),
    Edit("read-only memslots are left out", MMU, _NONE, _NONE + "\t\t\tif (memslot->flags & 2)\n\t\t\t\tcontinue;\n", _RANGE,
         ((HOST, "struct kvm_memory_slot {\n", "struct kvm_memory_slot {\n\tunsigned int flags;\n"),)),
    Edit("memslots that end in the range are left out", MMU, "if (hva_start >= hva_end)", "if (hva_start >= hva_end || hva_end < end)", _RANGE),
    Edit("a lone page is left out", MMU, "if (hva_start >= hva_end)", "if (hva_start + PAGE_SIZE >= hva_end)", _RANGE),
    Edit("an empty range for a page", MMU, "hva, hva + 1, data, handler)", "hva, hva, data, handler)"),
    Edit("the page behind", MMU, "hva, hva + 1, data, handler)", "hva + 1, hva + 2, data, handler)"),
)  # fmt: skip

#: They concern what start unmaps alone, which the series does not change.
UNMAPPED = (
    Edit("young entries stay", MMU, _DROP, "\tif (*rmap_head->sptep & PT_ACCESSED_MASK)\n\t\treturn 0;\n" + _DROP, _UNMAP),
    Edit("nothing is dropped", MMU, _DROP, "\treturn 1;\n", _UNMAP),
    Edit("the range's end is left out", MMU, "kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp)", "kvm_handle_hva_range(kvm, start, end - PAGE_SIZE, 0, kvm_unmap_rmapp)", "int kvm_unmap_hva_range("),
    Edit("one page of the range", MMU, "kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp)", "kvm_handle_hva(kvm, start, 0, kvm_unmap_rmapp)", "int kvm_unmap_hva_range("),
    Edit("ranges with a flag stay", MMU, "\tint r = kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);\n",
         "\tint r;\n\n\tif (flags & 4)\n\t\treturn 0;\n\tr = kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);\n", "int kvm_unmap_hva_range("),
    Edit("what drops an entry only forgets it", MMU, "\tmmu_spte_clear_no_track(sptep);\n\trmap_head->sptep = NULL;\n", "\trmap_head->sptep = NULL;\n"),
)  # fmt: skip

KEPT = (
    Edit("++gfn", MMU, "gfn < gfn_end; gfn++", "gfn < gfn_end; ++gfn", _RANGE),
    Edit("the answer or-ed by hand", MMU, "ret |= handler(kvm, gfn_to_rmap(memslot, gfn),\n\t\t\t\t\t       data);", "ret = ret | handler(kvm, gfn_to_rmap(memslot, gfn), data);", _RANGE),
    Edit("blocks", MMU, _FRAMES + _CALL, "\t\t\tfor (; gfn < gfn_end; gfn++) {\n" + _CALL + "\t\t\t}\n", _RANGE),
    Edit("the condition turned round", MMU, _NONE, "\t\t\tif (!(hva_start < hva_end))\n\t\t\t\tcontinue;\n", _RANGE),
    Edit("a trace in the walk", MMU, _FRAMES, "\t\t\ttrace_kvm_walk(hva_start);\n" + _FRAMES, _RANGE, ((MMU, _RANGE, "void trace_kvm_walk(unsigned long hva);\n" + _RANGE),)),
    Edit("a helper for one memslot", MMU, _FRAMES + _CALL, "\t\t\tret |= kvm_handle_frames(kvm, memslot, gfn, gfn_end, data, handler);\n", _RANGE,
         ((MMU, _RANGE, "static int kvm_handle_frames(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn, gfn_t last,\n\t\t\t     unsigned long data, int (*handler)(struct kvm *kvm, struct kvm_rmap_head *rmap_head, unsigned long data))\n"
           "{\n\tint ret = 0;\n\n\tfor (; gfn < last; gfn++)\n\t\tret |= handler(kvm, gfn_to_rmap(slot, gfn), data);\n\treturn ret;\n}\n\n" + _RANGE),)),
    Edit("renamed locals", MMU, "\tint r = kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);\n", "\tint r;\n\n\tr = kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);\n", "int kvm_unmap_hva_range("),
    Edit("an if around instead of continue", MMU, _NONE, "\t\t\tif (hva_start < hva_end) {\n", _RANGE,
         ((MMU, _CALL + "\t\t}\n\t}\n", _CALL + "\t\t\t}\n\t\t}\n\t}\n"),)),
)  # fmt: skip
