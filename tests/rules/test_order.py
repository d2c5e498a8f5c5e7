# SPDX-License-Identifier: GPL-2.0-only
"""Circles and chains of helpers: no finding on right code, the same whoever is asked first."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from patchgen.model.findings import Finding, Undecided
from patchgen.rules.asked import run
from patchgen.rules.base import Context, by_id
from tests.rules.harness import context, facts_from, features

OPEN = """
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
"""
HEAD = "static void f(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, int n)\n{"


def results(source: str, rule: str, generation: str = "5.10") -> list[tuple[str, int]]:
    tree = context(source.encode(), "mm/x.c", generation)
    found = by_id(rule).check(tree)
    return [("open" if isinstance(r, Undecided) else "found", r.place.line) for r in found]


def chain(depth: int, last: str) -> str:
    """``h<depth>`` calls ``h<depth - 1>`` and so on; h0 does ``last``."""
    text = f"static void h0(struct mmu_notifier_range *range)\n{{\n\t{last}\n}}\n"
    for i in range(1, depth + 1):
        text += f"static void h{i}(struct mmu_notifier_range *range)\n{{\n\th{i - 1}(range);\n}}\n"
    return text


@pytest.mark.parametrize("depth", [3, 15, 16, 17, 60, 400])
def test_a_section_may_be_ended_at_any_depth(depth: int) -> None:
    end = chain(depth, "mmu_notifier_invalidate_range_end(range);")
    source = f"{end}{HEAD}{OPEN}\th{depth}(&range);\n}}\n"
    assert results(source, "MN001") == results(source, "MN002") == []
    idle = chain(depth, "idle(n);")
    source = f"{idle}{HEAD}{OPEN}\th{depth}(&range);\n}}\n"
    line = source.splitlines().index("}", source.count("\n") - 2) + 1
    assert results(source, "MN001") == [("found", line)]


SELF = """
static void close_all(struct mmu_notifier_range *range, int n)
{
	if (n) {
		close_all(range, n - 1);
		return;
	}
	mmu_notifier_invalidate_range_end(range);
}
"""
PAIR = """
static void odd(struct mmu_notifier_range *range, int n);
static void close_all(struct mmu_notifier_range *range, int n)
{
	if (n)
		odd(range, n - 1);
	else
		mmu_notifier_invalidate_range_end(range);
}
static void odd(struct mmu_notifier_range *range, int n)
{
	close_all(range, n);
}
"""
STATUS = """
static int close_all(struct mmu_notifier_range *range, int n)
{
	if (n > 3)
		return close_all(range, 3);
	if (n)
		return close_all(range, n - 1);
	mmu_notifier_invalidate_range_end(range);
	return 0;
}
"""


@pytest.mark.parametrize("closer", [SELF, PAIR, STATUS])
def test_a_helper_that_calls_itself_ends_the_section(closer: str) -> None:
    source = f"{closer}{HEAD}{OPEN}\tclose_all(&range, n);\n}}\n"
    assert results(source, "MN001") == results(source, "MN002") == []
    twice = f"{closer}{HEAD}{OPEN}\tclose_all(&range, n);\n\tclose_all(&range, n);\n}}\n"
    assert ("found", twice.count("\n") - 1) in results(twice, "MN002")
    forgets = closer.replace("mmu_notifier_invalidate_range_end(range);", "if (x)\n\t\t\t"
                             "mmu_notifier_invalidate_range_end(range);")  # fmt: skip
    source = f"{forgets}{HEAD}{OPEN}\tclose_all(&range, n);\n}}\n"
    assert [kind for kind, _ in results(source, "MN001")] == ["found"]


SILENT = [
    "static void c(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)\n"
    "{\n\tptep_get_and_clear(vma->vm_mm, addr, ptep);\n}\n",
    "static void b(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)\n"
    "{\n\tif (addr)\n\t\ta(vma, addr - 1, ptep);\n}\n",
    "static void a(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)\n"
    "{\n\tb(vma, addr, ptep);\n\tc(vma, addr, ptep);\n}\n",
]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
@pytest.mark.parametrize("first", ["", "\ta(vma, addr, ptep);\n", "\tc(vma, addr, ptep);\n"])
def test_a_silent_removal_is_seen_in_any_order(order: tuple[int, ...], first: str) -> None:
    only_end = "\tmmu_notifier_invalidate_range_only_end(&range);\n}\n"
    user = f"{HEAD}{OPEN}\tb(vma, addr, ptep);\n{only_end}"
    source = "".join(SILENT[i] for i in order)
    source += user.replace("\n\tmmu_notifier_range_init", f"\n{first}\tmmu_notifier_range_init", 1)
    assert results(source, "MN012") == [("found", source.count("\n") - 1)]


WALKS = """
static void zap(struct mm_struct *mm, unsigned long addr, unsigned long end, pte_t *ptep)
{
%s	do {
		ptep_get_and_clear(mm, addr, ptep);
	} while (ptep++, addr += PAGE_SIZE, addr != end);
}
"""


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ("", "found"),
        ("\tif (addr)\n\t\tzap(mm, addr, end, ptep);\n", "found"),  # no further than before
        ("\tif (addr)\n\t\tzap(mm, addr, end + PAGE_SIZE, ptep);\n", "found"),  # too far at once
    ],
)
def test_a_walk_that_calls_itself_goes_too_far(more: str, kind: str) -> None:
    use = "\tzap(vma->vm_mm, addr, addr + PMD_SIZE, ptep);\n"
    end = "\tmmu_notifier_invalidate_range_end(&range);\n"
    source = f"{WALKS % more}{HEAD}{OPEN}{use}{end}}}\n"
    assert results(source, "MN008") == [(kind, source.count("\n") - 2)]


def test_a_walk_that_goes_on_by_itself_is_open() -> None:
    more = "\tif (addr)\n\t\tzap(mm, addr, end + PAGE_SIZE, ptep);\n"
    use = "\tzap(vma->vm_mm, addr, addr + PAGE_SIZE, ptep);\n"
    end = "\tmmu_notifier_invalidate_range_end(&range);\n"
    source = f"{WALKS % more}{HEAD}{OPEN}{use}{end}}}\n"
    tree = context(source.encode(), "mm/x.c", "5.10")
    (one,) = by_id("MN008").check(tree)
    assert isinstance(one, Undecided)
    assert "zap() at mm/x.c:2 calls itself with other bounds" in one.reason


CALLERS = """
static void zap(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, int n)
{
	ptep_clear_flush(vma, addr, ptep);
	if (n)
		again(vma, addr, ptep, n - 1);
}
static void again(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, int n)
{
	zap(vma, addr, ptep, n);
}
"""


def test_callers_in_a_circle_count_as_those_that_enter_it() -> None:
    end = "\tmmu_notifier_invalidate_range_end(&range);\n"
    covered = f"{CALLERS}{HEAD}{OPEN}\tagain(vma, addr, ptep, n);\n{end}}}\n"
    assert results(covered, "MN007") == []
    bare = f"{CALLERS}{HEAD}{OPEN}{end}\tzap(vma, addr, ptep, n);\n}}\n"
    assert results(bare, "MN007") == [("found", 4)]
    assert results(CALLERS, "MN007") == [("open", 4)]


def test_the_order_of_files_and_functions_changes_nothing() -> None:
    parts = {
        "mm/a.c": SELF + HEAD + OPEN + "\tclose_all(&range, n);\n}\n" + "".join(SILENT),
        "mm/b.c": PAIR + CALLERS + HEAD + OPEN + "\tzap(vma, addr, ptep, n);\n}\n",
        "mm/d.c": CALLERS,
        "mm/c.c": WALKS % "\tzap(mm, addr, end + PAGE_SIZE, ptep);\n" + HEAD + OPEN
        + "\tzap(vma->vm_mm, addr, addr + PMD_SIZE, ptep);\n}\n",
    }  # fmt: skip
    sources = {path: text.encode() for path, text in parts.items()}
    facts = {path: facts_from(source, path) for path, source in sources.items()}
    expected: tuple[tuple[Finding, ...], tuple[Undecided, ...]] | None = None
    for seed in range(6):
        rng = random.Random(seed)
        order = rng.sample(sorted(facts), len(facts))
        mixed = {
            path: msgspec.structs.replace(
                facts[path], functions=tuple(rng.sample(facts[path].functions,
                                                        len(facts[path].functions)))
            )
            for path in order
        }  # fmt: skip
        found = run(Context(mixed, features("5.10"), sources.get))
        expected = expected or found
        assert found == expected
    assert expected is not None
    assert expected[0]
    assert expected[1]
