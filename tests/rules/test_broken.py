# SPDX-License-Identifier: GPL-2.0-only
"""Files that do not compile: what names alone tell is told, since that may be why they do not."""

from __future__ import annotations

import msgspec
import pytest

from patchgen.model.base import Place
from patchgen.model.facts import Diagnostic
from patchgen.model.findings import Undecided
from patchgen.rules.asked import run
from patchgen.rules.base import Context
from tests.rules.harness import facts_from, features

PATH = "drivers/oot/one.c"
INIT = """
static void demo(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	%s;
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}
"""
CALLBACK = """
static int demo_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	%s
	return 0;
}
static const struct mmu_notifier_ops demo_ops = {
	.invalidate_range_start = demo_start,
};
"""
FOUR = INIT % "mmu_notifier_range_init(&range, vma->vm_mm, start, end)"
SEVEN = INIT % ("mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, start, end)")
MIGRATE = INIT % ("mmu_notifier_range_init_migrate(&range, 0, vma, vma->vm_mm, start, end, demo)")
MEMBER = """
static void demo_inv(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start)
{
}
static const struct mmu_notifier_ops demo_ops = {
	.%s = demo_inv,
};
"""
HELPER = """
static bool may_wait(const struct mmu_notifier_range *r)
{
	return r->blockable;
}
"""


def rules(
    source: str, generation: str, error: str = "no member named so", more: str = ""
) -> list[tuple[str, str]]:
    """(rule, "found" or "open") of a file with an error; ``more`` is another such file."""
    texts = {PATH: source, "drivers/oot/two.h": more}
    broken = {}
    for path, text in texts.items():
        found = Diagnostic(Place(path, 1), 1, "error", error)
        facts = facts_from(text.encode(), path)
        names = tuple(line.split()[1].partition("(")[0] for line in text.split("\n")
                      if line.startswith("#define"))  # fmt: skip
        broken[path] = msgspec.structs.replace(facts, diagnostics=(found,), macros=names)
    sources = {path: text.encode() for path, text in texts.items()}
    findings, undecided, _ = run(Context({}, features(generation), sources.get, broken))
    return [(one.rule, "open" if isinstance(one, Undecided) else "found")
            for one in (*findings, *undecided)]  # fmt: skip


CASES = [
    (FOUR, "6.12", ["MN010"]),
    (FOUR, "5.0", []),
    (SEVEN, "6.12", ["MN010"]),
    (SEVEN, "5.10", []),
    (MIGRATE, "6.12", ["MN010"]),
    (MEMBER % "invalidate_range", "6.12", ["MN019"]),
    (MEMBER % "change_pte", "6.12", ["MN019"]),
    (MEMBER % "arch_invalidate_secondary_tlbs", "5.10", ["MN019"]),
    (MEMBER % "invalidate_range", "5.10", []),
    (CALLBACK % "if (mmu_notifier_range_use_change_pte(range)) return 0;", "6.12", ["MN019"]),
    (CALLBACK % "if (!range->blockable) return -EAGAIN;", "6.12", ["MN032"]),
    (CALLBACK % "if (!mmu_notifier_range_blockable(range)) return -EAGAIN;", "6.12", []),
    (HELPER + CALLBACK % "if (!may_wait(range)) return -EAGAIN;", "6.12", ["MN032"]),
    (CALLBACK % "if (range->vma && is_huge(range->vma)) return 0;", "6.12", ["MN033"]),
    (CALLBACK % "if (range->mm != current->mm) return 0;", "6.12", []),
]  # fmt: skip


@pytest.mark.parametrize(("source", "generation", "expected"), CASES)
def test_what_the_tree_does_not_have_is_told(
    source: str, generation: str, expected: list[str]
) -> None:
    assert rules(source, generation) == [(rule, "found") for rule in expected]


@pytest.mark.parametrize(("source", "generation", "expected"), [c for c in CASES if c[2]])
def test_a_header_that_is_not_there_may_say_otherwise(
    source: str, generation: str, expected: list[str]
) -> None:
    """A driver's configure script makes it, and with it decides about its own branches."""
    found = rules(source, generation, "'drv_config.h' file not found")
    assert found == [(rule, "open") for rule in expected]


@pytest.mark.parametrize(
    "more",
    [
        "#define mmu_notifier_range_init(range, mm, s, e) my_range_init(range, mm, s, e)\n",
        "static void mmu_notifier_range_init(struct my_range *range, void *mm, long s, long e)\n"
        "{\n}\n",
    ],
)
def test_a_name_of_the_files_own_is_no_name_of_the_api(more: str) -> None:
    assert rules(more + FOUR, "6.12") == []
    assert rules(FOUR, "6.12", more=more) == []


def test_silence_of_such_a_file_says_nothing() -> None:
    """Its sections are not followed: that one never ends is not known here."""
    open_ = FOUR.replace("\tmmu_notifier_invalidate_range_end(&range);\n", "")
    assert rules(open_, "5.0") == []


def test_the_api_s_own_header_may_read_its_members() -> None:
    accessor = (
        b"static inline bool mmu_notifier_range_blockable(const struct mmu_notifier_range *range)\n"
        b"{\n\treturn (range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE);\n}\n"
    )
    for path, expected in (("include/linux/mmu_notifier.h", 0), ("drivers/oot/two.h", 1)):
        found = Diagnostic(Place(path, 1), 1, "error", "#error")
        broken = msgspec.structs.replace(facts_from(accessor, path), diagnostics=(found,))
        ran = run(Context({}, features("6.12"), {path: accessor}.get, {path: broken}))
        assert [one.rule for one in ran.findings] == ["MN032"] * expected
