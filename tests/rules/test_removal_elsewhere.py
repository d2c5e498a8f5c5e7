# SPDX-License-Identifier: GPL-2.0-only
"""Removals in functions that never mention a section: a thread leads there, or nobody known."""

from __future__ import annotations

import msgspec
import pytest

from patchgen.model.findings import Undecided
from patchgen.rules.base import Context, by_id
from tests.rules.harness import facts_from, features

#: A page table is retracted below a thread, as 5.0 to 5.4 did; the file knows sections.
RETRACT = """
static void retract(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{{
	struct mmu_notifier_range range;

	{init}
	{before}
	pmdp_collapse_flush(vma, addr, pmd);
	{after}
}}
static int scan(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{{
	retract(vma, addr, pmd);
	return 0;
}}
static int scanner(void *none)
{{
	while (!kthread_should_stop())
		scan(next_vma(), next_address(), next_pmd());
	return 0;
}}
static void begin(void)
{{
	{begin}
}}
static void collapse(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
				addr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	pmdp_collapse_flush(vma, addr, pmd);
	mmu_notifier_invalidate_range_end(&range);
}}
"""
THREAD = 'scanner_thread = kthread_run(scanner, NULL, "scanner");'
WORK = "INIT_WORK(&scanner_work, scanner);"
SECTION = {
    "init": "mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,"
            " addr + HPAGE_PMD_SIZE);",
    "before": "mmu_notifier_invalidate_range_start(&range);",
    "after": "mmu_notifier_invalidate_range_end(&range);",
}  # fmt: skip
NONE = dict.fromkeys(SECTION, "")


def found(source: str, *facts: str) -> list[tuple[bool, int]]:
    """(certain, line) of MN007; ``facts`` are the functions that are at hand, () for all."""
    path = "mm/collapse.c"
    whole = facts_from(source.encode(), path)
    kept = tuple(f for f in whole.functions if not facts or f.name in facts)
    some = msgspec.structs.replace(whole, functions=kept)
    tree = Context({path: some}, features("5.4"), {path: source.encode()}.get)
    return [(not isinstance(r, Undecided), r.place.line) for r in by_id("MN007").check(tree)]


@pytest.mark.parametrize("begin", [THREAD, WORK])
@pytest.mark.parametrize("facts", [(), ("collapse",), ("collapse", "retract")])
def test_below_a_thread_nobody_has_a_section_open(begin: str, facts: tuple[str, ...]) -> None:
    bare = RETRACT.format(begin=begin, **NONE)
    certain = [line for sure, line in found(bare, *facts) if sure]
    assert certain == ([] if "retract" in facts else [8])
    mended = RETRACT.format(begin=begin, **SECTION)
    assert found(mended, *facts) == []


def test_who_begins_it_is_not_known() -> None:
    bare = RETRACT.format(begin="", **NONE)
    assert found(bare) == [(False, 8)]
    assert found(bare, "collapse") == []


def test_a_caller_may_have_it_open() -> None:
    source = RETRACT.format(begin=THREAD, **NONE)
    opened = SECTION["init"] + "\n\t" + SECTION["before"]
    source = source.replace(
        "\tretract(vma, addr, pmd);\n",
        f"\tstruct mmu_notifier_range range;\n\n\t{opened}\n\tretract(vma, addr, pmd);\n"
        f"\t{SECTION['after']}\n",
    )
    assert found(source) == []
    assert found(source, "collapse") == []


def test_of_two_definitions_none_is_taken() -> None:
    bare = RETRACT.format(begin=THREAD, **NONE)
    stub = "\nstatic %s(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)\n{\n}\n"
    assert found(bare + stub % "void retract", "collapse") == []
    assert found(bare + stub % "int scan", "collapse") == [(True, 8)]
