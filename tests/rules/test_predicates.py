# SPDX-License-Identifier: GPL-2.0-only
"""A question that has a name is asked twice: about the start of a section, and about its end."""

from __future__ import annotations

import pytest

from patchgen.rules.base import by_id
from tests.rules.harness import context

MACRO = "#define WANTS(c) ((c)->notify)\n"
BITS = "#define WANTS(c) (!!((c)->flags & CTX_NOTIFY))\n"
NESTED = "#define HAS(c, bit) ((c)->flags & (bit))\n#define WANTS(c) HAS(c, CTX_NOTIFY)\n"
INLINE = "static inline bool WANTS(const struct ctx *c)\n{\n\treturn c->notify && !c->quiet;\n}\n"
FUNCTION = (
    "static bool WANTS(struct ctx *c)\n{\n\tif (c->quiet)\n\t\treturn false;\n\treturn c->on;\n}\n"
)
OVER = "#define ASK(c) asks(c)\nstatic bool asks(struct ctx *c)\n{\n\treturn c->on;\n}\n" + (
    "static inline bool WANTS(struct ctx *c)\n{\n\treturn asks(c);\n}\n"
)
BODY = """
static void f(struct ctx *c, struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{{
	struct mmu_notifier_range range;

	if ({first}) {{
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
					addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
	}}
	{between}
	if ({second})
		mmu_notifier_invalidate_range_end(&range);
}}
"""


def found(
    define: str, between: str = "ptep_clear_flush(vma, addr, ptep);", **more: str
) -> set[str]:
    tests = {"first": "WANTS(c)", "second": "WANTS(c)"} | more
    source = define + BODY.format(between=between, **tests)
    tree = context(source.encode(), "mm/x.c", "5.10")
    return {rule for rule in ("MN001", "MN002") for _ in by_id(rule).check(tree)}


@pytest.mark.parametrize("define", [MACRO, BITS, NESTED, INLINE, FUNCTION, OVER])
def test_the_same_question_has_the_same_answer(define: str) -> None:
    assert found(define) == set()
    assert found(define, first="addr && WANTS(c)", second="addr && WANTS(c)") == set()


@pytest.mark.parametrize("define", [MACRO, BITS, NESTED, INLINE, FUNCTION, OVER])
def test_the_opposite_question_has_the_other(define: str) -> None:
    assert found(define, second="!WANTS(c)") == {"MN001", "MN002"}


def test_what_it_reads_may_be_written_between() -> None:
    assert found(MACRO, between="c->notify = 0;") == {"MN001"}
    assert found(MACRO, between="c->notify = 1;") == {"MN002"}
    assert found(INLINE, between="c->other = 1;") == set()


def test_one_that_asks_about_something_else_is_another() -> None:
    assert found(MACRO, second="WANTS(vma)") == {"MN001", "MN002"}


def test_one_with_an_effect_is_no_question() -> None:
    counts = "#define WANTS(c) ((c)->left--)\n"
    assert found(counts) == {"MN001", "MN002"}
    does = "static bool WANTS(struct ctx *c)\n{\n\treturn take_one(c);\n}\n"
    assert found(does) == {"MN001", "MN002"}
