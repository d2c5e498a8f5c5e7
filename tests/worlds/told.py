# SPDX-License-Identifier: GPL-2.0-only
"""Edits of what the notifier's own macros and functions do, on the miniature kernel."""

from __future__ import annotations

from tests.worlds.edit import CORE, HEADER, KVM, Edit

_MACRO = "#define set_pte_at_notify("
_CALL = "\tmmu_notifier_change_pte(__m, __a, __new);\t\t\t\\\n"
_SET = "\tset_pte_at(__m, __a, __ptep, __new);\t\t\t\t\\\n"
_CHANGE = "void __mmu_notifier_change_pte("
_LOOP = "\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)\n"
_TOLD = "\t\t\tmn->ops->change_pte(mn, mm, address, pte);\n"
_INLINE = "static inline void mmu_notifier_change_pte("
_INIT = "static inline void mmu_notifier_range_init("
_START = "\nmmu_notifier_invalidate_range_start(struct"
_END = "\nmmu_notifier_invalidate_range_end(struct"
_CALL_START = "static int call_start("
_CORE_START = "int __mmu_notifier_invalidate_range_start("
_CORE_END = "void __mmu_notifier_invalidate_range_end("
_FLAG = "#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 0)\n"

#: Each of them makes the series wrong.
WRONG = (
    Edit("nobody is told", HEADER, _CALL, "", _MACRO),
    Edit("the entry is set first", HEADER, _CALL + _SET, _SET + _CALL, _MACRO),
    Edit("another address is told", HEADER, "(__m, __a, __new);\t\t\t\\\n",
         "(__m, __a + PAGE_SIZE, __new); \\\n", _MACRO, told_in=CORE),
    Edit("an empty entry is told", HEADER, "mmu_notifier_change_pte(__m, __a, __new)",
         "mmu_notifier_change_pte(__m, __a, __pte(0))", _MACRO),
    Edit("told in one configuration only", HEADER, _MACRO,
         "#ifndef CONFIG_ARM64\n#define set_pte_at_notify set_pte_at\n#else\n" + _MACRO,
         also=((HEADER, "#else /* CONFIG_MMU_NOTIFIER */", "#endif\n#else /* CONFIG_MMU_NOTIFIER */"),)),
    Edit("a lock given up between notification and entry", HEADER, _SET, "\tspin_unlock(&__m->page_table_lock); \\\n\tspin_lock(&__m->page_table_lock); \\\n" + _SET, _MACRO),
    Edit("a lock given up before subscribers are told", CORE, _LOOP, "\tspin_unlock(&mm->notifier_subscriptions->lock);\n" + _LOOP, _CHANGE),
    Edit("told by half", HEADER, _CALL, "\tif (__a & PAGE_SIZE) mmu_notifier_change_pte(__m, __a, __new); \\\n",
         _MACRO),
    Edit("another entry is set", HEADER, "\tset_pte_at(__m, __a, __ptep, __new);",
         "\tset_pte_at(__m, __a, __ptep, pte_mkdirty(__new));", _MACRO),
    Edit("told where nobody has subscribed", HEADER, "\tif (mm_has_notifiers(mm))\n",
         "\tif (!mm_has_notifiers(mm))\n", _INLINE),
    Edit("told under one more condition", HEADER, "\tif (mm_has_notifiers(mm))\n",
         "\tif (mm_has_notifiers(mm) && address)\n", _INLINE),
    Edit("the inline is empty", HEADER, "\tif (mm_has_notifiers(mm))\n\t\t__mmu_notifier_change_pte(mm, address, pte);\n",
         "", _INLINE),
    Edit("nobody ever has notifiers", HEADER, "\treturn unlikely(mm->notifier_subscriptions);",
         "\treturn 0;"),
    Edit("no inline with another option", HEADER, "\tif (mm_has_notifiers(mm))\n\t\t__mmu_notifier_change_pte(mm, address, pte);\n",
         "#ifdef CONFIG_X86\n\tif (mm_has_notifiers(mm))\n\t\t__mmu_notifier_change_pte(mm, address, pte);\n#endif\n",
         _INLINE),
    Edit("only the first subscriber", CORE, _LOOP + _TOLD,
         "\tfor_each_mn(mn, mm) {\n\t\tif (mn->ops->change_pte)\n" + _TOLD + "\t\tbreak;\n\t}\n", _CHANGE),
    Edit("the first that has it", CORE, _LOOP + _TOLD,
         "\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte) {\n" + _TOLD
         + "\t\t\tgoto out;\n\t\t}\nout:\n", _CHANGE),
    Edit("only those with an end", CORE, "if (mn->ops->change_pte)\n",
         "if (mn->ops->change_pte && mn->ops->invalidate_range_end)\n", _CHANGE),
    Edit("those without it", CORE, "if (mn->ops->change_pte)\n", "if (!mn->ops->change_pte)\n",
         _CHANGE),
    Edit("the neighbour's address", CORE, "(mn, mm, address, pte);", "(mn, mm, address & PMD_MASK, pte);",
         _CHANGE),
    Edit("the first one is skipped", CORE, _LOOP,
         "\tfor_each_mn(mn, mm)\n\t\tif (skip++ && mn->ops->change_pte)\n", _CHANGE,
         ((CORE, "\tint idx = srcu_read_lock(&srcu);\n\tstruct mmu_notifier *mn;\n\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)",
           "\tint idx = srcu_read_lock(&srcu);\n\tstruct mmu_notifier *mn;\n\tint skip = 0;\n\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)"),)[:0]),
    Edit("called twice", CORE, _TOLD, _TOLD + "\tif (mm)\n\t\tfor_each_mn(mn, mm)\n\t\t\tif (mn->ops->change_pte)\n\t" + _TOLD, _CHANGE),
    Edit("an early return", CORE, "\tstruct mmu_notifier *mn;\n\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)",
         "\tstruct mmu_notifier *mn;\n\n\tif (!address)\n\t\treturn;\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)", _CHANGE),
    Edit("the loop's macro goes through another list", CORE, "&(mm)->notifier_subscriptions->list, \\\n",
         "&(mm)->notifier_subscriptions->deferred_list, \\\n"),
    Edit("the loop's macro stops at the second", CORE, "\thlist_for_each_entry_rcu(mn, &(mm)",
         "\thlist_for_each_entry_continue_rcu(mn, &(mm)"),
    Edit("the file has a loop of its own by that name", CORE, "#define for_each_mn(mn, mm)",
         "#undef hlist_for_each_entry_rcu\n#define hlist_for_each_entry_rcu(p, h, m, c) for (p = (void *)(h)->first; p; p = NULL)\n#define for_each_mn(mn, mm)"),
    Edit("init drops the flags", HEADER, "\trange->flags = flags;\n", "\trange->flags = 0;\n", _INIT),
    Edit("init keeps one flag", HEADER, "range->flags = flags;", "range->flags = flags & 1;", _INIT),
    Edit("init keeps flags of an event", HEADER, "\trange->flags = flags;\n",
         "\tif (event == MMU_NOTIFY_CLEAR)\n\t\trange->flags = flags;\n", _INIT),
    Edit("init forgets the flags", HEADER, "\trange->flags = flags;\n", "", _INIT),
    Edit("init clears them behind", HEADER, "\trange->end = end;\n", "\trange->end = end;\n\trange->flags &= 1;\n", _INIT),
    Edit("init widens the range", HEADER, "\trange->end = end;\n", "\trange->end = end + PAGE_SIZE;\n", _INIT),
    Edit("init has a helper elsewhere", HEADER, "\trange->flags = flags;\n",
         "\trange->flags = flags;\n\tset_more(range);\n", _INIT,
         ((HEADER, _INIT, "void set_more(struct mmu_notifier_range *range);\n" + _INIT),)),
    Edit("flags kept on x86 only", HEADER, "\trange->flags = flags;\n",
         "#ifdef CONFIG_X86\n\trange->flags = flags;\n#endif\n", _INIT),
    Edit("start sets the flags anew", HEADER, "range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;",
         "range->flags = MMU_NOTIFIER_RANGE_BLOCKABLE;", _START),
    Edit("start masks them", HEADER, "range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;",
         "range->flags = (range->flags & 1) | MMU_NOTIFIER_RANGE_BLOCKABLE;", _START),
    Edit("start sets the second bit", HEADER, "range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;",
         "range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE | 2;", _START),
    Edit("end clears the flags", HEADER, "\tif (mm_has_notifiers(range->mm))\n\t\t__mmu_notifier_invalidate_range_end(range, false);",
         "\trange->flags = 0;\n\tif (mm_has_notifiers(range->mm))\n\t\t__mmu_notifier_invalidate_range_end(range, false);", _END),
    Edit("end is left out for a flag", HEADER, "\tif (mm_has_notifiers(range->mm))\n\t\t__mmu_notifier_invalidate_range_end(range, false);",
         "\tif (mm_has_notifiers(range->mm) && !(range->flags & 2))\n\t\t__mmu_notifier_invalidate_range_end(range, false);", _END),
    Edit("the core's end clears them", CORE, "\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\trange->flags = 0;\n\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);", _CORE_END),
    Edit("through a pointer", CORE, "\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\t*(&range->flags) = 0;\n\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);", _CORE_END),
    Edit("a copy is handed on", CORE, "\tfor_each_mn(mn, range->mm)\n\t\tif (call_start(mn, range))",
         "\tstruct mmu_notifier_range r = *range;\n\n\tr.flags = 1;\n\tfor_each_mn(mn, range->mm)\n\t\tif (call_start(mn, &r))", _CORE_START),
    Edit("some start is left out", CORE, "\tif (!mn->ops->invalidate_range_start)\n\t\treturn 0;",
         "\tif (!mn->ops->invalidate_range_start || (range->flags & 2))\n\t\treturn 0;", _CALL_START),
    Edit("the first start that refuses ends it", CORE, "\t\tif (call_start(mn, range))\n\t\t\terr = -EAGAIN;\n",
         "\t\tif (call_start(mn, range)) {\n\t\t\terr = -EAGAIN;\n\t\t\tbreak;\n\t\t}\n", _CORE_START),
    Edit("end comes to the first only", CORE, "\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\tfor_each_mn(mn, mm) {\n\t\tcall_end(mn, range);\n\t\tbreak;\n\t}", _CORE_END),
    Edit("only_end skips it", CORE, "\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\tif (only_end)\n\t\treturn;\n\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);", _CORE_END),
    Edit("an unknown call gets the range", CORE, "\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);",
         "\tfilter_range(range);\n\tidx = srcu_read_lock(&srcu);\n\tfor_each_mn(mn, mm)\n\t\tcall_end(mn, range);", _CORE_END),
    Edit("bit 1 is taken: BIT(1)", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_RANGE_LOCKED BIT(1)\n"),
    Edit("bit 1 is taken: 0x2", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_RANGE_LOCKED 0x2\n"),
    Edit("bit 1 is taken: 1U << 1", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_RANGE_LOCKED (1U << 1)\n"),
    Edit("bit 1 is taken: an enumerator", HEADER, _FLAG, _FLAG + "enum { MMU_NOTIFIER_A = 1, MMU_NOTIFIER_B };\n"),
    Edit("bit 1 is taken: by way of a macro", HEADER, _FLAG,
         _FLAG + "#define RANGE_BIT 1\n#define MMU_NOTIFIER_RANGE_LOCKED (1 << RANGE_BIT)\n"),
    Edit("bit 1 is taken: part of a mask", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_MASK (BIT(1) | BIT(2))\n"),
    Edit("bit 1 may be taken", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_RANGE_LOCKED FIRST_FREE_BIT\n"),
    Edit("bit 1 is tested by number", KVM, "\tint need_tlb_flush, idx;\n",
         "\tint need_tlb_flush, idx;\n\n\tif (range->flags & 2)\n\t\treturn 0;\n"),
    Edit("bit 1 has a name elsewhere", KVM, "\tint need_tlb_flush, idx;\n",
         "\tint need_tlb_flush, idx;\n\n\tif (range->flags & RANGE_IS_OLD)\n\t\treturn 0;\n", "",
         ((KVM, "static void kvm_flush_shadow_all(", "#define RANGE_IS_OLD 2\nstatic void kvm_flush_shadow_all("),)),
    Edit("a site initialises with bit 1", "mm/rmap.c", "MMU_NOTIFY_CLEAR, 0", "MMU_NOTIFY_CLEAR, 2"),
    Edit("BLOCKABLE is the second bit", HEADER, _FLAG, "#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 1)\n"),
    Edit("the helper answers the opposite", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\treturn !(range->flags & MMU_NOTIFIER_USE_CHANGE_PTE);\n}\nstatic inline void mmu_notifier_release("),)),
    Edit("the helper tests the other bit", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\treturn (range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE);\n}\nstatic inline void mmu_notifier_release("),)),
    Edit("the helper always says no", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\treturn false;\n}\nstatic inline void mmu_notifier_release("),)),
    Edit("the helper asks for an event, too", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\treturn range->event == MMU_NOTIFY_CLEAR && (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE);\n}\n"
           "static inline void mmu_notifier_release("),)),
    Edit("the flag is no bit of its own", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (3 << 0)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\treturn range->flags & MMU_NOTIFIER_USE_CHANGE_PTE;\n}\nstatic inline void mmu_notifier_release("),)),
)  # fmt: skip

#: None of them changes what the code does.
KEPT = (
    Edit("another name for the parameter's copy", HEADER, "\tunsigned long __a = (__address);\t\t\t\t\\\n\tstruct mm_struct *__m = (__mm);",
         "\tunsigned long __a = (__address); \\\n\tstruct mm_struct *__m = __mm;", _MACRO),
    Edit("do { } while (0)", HEADER, _CALL, "\tdo { mmu_notifier_change_pte(__m, __a, __new); } while (0); \\\n", _MACRO),
    Edit("without the macro's variables", HEADER, "mmu_notifier_change_pte(__m, __a, __new);\t",
         "mmu_notifier_change_pte(__mm, __address, __pte);\t", _MACRO),
    Edit("an early return", HEADER, "\tif (mm_has_notifiers(mm))\n\t\t__mmu_notifier_change_pte(mm, address, pte);\n",
         "\tif (!mm_has_notifiers(mm))\n\t\treturn;\n\t__mmu_notifier_change_pte(mm, address, pte);\n", _INLINE),
    Edit("no macro for the loop", CORE, "\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)",
         "\thlist_for_each_entry_rcu(mn, &mm->notifier_subscriptions->list, hlist,\n"
         "\t\t\t\t srcu_read_lock_held(&srcu))\n\t\tif (mn->ops->change_pte)", _CHANGE),
    Edit("continue instead of a condition", CORE, _LOOP + _TOLD,
         "\tfor_each_mn(mn, mm) {\n\t\tif (!mn->ops->change_pte)\n\t\t\tcontinue;\n" + _TOLD + "\t}\n", _CHANGE),
    Edit("a variable for the operations", CORE, _LOOP + _TOLD,
         "\tfor_each_mn(mn, mm) {\n\t\tconst struct mmu_notifier_ops *ops = mn->ops;\n\n"
         "\t\tif (ops->change_pte)\n\t\t\tops->change_pte(mn, mm, address, pte);\n\t}\n", _CHANGE),
    Edit("a helper for one subscriber", CORE, _LOOP + _TOLD, "\tfor_each_mn(mn, mm)\n\t\ttell_one(mn, mm, address, pte);\n", _CHANGE,
         ((CORE, "void __mmu_notifier_release(",
           "static void tell_one(struct mmu_notifier *n, struct mm_struct *m,\n\t\t     unsigned long a, pte_t p)\n{\n"
           "\tif (n->ops->change_pte)\n\t\tn->ops->change_pte(n, m, a, p);\n}\n\nvoid __mmu_notifier_release("),)),
    Edit("a trace", CORE, _LOOP, "\ttrace_mmu_notifier_change_pte(mm, address);\n" + _LOOP, _CHANGE),
    Edit("a counter", CORE, _LOOP, "\tatomic_long_inc(&changes);\n" + _LOOP, _CHANGE),
    Edit("a variable that counts", CORE, _LOOP, "\tchanges++;\n" + _LOOP, _CHANGE,
         ((CORE, "DEFINE_STATIC_SRCU(srcu);", "DEFINE_STATIC_SRCU(srcu);\nstatic unsigned long changes;"),)),
    Edit("an empty list is left alone", CORE, "\tstruct mmu_notifier *mn;\n\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)",
         "\tstruct mmu_notifier *mn;\n\n\tif (!hlist_empty(&mm->notifier_subscriptions->list))\n\tfor_each_mn(mn, mm)\n\t\tif (mn->ops->change_pte)", _CHANGE),
    Edit("READ_ONCE", CORE, "if (mn->ops->change_pte)\n", "if (READ_ONCE(mn->ops->change_pte))\n", _CHANGE),
    Edit("compared with NULL", CORE, "if (mn->ops->change_pte)\n", "if (mn->ops->change_pte != NULL)\n", _CHANGE),
    Edit("init in another order", HEADER, "\trange->event = event;\n\trange->flags = flags;\n",
         "\trange->flags = flags;\n\trange->event = event;\n", _INIT),
    Edit("init by a literal", HEADER, "\trange->event = event;\n\trange->flags = flags;\n\trange->vma = vma;\n\trange->mm = mm;\n\trange->start = start;\n\trange->end = end;\n",
         "\t*range = (struct mmu_notifier_range) {\n\t\t.vma = vma, .mm = mm, .start = start, .end = end,\n"
         "\t\t.flags = flags, .event = event,\n\t};\n", _INIT),
    Edit("start with a block", HEADER, "\tif (!mm_has_notifiers(range->mm))\n\t\treturn;\n\trange->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;\n\t__mmu_notifier_invalidate_range_start(range);\n",
         "\tif (mm_has_notifiers(range->mm)) {\n\t\trange->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;\n\t\t__mmu_notifier_invalidate_range_start(range);\n\t}\n", _START),
    Edit("a third bit is taken", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_RANGE_LOCKED BIT(2)\n"),
    Edit("BLOCKABLE as 0x1", HEADER, _FLAG, "#define MMU_NOTIFIER_RANGE_BLOCKABLE 0x1\n"),
    Edit("BLOCKABLE as 1U << 0", HEADER, _FLAG, "#define MMU_NOTIFIER_RANGE_BLOCKABLE (1U << 0)\n"),
    Edit("the helper is there", HEADER, _FLAG, _FLAG + "#define MMU_NOTIFIER_USE_CHANGE_PTE (1 << 1)\n", "",
         ((HEADER, "static inline void mmu_notifier_release(",
           "static inline bool mmu_notifier_range_use_change_pte(const struct mmu_notifier_range *range)\n{\n"
           "\tif (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE)\n\t\treturn true;\n\treturn false;\n}\n"
           "static inline void mmu_notifier_release("),)),
)  # fmt: skip
