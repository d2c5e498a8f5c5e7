# SPDX-License-Identifier: GPL-2.0-only
"""Operators apply where the fault can be, nowhere else, and leave C that compiles."""

from __future__ import annotations

import pytest

from tests.mutants.operator import all_operators
from tests.mutants.snippets import mutants

START = """
static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *dev = to_dev(mn);
	int ret = 0;

%s
	return %s;
}
static const struct mmu_notifier_ops ops = { .invalidate_range_start = start, };
"""
INTERVAL = """
static bool inval(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
			unsigned long seq)
{
	struct dev *dev = to_dev(mni);

%s
	return true;
}
static const struct mmu_interval_notifier_ops ops = { .invalidate = inval, };
"""
HVA = """
static void kvm_change(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, pte_t p)
{
	update(mn);
}
static int kvm_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	const struct kvm_hva_range hva = { .handler = kvm_unmap_gfn_range, };

	run(&hva);
	return 0;
}
static void kvm_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	count(mn);
}
static const struct mmu_notifier_ops ops = {
	.invalidate_range_start = kvm_start,
	.invalidate_range_end = kvm_end,
	.change_pte = kvm_change,
};
"""
SECTION = """
static int change(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	struct mmu_notifier_range range;

%s
	return 0;
}
"""
INIT = "mmu_notifier_range_init(&range, %s, 0, vma, vma->vm_mm, addr, %s);\n"
CLEAR = INIT % ("MMU_NOTIFY_CLEAR", "end")
BEGIN = "mmu_notifier_invalidate_range_start(&range);\n"
END = "mmu_notifier_invalidate_range_end(&range);\n"
TEST = "if (!mmu_notifier_range_blockable(range))\n\t\treturn false;\n"
NONBLOCK = "if (mmu_notifier_invalidate_range_start_nonblock(&range)) {\n\t\treturn -EAGAIN;\n\t}\n"
ADJUST = "adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);\n"
LOCKED = "mutex_lock(&dev->lock);\nwork(dev);\nmutex_unlock(&dev->lock);\n"

#: (operator, C, KVM's idiom, what each mutant holds that the original does not)
APPLIES = [
    ("end_taken_as_inclusive", START % ("find(range->start, range->end - 1);", "0"), "",
     ["find(range->start, range->end)"]),
    ("fence_wait_interruptible", INTERVAL % "dma_resv_wait_timeout(dev->r, 1, false, MAX);", "",
     ["(dev->r, 1, true, MAX)"]),
    ("lock_kept_on_early_exit",
     START % ("mutex_lock(&dev->lock);\nif (dev->dead)\n\tgoto out;\nwork(dev);\n"
              "out:\nmutex_unlock(&dev->lock);", "ret"), "",
     ["if (dev->dead)\n\treturn ret;"]),
    ("blockable_test_behind_lock", INTERVAL % (TEST + LOCKED), "",
     ["mutex_lock(&dev->lock);\nif (!mmu_notifier_range_blockable(range))"]),
    ("blockable_test_removed", INTERVAL % (TEST + LOCKED), "", ["\n\nmutex_lock(&dev->lock);"]),
    ("refusal_lost_in_shadow",
     START % ("if (!mmu_notifier_range_blockable(range)) {\n\tret = -EAGAIN;\n\tgoto out;\n}\n"
              "work(dev);\nout:", "ret"), "",
     ["\tint ret = -EAGAIN;"]),
    ("mutex_below_spinlock",
     "static void other(struct dev *d)\n{\n\tmutex_lock(&d->m);\n}\n"
     + START % ("spin_lock(&dev->s);\nspin_unlock(&dev->s);", "0"), "",
     ["spin_lock(&dev->s);\nmutex_lock(&dev->m); mutex_unlock(&dev->m);"]),
    ("refused_start_ignored", SECTION % (CLEAR + NONBLOCK + END), "",
     ["(void)mmu_notifier_invalidate_range_start_nonblock(&range);"]),
    ("end_behind_refused_start", SECTION % (CLEAR + NONBLOCK + END), "",
     ["{\n\t\tmmu_notifier_invalidate_range_end(&range);\n\t\treturn -EAGAIN;"]),
    ("length_check_removed", SECTION % ("if (addr >= end)\n\t\treturn 0;\n" + CLEAR + BEGIN + END),
     "", ["range;\n\nmmu_notifier_range_init("]),
    ("range_narrowed",
     SECTION % (CLEAR + BEGIN + "flush_cache_range(vma, range.start, range.end);\n"
                "zap(vma, addr, end);\n" + END), "",
     ["addr, (addr) + PAGE_SIZE);"]),
    ("end_that_skips_secondary_tlbs", SECTION % (CLEAR + BEGIN + "zap(vma, addr, end);\n" + END),
     "", ["mmu_notifier_invalidate_range_only_end(&range);"]),
    ("flagged_range_of_two_pages",
     SECTION % (INIT.replace(" 0,", " MMU_NOTIFIER_USE_CHANGE_PTE,")
                % ("MMU_NOTIFY_CLEAR", "end")).replace(" addr,", " addr & PAGE_MASK,"), "",
     ["(addr & PAGE_MASK) + 2 * PAGE_SIZE);"]),
    ("length_check_removed",
     SECTION % ("if (addr >= end)\n\t\treturn 0;\n" + CLEAR + BEGIN + END)
     + "static void user(struct vm_area_struct *vma, unsigned long a, unsigned long n)\n{\n"
       "\tunsigned long b = a + n;\n\n\tchange(vma, a, b);\n}\n", "",
     ["range;\n\nmmu_notifier_range_init("]),
    ("sharing_not_considered", SECTION % (CLEAR + ADJUST + BEGIN + END), "",
     ["end);\nmmu_notifier_invalidate_range_start("]),
    ("sharing_considered_late", SECTION % (CLEAR + ADJUST + BEGIN + END), "",
     ["start(&range);\nadjust_range_if_pmd_sharing_possible("]),
    ("notification_without_section",
     SECTION % (CLEAR + BEGIN + "set_pte_at_notify(mm, addr, p, e);\n" + END), "hva-range",
     ["end);\nset_pte_at_notify("]),
    ("guard_where_change_pte_needs_start", HVA, "hva-range",
     ["if (mmu_notifier_range_use_change_pte(range)) return 0;"]),
    ("guard_in_one_callback_of_hva_range", HVA, "hva-range", ["return 0;\n", "return;\n"]),
    ("zap_left_out_by_null_handler", HVA, "hva-range",
     ["? (void *)kvm_null_fn : (void *)kvm_unmap_gfn_range"]),
    ("end_removed", SECTION % (CLEAR + BEGIN + "if (end)\n" + END), "", ["if (end)\n;"]),
    ("end_doubled", SECTION % (CLEAR + BEGIN + "if (end)\n" + END), "",
     ["{ " + END + "mmu_notifier_invalidate_range_end(&range); }"]),
    ("set_seq_in_front_of_lock",
     INTERVAL % ("mutex_lock(&dev->lock);\nmmu_interval_set_seq(mni, seq);\n"
                 "mutex_unlock(&dev->lock);"), "",
     ["mmu_interval_set_seq(mni, seq);\nmutex_lock(&dev->lock);\nmutex_unlock"]),
]  # fmt: skip

#: (operator, correct C that looks as if the fault fitted, KVM's idiom)
LEAVES_ALONE = [
    ("end_taken_as_inclusive", START % ('pr_debug("%lx", range->end - 1);', "0"), ""),
    ("fence_wait_interruptible", INTERVAL % "dma_resv_wait_timeout(dev->r, 1, true, MAX);", ""),
    ("unlock_removed", START % ("mutex_unlock(&dev->lock);", "0"), ""),
    ("unlock_removed", "static void no_callback(void)\n{\n" + LOCKED + "}\n", ""),
    ("unlock_removed",
     "static void later(struct work_struct *w)\n{\n" + LOCKED + "}\n"
     + START % ("INIT_WORK(&dev->work, later);\nqueue_work(dev->wq, &dev->work);", "0"), ""),
    ("lock_doubled", START % ("rcu_read_lock();\nrcu_read_unlock();", "0"), ""),
    ("lock_kept_on_early_exit", START % ("if (mn)\n\tgoto out;\n" + LOCKED + "out:", "ret"), ""),
    ("blockable_test_removed", INTERVAL % (TEST + "unmap(dev);"), ""),
    ("blockable_test_behind_lock", INTERVAL % (TEST + "unmap(dev);"), ""),
    ("start_refuses_though_end_is_called", START % ("work(dev);", "0"), ""),
    ("error_behind_counted_state", START % ("work(dev);", "0"), ""),
    ("start_fails_while_blockable", START % ("ret = work(dev);", "ret"), ""),
    ("refusal_reported_as_success", INTERVAL % "if (dev->dead)\n\treturn false;", ""),
    ("event_and_flags_swapped", SECTION % (INIT % ("MMU_NOTIFY_UNMAP", "end")), ""),
    ("event_too_weak", SECTION % (INIT % ("MMU_NOTIFY_SOFT_DIRTY", "end")), ""),
    ("range_narrowed", SECTION % (INIT % ("MMU_NOTIFY_CLEAR", "addr + PAGE_SIZE")), ""),
    ("range_narrowed", SECTION % (CLEAR + BEGIN + "zap(vma, addr, range.end);\n" + END), ""),
    ("length_check_removed", SECTION % ("if (addr >= vma->vm_end)\n\treturn 0;\n" + CLEAR), ""),
    ("length_check_removed",
     SECTION % ("if (addr >= end)\n\t\treturn 0;\n" + CLEAR + BEGIN + END)
     + "static void user(struct vm_area_struct *vma, unsigned long a)\n{\n"
       "\tunsigned long b = a + PUD_SIZE;\n\n\tchange(vma, a, b);\n}\n", ""),
    ("start_below_table_lock", SECTION % (CLEAR + BEGIN + END + "spin_lock(ptl);"), ""),
    ("section_removed", SECTION % (CLEAR + BEGIN + "wrprotect(vma);\n" + END), ""),
    ("end_that_skips_secondary_tlbs",
     SECTION % (CLEAR + BEGIN + "ptep_clear_flush_notify(vma, addr, p);\n" + END), ""),
    ("end_that_skips_secondary_tlbs",
     SECTION % (CLEAR + BEGIN + "pte = pte_offset_map(pmd, addr);\npte_unmap(pte);\n" + END), ""),
    ("end_that_skips_secondary_tlbs",
     "static void set(struct mm_struct *mm, unsigned long a)\n{\n\tset_pte_at(mm, a, p, e);\n}\n"
     + SECTION % (CLEAR + BEGIN + "set(vma->vm_mm, addr);\n" + END), ""),
    ("clearing_without_notify",
     SECTION % (CLEAR + BEGIN + "ptep_clear_flush_notify(vma, addr, p);\n" + END), ""),
    ("flag_without_set_pte_at_notify",
     SECTION % (CLEAR + BEGIN + "set_pte_at_notify(mm, addr, p, e);\n" + END), ""),
    ("flag_though_a_path_does_not_notify",
     SECTION % (CLEAR + BEGIN + "set_pte_at_notify(mm, addr, p, e);\n" + END), ""),
    ("notification_without_section",
     SECTION % (CLEAR + BEGIN + "set_pte_at_notify(mm, addr, p, e);\n" + END), "direct"),
    ("entry_not_cleared_first",
     SECTION % "ptep_clear_flush(vma, addr, q);\nset_pte_at_notify(mm, addr, p, e);", ""),
    ("guard_where_change_pte_needs_start", HVA, "direct"),
    ("guard_where_change_pte_needs_start", HVA.replace("\t.change_pte = kvm_change,\n", ""),
     "hva-range"),
    ("guard_in_one_callback_only", HVA, "direct"),
    ("change_pte_entry_dropped", HVA, "direct"),
    ("owner_read_without_event", START % ("if (dev->a == 1 && range->owner == dev)\n\t;", "0"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "idiom", "held"), APPLIES, ids=[a[0] for a in APPLIES])
def test_makes_the_fault(name: str, text: str, idiom: str, held: list[str]) -> None:
    made = mutants(name, text, idiom)
    assert len(made) == len(held)
    for mutant, part in zip(made, held, strict=True):
        assert part in mutant
        assert mutant != text


@pytest.mark.parametrize(("name", "text", "idiom"), LEAVES_ALONE)
def test_leaves_alone(name: str, text: str, idiom: str) -> None:
    assert mutants(name, text, idiom) == []


def test_every_operator_argues() -> None:
    for op in all_operators():
        assert op.rules and all(1 <= rule <= 35 for rule in op.rules), op.name
        assert len(op.argument.split()) >= 8, op.name


def test_names_are_unique_and_enough() -> None:
    names = [op.name for op in all_operators()]
    assert len(set(names)) == len(names) >= 30
