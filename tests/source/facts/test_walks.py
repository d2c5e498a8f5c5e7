# SPDX-License-Identifier: GPL-2.0-only
"""Callbacks of a page table walk belong to the functions that matter, if their walk does."""

from __future__ import annotations

from patchgen.model.facts import FileFacts
from patchgen.report.inspection import inspection_data
from patchgen.source.clang.unit import ParsedUnit
from patchgen.source.facts.extract import extract
from patchgen.source.facts.inspection import Inspection
from patchgen.source.facts.ops import WALK_OPS

SOURCE = b"""
static void helper(pte_t *p) { }
static int entry(pte_t *p) { helper(p); return 0; }
static int other(pte_t *p) { return 0; }
static void before(struct mm_walk *w) { mmu_notifier_invalidate_range_start(&w->range); }
static const struct mm_walk_ops mentioned = { .pte_entry = entry, };
static const struct mm_walk_ops unrelated = { .pte_entry = other, };
static const struct mm_walk_ops opening = { .pre_vma = before, .pmd_entry = entry, };
static void section(void)
{
	mmu_notifier_invalidate_range_end(&range);
	walk_page_range(mm, start, end, &mentioned, 0);
}
static void elsewhere(void) { walk_page_range(mm, start, end, &unrelated, 0); }
"""


def _facts() -> FileFacts:
    unit = ParsedUnit("mm/x.c", "x86_64", "", (), (), ())
    names = frozenset({"mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_end"})
    return extract(SOURCE, unit, names)


def test_callbacks_of_walks_in_question_are_taken() -> None:
    facts = _facts()
    assert [f.name for f in facts.functions] == ["helper", "entry", "before", "section"]
    tables = {table.name: table for table in facts.ops if table.struct == WALK_OPS}
    assert set(tables) == {"mentioned", "opening"}
    assert tables["opening"].function("pre_vma") == "before"


def test_walks_are_no_notifier_tables_in_reports() -> None:
    data = inspection_data("", "", None, Inspection((_facts(),), ()))
    assert data["tables"] == []
