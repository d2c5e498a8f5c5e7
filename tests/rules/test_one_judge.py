# SPDX-License-Identifier: GPL-2.0-only
"""Whether a section may be flagged is one question: recipes and rules give one answer to it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from patchgen.analysis.entries.covered import coverage_of, section_of
from patchgen.analysis.entries.event import Facts
from patchgen.analysis.entries.objection import FORBIDDEN, MISFIT, NO_PAGE, UNCLEAR, UNTOLD
from patchgen.analysis.entries.section_code import Code, sites
from patchgen.model.findings import Undecided
from patchgen.model.plan import LeftAlone
from patchgen.recipes.mmu_notifier import use_change_pte_flag
from patchgen.recipes.mmu_notifier.v05_flag import verdict
from patchgen.rules.base import by_id
from tests.rules.harness import context, facts_from

START = "\tmmu_notifier_invalidate_range_start(&range);\n"
END = "\tmmu_notifier_invalidate_range_end(&range);\n"
FINE = """
	ptep = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (pte_write(orig) || !pte_same(*ptep, orig)) {
		pte_unmap_unlock(ptep, ptl);
		goto out;
	}
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	pte_unmap_unlock(ptep, ptl);
out:
"""
CLEAR = "\tptep_clear_flush(vma, addr, ptep);\n"


def function(flags: str, body: str, end: str = "addr + PAGE_SIZE") -> bytes:
    return f"""
static void f(struct vm_area_struct *vma, struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
  pte_t orig, pte_t *other, struct page *page, swp_entry_t swap)
{{
	struct mmu_notifier_range range;
	unsigned long last = addr + PAGE_SIZE;
	spinlock_t *ptl;
	pte_t *ptep;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, {flags}, vma, mm, addr, {end});
{body}}}
""".encode()


def section(body: str) -> str:
    return f"{START}{body}{END}"


#: The body of a function, the end of its range, and the code of what speaks against the flag.
CASES = {
    "fine": (section(FINE), "addr + PAGE_SIZE", ""),
    "fine, the end is in a variable": (section(FINE), "last", ""),
    "two pages": (section(FINE), "addr + 2 * PAGE_SIZE", MISFIT),
    "the address moves": (section("\taddr += PAGE_SIZE;\n" + FINE), "addr + PAGE_SIZE", MISFIT),
    "the end is moved": (section("\trange.end += PAGE_SIZE;\n" + FINE), "last", MISFIT),
    "a helper gets the range": (section("\twiden(&range);\n" + FINE), "last", MISFIT),
    "pages in a loop": (
        section("\tfor (; n; n--) {\n" + FINE.replace("out:\n", "\t}\nout:\n")), "last", MISFIT),
    "another entry is compared": (
        section(FINE.replace("!pte_same(*ptep, orig)", "!pte_same(*other, orig)")), "last",
        FORBIDDEN),
    "nothing says that it is read-only": (
        section(FINE.replace("pte_write(orig) || ", "")), "last", FORBIDDEN),
    "no page": (
        section(FINE.replace("mk_pte(page, vma->vm_page_prot)", "swp_entry_to_pte(swap)")), "last",
        NO_PAGE),
    "a path clears and tells nobody": (
        section(FINE.replace(CLEAR, CLEAR + "\tif (page_count(page))\n\t\tgoto out;\n")), "last",
        UNTOLD),
    "a plain store": (
        section(FINE.replace(CLEAR, CLEAR + "\tset_pte_at(mm, addr, ptep, pte_mkdirty(orig));\n")),
        "last", UNTOLD),
    "a store through the pointer": (section(FINE.replace(CLEAR, CLEAR + "\t*ptep = orig;\n")),
                                    "last", UNTOLD),
    "code that nobody knows": (section("\tmystery(vma, ptep);\n" + FINE), "last", UNTOLD),
    "assembly": (section(FINE.replace(CLEAR, CLEAR + '\tasm("" : : "r"(ptep) : "memory");\n')),
                 "last", UNTOLD),
    "a caller ends it": (f"{START}{FINE}", "last", UNCLEAR),
    "announced twice": (
        section(FINE + "\tmmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr,"
                " addr + PMD_SIZE);\n"), "last", UNCLEAR),
}  # fmt: skip


class State(Facts):
    """A state of one file, as the recipes want it."""

    def __init__(self, source: bytes) -> None:
        tree = context(source, "mm/x.c", "v05")
        super().__init__(tree.program, {"mm/x.c": source}.get)
        self.facts = facts_from(source, "mm/x.c")

    def definitions(self, path: str) -> Mapping[str, Any]:
        return {one.name: one for one in self.facts.functions}


def answers(body: str, end: str) -> dict[str, list[tuple[str, int]]]:
    """(code, line) of what speaks against the flag, by who was asked."""
    source = function("0", body, end)
    state: Any = State(source)
    site = sites(state)[0]
    coverage = coverage_of(section_of(site.function, site.call), state.definitions("mm/x.c"))
    said = [(one.code, one.place.line) for one in coverage.objections]
    found = {"judge": said}
    left = verdict(site, Code(state), state)
    if isinstance(left, LeftAlone):
        first = coverage.objections[0]
        assert (left.place, left.reason) == (first.place, first.text)
    else:
        # Where no section is found that tells of a change, no reason is given.
        assert left == (not said)
    (made, *_) = use_change_pte_flag._sites_of(
        SimpleNamespace(
            read=state.read, definitions=state.definitions, facts=lambda path: state.facts,
            facts_of=lambda paths: [state.facts],
        ),  # type: ignore[arg-type]
        "mm/x.c",
    )  # fmt: skip
    assert isinstance(made, LeftAlone) == bool(said)
    flagged = context(function("MMU_NOTIFIER_USE_CHANGE_PTE", body, end), "mm/x.c", "v05")
    (again,) = flagged.flagged[:1]
    assert {one.code for one in again.objections} == {code for code, _ in said}
    results = [r for rule in ("MN013", "MN014", "MN015") for r in by_id(rule).check(flagged)]
    found["rules"] = [("", r.place.line) for r in results]
    certain = {o.place.line for o in again.objections if o.sure}
    assert {r.place.line for r in results if not isinstance(r, Undecided)} == certain
    return found


@pytest.mark.parametrize("name", CASES)
def test_recipes_and_rules_ask_the_same_judge(name: str) -> None:
    body, end, code = CASES[name]
    found = answers(body, end)
    assert {one for one, _ in found["judge"]} >= ({code} if code else set())
    assert bool(found["judge"]) == bool(code)
    assert {line for _, line in found["rules"]} >= {line for _, line in found["judge"]}
