# SPDX-License-Identifier: GPL-2.0-only
"""Whether x86's TDP MMU is told the truth by change_pte(): yes, no, and not understood."""

import pytest

from patchgen.analysis.spte.setter import tdp_setter
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

TDP = "arch/x86/kvm/mmu/tdp_mmu.c"
ITER = "arch/x86/kvm/mmu/tdp_iter.c"
ITER_H = "arch/x86/kvm/mmu/tdp_iter.h"
MMU = "arch/x86/kvm/mmu/mmu.c"
SET = "\t\ttdp_mmu_set_spte(&iter, 0);\n\n\t\tif (!pte_write(*ptep)) {\n"
MAKE = "\t\t\tnew_spte = changed_spte(iter.old_spte, pte_pfn(*ptep));\n"
NEW = "\t\t\ttdp_mmu_set_spte(&iter, new_spte);\n"
CLEAR = "\t\t\titer.old_spte = 0;\n"
ENTRY = "\tif (kvm->arch.tdp_mmu_enabled)\n\t\tr |= kvm_tdp_mmu_set_spte_hva(kvm, hva, &pte);\n"
TOLD = "\thandle_changed_spte(iter->old_spte, new_spte);\n}"
MASKED = "\tnew_spte &= ~PT_WRITABLE_MASK;\n"
FLUSH = "\tif (need_flush)\n\t\tkvm_flush_remote_tlbs(kvm);\n"
STEP = "\titer->old_spte = READ_ONCE(*iter->sptep);\n"
WRITER = "static void tdp_mmu_set_spte(struct tdp_iter *iter, u64 new_spte)\n{\n"


def judged(tree, path, *pairs):
    source = (tree / path).read_text()
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    (tree / path).write_text(source)
    change, start = "kvm_mmu_notifier_change_pte", "kvm_mmu_notifier_invalidate_range_start"
    return tdp_setter(TreeState(describe(tree)), KVM_MAIN, change, start)


def test_the_second_write_is_told_the_value_from_before_the_first(tree):
    found = judged(tree, TDP)
    (stale,) = found.stale
    source = (tree / TDP).read_text().splitlines()
    assert (found.answer, found.bug) == ("stale", "handle_changed_spte()")
    assert source[stale.line - 1].strip() == NEW.strip()
    assert (stale.iterator, stale.value) == ("iter", "0")


RIGHT = {
    "cleared": [(NEW, CLEAR + NEW)],
    "read again": [(NEW, "\t\t\titer.old_spte = READ_ONCE(*iter.sptep);\n" + NEW)],
    "read again, plainly": [(NEW, "\t\t\titer.old_spte = *iter.sptep;\n" + NEW)],
    "made first": [(SET + MAKE, MAKE + SET + CLEAR)],
    "cleared at once, kept in a variable": [
        (SET, "\t\tu64 kept = iter.old_spte;\n\n"
         + SET.replace("\n\n", "\n\t\titer.old_spte = 0;\n")),
        (MAKE, MAKE.replace("iter.old_spte", "kept")),
    ],
    "only dropped": [(SET + MAKE + NEW + "\t\t}\n", "\t\ttdp_mmu_set_spte(&iter, 0);\n")],
    "the other way round": [
        (SET, SET.replace("if (!pte_write(*ptep)) {",
                          "if (pte_write(*ptep)) {\n\t\t\tneed_flush = 1;\n\t\t} else {")),
        (NEW, CLEAR + NEW),
    ],
    "the writer itself": [
        (TOLD, TOLD[:-1] + "\titer->old_spte = new_spte;\n}"),
        (SET + MAKE, MAKE + SET),
    ],
    "flushed at once": [
        (SET, SET.replace("\n\n", "\n\t\tkvm_flush_remote_tlbs(kvm);\n", 1)),
        (FLUSH, ""),
        (NEW, CLEAR + NEW),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_write_through_a_true_copy_is_right(tree, name):
    found = judged(tree, TDP, *RIGHT[name])
    assert found.answer == "right", found
    assert found.rests_on


STALE = {
    "on one branch only": [(NEW, "\t\t\tif (need_flush)\n\t" + CLEAR + NEW)],
    "on a branch that ends elsewhere": [
        (NEW, "\t\t\tneed_flush = 1;\n\t\t\tif (gfn) {\n" + CLEAR
         + "\t\t\t\tbreak;\n\t\t\t}\n" + NEW)],
    "behind a writer's wrapper": [
        (WRITER, WRITER.replace("_set_spte", "_do_set_spte")),
        ("void kvm_tdp_mmu_map(", WRITER + "\ttdp_mmu_do_set_spte(iter, new_spte);\n}\n\n"
         "void kvm_tdp_mmu_map("),
    ],
    "at the end of a round": [("\t\tneed_flush = 1;\n", "\t\tneed_flush = 1;\n" + CLEAR)],
    "in the writer, the value before": [
        (TOLD, TOLD[:-1] + "\titer->old_spte = iter->old_spte;\n}"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STALE)
def test_a_write_through_an_old_copy_is_found(tree, name):
    found = judged(tree, TDP, *STALE[name])
    assert found.answer == "stale", found


ODD = {
    "cleared before the value is made, on a branch": [(MAKE, "\t\t\tif (gfn)\n" + CLEAR + MAKE)],
    "cleared before the value is made": [(MAKE, CLEAR + MAKE)],
    "one write": [(SET, "\t\tif (!pte_write(*ptep)) {\n")],
    "cleared without a write": [(SET, CLEAR + SET)],
    "a value of unknown origin": [(NEW, "\t\t\titer.old_spte = gfn;\n" + NEW)],
    "the new value": [(NEW, CLEAR.replace("0", "new_spte") + NEW)],
    "an SPTE from nowhere": [(MAKE, "\t\t\tnew_spte = pte_pfn(*ptep) << PAGE_SHIFT;\n"),
                             (NEW, CLEAR + NEW)],
    "an SPTE that lets write": [(MASKED, ""), (NEW, CLEAR + NEW)],
    "an SPTE that lets write again": [
        (MASKED, MASKED + "\tnew_spte |= PT_WRITABLE_MASK;\n"), (NEW, CLEAR + NEW)],
    "write taken on a condition": [
        (MASKED, "\tif (new_pfn)\n\t" + MASKED), (NEW, CLEAR + NEW)],
    "never flushed": [(FLUSH, ""), (NEW, CLEAR + NEW)],
    "not flushed on a path": [("\t\tneed_flush = 1;\n", "\t\tif (gfn)\n\t\t\tneed_flush = 1;\n"),
                              (NEW, CLEAR + NEW)],
    "the flush asked for before the loop ends": [
        ("\t\tneed_flush = 1;\n", "\t\tneed_flush = 1;\n\t\tif (gfn)\n\t\t\treturn 0;\n"),
        (NEW, CLEAR + NEW)],
    "a conditional of the preprocessor": [(NEW, "#ifdef CONFIG_X\n" + CLEAR + "#endif\n" + NEW)],
    "an alias": [(NEW, "\t\t\tp->old_spte = 0;\n" + NEW),
                 ("\tint need_flush = 0;\n\tu64 new",
                  "\tint need_flush = 0;\n\tstruct tdp_iter *p = &iter;\n\tu64 new")],
    "a copy of the whole": [(NEW, "\t\t\tother = iter;\n" + NEW)],
    "a goto": [(NEW, CLEAR + "\t\t\tgoto set;\nset:\n" + NEW)],
    "a switch": [(NEW, "\t\t\tswitch (gfn) {\n\t\t\tcase 0:\n" + CLEAR + "\t\t\t}\n" + NEW)],
    "a function that is not here": [(NEW, "\t\t\ttdp_iter_forget(&iter);\n" + NEW)],
    "a function behind a pointer": [(NEW, "\t\t\tkvm->forget(&iter);\n" + NEW)],
    "a macro for the writer": [("static int set_tdp_spte(", "#define tdp_mmu_set_spte(i, s) "
                                "tdp_mmu_set_spte(i, s)\nstatic int set_tdp_spte(")],
    "a macro that hides the mend": [
        ("static int set_tdp_spte(", "#define FORGET iter.old_spte = 0\nstatic int set_tdp_spte("),
        (NEW, "\t\t\tFORGET;\n" + NEW)],
    "the entry by itself": [(NEW, "\t\t\t{ u64 *p = iter.sptep; *p = 0; }\n" + CLEAR + NEW)],
    "the table by itself": [(NEW, "\t\t\troot[gfn] = 0;\n" + CLEAR + NEW)],
    "a writer that may not write": [
        ("\tWRITE_ONCE(*iter->sptep, new_spte);\n", "\tif (new_spte)\n\t\tWRITE_ONCE(*iter->sptep, "
         "new_spte);\n"), (NEW, CLEAR + NEW)],
    "a change inside a condition": [
        (NEW, "\t\t\tif (gfn && (iter.old_spte = 0))\n\t\t\t\treturn 0;\n" + NEW)],
    "another function's iterator": [
        (NEW, "\t\t\tzap_gfn_range(kvm, root, gfn, gfn + 1, 0);\n" + CLEAR + NEW)],
    "an iterator more": [
        (NEW, CLEAR + NEW),
        ("\tstruct tdp_iter iter;\n\tint need", "\tstruct tdp_iter iter, more;\n\tint need")],
    "a pointer to the entry, elsewhere": [
        (NEW, "\t\t\tforget(root);\n" + CLEAR + NEW),
        ("static int set_tdp_spte(", "static void forget(u64 *spt)\n{\n\tWRITE_ONCE(*spt, 0);\n}\n"
         "static int set_tdp_spte(")],
    "a call through a pointer": [(NEW, "\t\t\tkvm->zap(root);\n" + CLEAR + NEW)],
    "a write that nothing is told of": [
        (SET, SET.replace("tdp_mmu_set_spte(&iter, 0)", "WRITE_ONCE(*iter.sptep, 0)")),
        (NEW, CLEAR + NEW)],
    "a writer that tells of another value": [
        (TOLD, "\thandle_changed_spte(iter->old_spte, iter->gfn);\n}"), (NEW, CLEAR + NEW)],
    "an SPTE for another page": [
        (MAKE, MAKE.replace("pte_pfn(*ptep)", "spte_to_pfn(iter.old_spte)")),
        (NEW, CLEAR + NEW)],
    "moved while changed": [(NEW, "\t\t\ttdp_iter_next(&iter);\n" + NEW)],
    "defined twice": [("static int set_tdp_spte(",
                       "#ifdef CONFIG_X\nstatic int set_tdp_spte(struct kvm *kvm, u64 *root, "
                       "gfn_t gfn,\n\t\t\tgfn_t unused, unsigned long data)\n"
                       "{\n\treturn 0;\n}\n#else\n"
                       "static int set_tdp_spte("),
                      ("int kvm_tdp_mmu_set_spte_hva(", "#endif\nint kvm_tdp_mmu_set_spte_hva(")],
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_understood_is_not_called_right(tree, name):
    found = judged(tree, TDP, *ODD[name])
    assert found.answer == "undecided", found
    (why,) = found.why
    assert why.place.path.startswith(("arch/x86/kvm/", "virt/kvm/")) and why.place.line > 0


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        # change_pte() leaves the TDP MMU alone, range_start() does not
        (MMU, ENTRY, ""),
        (MMU, ENTRY, ENTRY.replace("enabled)", "enabled && hva)")),
        (MMU, ENTRY, "\tif (!r)\n\t\treturn 0;\n" + ENTRY),
        # the next step's copy is the last one's
        (ITER, STEP, ""),
        (ITER_H, "tdp_iter_next(&_iter))", "_iter.gfn++)"),
        # the walk is another one
        (TDP, "\treturn kvm_tdp_mmu_handle_hva_range(kvm, address, address + 1,\n\t\t\t\t\t   "
         " (unsigned long)host_ptep,\n\t\t\t\t\t    set_tdp_spte);\n",
         "\treturn set_tdp_spte(kvm, kvm->arch.tdp_roots[0], 0, 0, 0);\n"),
    ],
)  # fmt: skip
def test_the_way_from_the_callbacks_is_read_too(tree, path, old, new):
    found = judged(tree, path, (old, new))
    assert found.answer == "undecided", found
    assert found.why


def test_without_a_tdp_mmu_there_is_nothing_to_judge(mini50):
    names = ("kvm_mmu_notifier_change_pte", "kvm_mmu_notifier_invalidate_range_start")
    assert tdp_setter(TreeState(describe(mini50)), KVM_MAIN, *names).answer == "none"


def test_iterators_that_no_callback_comes_to_are_not_taken_for_none(tree):
    found = judged(tree, MMU, (ENTRY, ""), ("\tif (kvm->arch.tdp_mmu_enabled)\n\t\tr |= "
                   "kvm_tdp_mmu_zap_hva_range(kvm, start, end);\n", ""))  # fmt: skip
    assert found.answer == "undecided", found


@pytest.mark.kernel
def test_5_10_has_it(kernel_tree):
    names = ("kvm_mmu_notifier_change_pte", "kvm_mmu_notifier_invalidate_range_start")
    found = tdp_setter(TreeState(describe(kernel_tree("5.10"))), KVM_MAIN, *names)
    (stale,) = found.stale
    assert (found.answer, stale.function) == ("stale", "set_tdp_spte")
    assert found.bug == "__handle_changed_spte()"
