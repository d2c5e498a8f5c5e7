# SPDX-License-Identifier: GPL-2.0-only
"""Edits of the sections themselves, and of what calls them, on the miniature kernel."""

from __future__ import annotations

from tests.worlds.edit import KSM, MEMORY, Edit

_WRITE = "static int write_protect_page("
_REPLACE = "static int replace_page("
_MERGE = "static int try_to_merge_one_page("
_TOLD = "\tset_pte_at_notify(mm, addr, ptep, newpte);\n"
_BEGUN = "\tptep = pte_offset_map_lock(mm, pmd, addr, &ptl);\n"
_KEPT_ENTRY = "\t*orig_pte = *pvmw.pte;\n\terr = 0;\n"
_COPY = "static vm_fault_t wp_page_copy("
_CALLED = "\treturn wp_page_copy(vmf);\n"
_RANGE = "struct mmu_notifier_range"


def _ksm(line: str) -> tuple[tuple[str, str, str], ...]:
    return ((KSM, _WRITE, f"{line}\n{_WRITE}"),)


def _replace(why: str, old: str, new: str, line: str = "", site: str = "replace_page") -> Edit:
    return Edit(why, KSM, old, new, _REPLACE, _ksm(line) if line else (), site)


#: Each of them makes the flag of its site wrong.
WRONG = (
    _replace("flags cleared in the section", _BEGUN, "\trange.flags = 0;\n" + _BEGUN),
    _replace("cleared through a pointer", _BEGUN, f"\t{{\n\t\t{_RANGE} *r = &range;\n\n\t\tr->flags = 0;\n\t}}\n" + _BEGUN),
    _replace("through a pointer to the member", _BEGUN, "\t*(&range.flags) = 0;\n" + _BEGUN),
    _replace("through a variable for the member's address", _BEGUN, "\t{\n\t\tunsigned int *f = &range.flags;\n\n\t\t*f = 0;\n\t}\n" + _BEGUN),
    _replace("by a helper", _BEGUN, "\tforget(&range);\n" + _BEGUN, f"static void forget({_RANGE} *r)\n{{\n\tr->flags = 0;\n}}\n"),
    _replace("by a macro with the range", _BEGUN, "\tFORGET(range);\n" + _BEGUN, "#define FORGET(r) ((r).flags = 0)"),
    _replace("by a macro without arguments", _BEGUN, "\tFORGET();\n" + _BEGUN, "#define FORGET() (range.flags = 0)"),
    _replace("by memset", _BEGUN, "\tmemset(&range, 0, sizeof(range));\n" + _BEGUN, "void *memset(void *s, int c, unsigned long n);"),
    _replace("by memcpy of a member", _BEGUN, "\tmemcpy(&range.flags, &range.end, 4);\n" + _BEGUN,
             "void *memcpy(void *to, const void *from, unsigned long n);"),
    _replace("by an assignment of the struct", _BEGUN, f"\trange = ({_RANGE}){{ .mm = mm, .start = addr, .end = addr + 1 }};\n" + _BEGUN),
    _replace("the end moves", _BEGUN, "\trange.end += PAGE_SIZE;\n" + _BEGUN),
    _replace("the event changes", _BEGUN, "\trange.event = MMU_NOTIFY_UNMAP;\n" + _BEGUN),
    _replace("untold with another architecture", _TOLD, "#ifdef CONFIG_ARM64\n\tset_pte_at(mm, addr, ptep, newpte);\n#else\n" + _TOLD + "#endif\n"),
    _replace("untold with an option that is off", _TOLD, "#ifdef CONFIG_KSM_FAST\n\t*ptep = newpte;\n#else\n" + _TOLD + "#endif\n"),
    _replace("also untold with an option that is off", _TOLD, _TOLD + "#if IS_ENABLED(CONFIG_KSM_FAST)\n\tset_pte_at(mm, addr, ptep, newpte);\n#endif\n"),
    _replace("two pages with an option that is off", "\t\t\t\taddr + PAGE_SIZE);\n\tmmu_notifier_invalidate_range_start(&range);\n",
             "#ifdef CONFIG_KSM_PAIRS\n\t\t\t\taddr + 2 * PAGE_SIZE);\n#else\n\t\t\t\taddr + PAGE_SIZE);\n#endif\n\tmmu_notifier_invalidate_range_start(&range);\n"),
    _replace("the file has a macro of that name", _TOLD, _TOLD, "#ifdef CONFIG_ARM64\n#undef set_pte_at_notify\n#define set_pte_at_notify set_pte_at\n#endif"),
    _replace("a helper with another body elsewhere", _TOLD, "\ttidy(ptep);\n" + _TOLD,
             "static void tidy(pte_t *p)\n{\n#ifdef CONFIG_ARM64\n\t*p = __pte(0);\n#endif\n}\n"),
    Edit("write_protect_page() returns 0 by a helper", KSM, "\tif (pte_write(*pvmw.pte) || pte_dirty(*pvmw.pte)) {\n",
         "\t*orig_pte = *pvmw.pte;\n\tif (PageSwapCache(page)) {\n\t\terr = settle(page);\n\t\tgoto out_unlock;\n\t}\n"
         "\tif (pte_write(*pvmw.pte) || pte_dirty(*pvmw.pte)) {\n", _WRITE,
         _ksm("static int settle(struct page *page)\n{\n\treturn page_mapcount(page) ? 0 : -EFAULT;\n}\n"), "replace_page"),
    Edit("write_protect_page() returns 0 for a busy page", KSM, "\t\t\tset_pte_at(mm, pvmw.address, pvmw.pte, entry);\n\t\t\tgoto out_unlock;\n",
         "\t\t\tset_pte_at(mm, pvmw.address, pvmw.pte, entry);\n\t\t\t*orig_pte = entry;\n\t\t\terr = page_mapcount(page);\n\t\t\tgoto out_unlock;\n", _WRITE, (), "replace_page"),
    Edit("the entry becomes writable through another name", KSM, "\tif (write_protect_page(vma, page, &orig_pte) == 0) {\n",
         "\tif (write_protect_page(vma, page, &orig_pte) == 0) {\n\t\tpte_t *o = &orig_pte;\n\n\t\t*o = pte_mkwrite(*o);\n", _MERGE, (), "replace_page"),
    Edit("replace_page() through a pointer", KSM, "\tif (page == kpage)\n\t\treturn 0;\n",
         "\tint (*f)(struct vm_area_struct *, struct page *, struct page *, pte_t) = replace_page;\n\n\tif (page == kpage)\n\t\treturn f(vma, page, kpage, *(pte_t *)page);\n", _MERGE, (), "replace_page"),
    Edit("wp_page_copy() in a table", MEMORY, "/* The first touch of anonymous memory. */",
         "vm_fault_t (*const wp_handlers[])(struct vm_fault *) = { wp_page_copy };\n\n/* The first touch of anonymous memory. */", "", (), "wp_page_copy"),
    Edit("wp_page_copy() by a macro", MEMORY, "/* The first touch of anonymous memory. */",
         "#define COPY(v) wp_page_copy(v)\n\n/* The first touch of anonymous memory. */", "", (), "wp_page_copy"),
    Edit("orig_pte through an alias of vmf", MEMORY, _CALLED, "\t{\n\t\tstruct vm_fault *v = vmf;\n\n\t\tv->orig_pte = pte_mkwrite(v->orig_pte);\n\t}\n" + _CALLED, "", (), "wp_page_copy"),
    Edit("orig_pte through its address", MEMORY, _CALLED, "\t{\n\t\tpte_t *o = &vmf->orig_pte;\n\n\t\t*o = pte_mkwrite(*o);\n\t}\n" + _CALLED, "", (), "wp_page_copy"),
    Edit("orig_pte in the section's function", MEMORY, "\tunsigned long address = vmf->address & PAGE_MASK;\n",
         "\tunsigned long address = vmf->address & PAGE_MASK;\n\tstruct vm_fault *v = vmf;\n", _COPY,
         ((MEMORY, "\tif (unlikely(anon_vma_prepare(vma)))\n\t\tgoto out;\n", "\tv->orig_pte = pte_mkwrite(v->orig_pte);\n\tif (unlikely(anon_vma_prepare(vma)))\n\t\tgoto out;\n"),), "wp_page_copy"),
)  # fmt: skip

#: The page-table lock is given up where it has to be held.
_AGAIN = "\tspin_unlock(ptl);\n\tspin_lock(ptl);\n"
_CLEARED = "\tptep_clear_flush(vma, addr, ptep);\n"
_TESTED = "\tif (!pte_same(*ptep, orig_pte))\n\t\tgoto out_unlock;\n"
_BREATHE = "static void breathe(spinlock_t *l)\n{\n\tspin_unlock(l);\n\tspin_lock(l);\n}\n"
UNLOCKED = (
    _replace("the lock given up before the notification", _TOLD, _AGAIN + _TOLD),
    _replace("given up between test and clearing", _CLEARED, _AGAIN + _CLEARED),
    _replace("given up by a helper", _TOLD, "\tbreathe(ptl);\n" + _TOLD, _BREATHE),
    _replace("given up by a helper before the clearing", _CLEARED, "\tbreathe(ptl);\n" + _CLEARED, _BREATHE),
    _replace("given to a function elsewhere", _TOLD, "\tbreathe(ptl);\n" + _TOLD, "void breathe(spinlock_t *l);\n"),
    _replace("told without the lock", _TOLD, "\tspin_unlock(ptl);\n" + _TOLD + "\tspin_lock(ptl);\n"),
    _replace("cleared without the lock", _CLEARED, "\tspin_unlock(ptl);\n" + _CLEARED + "\tspin_lock(ptl);\n"),
    _replace("given up in some cases", _TOLD, "\tif (page_mapped(page)) {\n\t" + _AGAIN.replace("\n\t", "\n\t\t") + "\t}\n" + _TOLD),
    _replace("mapped and locked anew", _TOLD, "\tpte_unmap_unlock(ptep, ptl);\n" + _BEGUN + _TOLD),
    _replace("mapped and locked anew before the clearing", _CLEARED, "\tpte_unmap_unlock(ptep, ptl);\n" + _BEGUN + _CLEARED),
    _replace("the entry is not tested under the lock", _TESTED, ""),
)  # fmt: skip
WRONG = (*WRONG, *UNLOCKED)

#: None of them changes what the code does.
KEPT = (
    _replace("the lock asserted", _TOLD, "\tlockdep_assert_held(ptl);\n" + _TOLD, "void lockdep_assert_held(void *lock);\n"),
    _replace("locked, looked at, and locked again", _TESTED, "\tpte_unmap_unlock(ptep, ptl);\n" + _BEGUN + _TESTED),
    _replace("the test the other way round", _TESTED, "\tif (pte_same(*ptep, orig_pte))\n\t\tgoto same;\n\tgoto out_unlock;\nsame:\n"),
    _replace("the entry in a variable", _TESTED, "\tnewpte = *ptep;\n\tif (!pte_same(newpte, orig_pte))\n\t\tgoto out_unlock;\n"),
    _replace("another name for the range", f"\t{_RANGE} range;\n", f"\t{_RANGE} range;\n\tunsigned long from;\n"),
    _replace("a read of the range", _BEGUN, "\tpr_debug(\"%lx\\n\", range.start);\n" + _BEGUN, "void pr_debug(const char *text, ...);"),
    _replace("a message with an option", _TOLD, "#ifdef CONFIG_KSM_DEBUG\n\tflush_cache_page(vma, addr, pte_pfn(newpte));\n#endif\n" + _TOLD),
    Edit("a switch", KSM, "\tif (page == kpage)\n\t\treturn 0;\n", "\tswitch (page == kpage) {\n\tcase 1:\n\t\treturn 0;\n\tdefault:\n\t\tbreak;\n\t}\n", _MERGE),
    Edit("the result of write_protect_page() in a variable", KSM, "\tif (write_protect_page(vma, page, &orig_pte) == 0) {\n",
         "\terr = write_protect_page(vma, page, &orig_pte);\n\tif (!err) {\n\t\terr = -EFAULT;\n", _MERGE),
)  # fmt: skip
