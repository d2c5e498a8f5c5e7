# SPDX-License-Identifier: GPL-2.0-only
"""Old faults and new ones are told apart by where they are, not by what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.base import Place
from patchgen.pipeline.check import Job, check_all
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe
from patchgen.verify.lines import Changed, FileLines
from tests.verify.patches import checked

HEAD = (
    "// SPDX-License-Identifier: GPL-2.0\n#include <linux/mm.h>\n#include <linux/mmu_notifier.h>\n"
)
LEAK = """
int x_open(struct mm_struct *mm, unsigned long start, unsigned long end);
int x_open(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	if (start >= end)
		return 0;
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, NULL, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	return 0;
}
"""
#: A second fault of the same kind in the same words.
AGAIN = LEAK.replace("x_open", "x_two")
FILLER = "".join(f"\nint x_filler{n}(int a);\n" for n in range(30))


@pytest.fixture
def old(tree: Path) -> Path:
    (tree / "mm/x.c").write_text(HEAD + LEAK)
    return tree


SAME = {
    "lines before it": HEAD + FILLER + LEAK,
    "another name of the range": HEAD
    + LEAK.replace("range;", "other;").replace("&range", "&other"),
    "another name of the function": HEAD + LEAK.replace("x_open", "x_close"),
    "the return is written otherwise": HEAD + LEAK.replace("\treturn 0;\n}", "\treturn 1;\n}"),
    "a statement within": HEAD
    + LEAK.replace("\treturn 0;\n}", "\tcond_resched();\n\treturn 0;\n}"),
    "moved behind other code": HEAD + FILLER + LEAK + FILLER,
}


@pytest.mark.parametrize("change", SAME)
def test_an_old_fault_is_inherited(old: Path, change: str) -> None:
    check = checked(old, {"mm/x.c": SAME[change]})
    assert check.lint.introduced == (), [str(f.message) for f in check.lint.introduced]
    assert check.lint.fixed == () and check.lint.unchanged == 1


def test_an_old_fault_is_followed_into_another_file(old: Path) -> None:
    (old / "mm/x.c").write_text(HEAD + LEAK + FILLER)
    moved = {"mm/x.c": HEAD + FILLER, "mm/y.c": HEAD + LEAK}
    check = checked(old, moved)
    assert check.lint.introduced == () == check.lint.fixed and check.lint.unchanged == 1


def test_an_old_fault_is_followed_through_a_rename(old: Path) -> None:
    check = checked(
        old, {"mm/x.c": None, "mm/z.c": HEAD + "\nint x;\n" + LEAK}, {"mm/z.c": "mm/x.c"}
    )
    assert check.lint.introduced == () == check.lint.fixed and check.lint.unchanged == 1


def test_a_new_fault_in_the_same_words_is_new(old: Path) -> None:
    check = checked(old, {"mm/x.c": HEAD + AGAIN + LEAK})
    assert [f.function for f in check.lint.introduced] == ["x_two"]
    assert check.lint.unchanged == 1 and not check.lint.fixed
    swapped = checked(old, {"mm/x.c": HEAD + LEAK.replace(
        "	return 0;\n}", "	mmu_notifier_invalidate_range_end(&range);\n	return 0;\n}")
        + FILLER + AGAIN})  # fmt: skip
    assert [f.function for f in swapped.lint.introduced] == ["x_two"]
    assert [f.function for f in swapped.lint.fixed] == ["x_open"]


COMMENT = "\t/* patchgen: ignore MN001 -- a reason */\n"
HIDDEN = LEAK.replace("\treturn 0;\n}", COMMENT + "\treturn 0;\n}")


def test_a_fault_whose_own_patch_brings_the_comment_counts(old: Path) -> None:
    (old / "mm/x.c").write_text(HEAD)
    check = checked(old, {"mm/x.c": HEAD + HIDDEN})
    (finding,) = check.lint.introduced
    assert "brings the comment" in finding.message and check.faults
    assert [hidden.place for hidden in check.lint.hidden] == [finding.place]


def test_a_comment_from_an_earlier_patch_of_the_series_does_not_count(old: Path) -> None:
    """The first patch brings the comment where nothing is wrong, the second the fault."""
    end = "	mmu_notifier_invalidate_range_end(&range);\n"
    whole = HIDDEN.replace("	return 0;\n}", f"{end}	return 0;\n}}")
    (old / "mm/x.c").write_text(HEAD)
    ground = TreeState(describe(old))
    first = ground.after({"mm/x.c": (HEAD + whole).encode()})
    second = first.after({"mm/x.c": (HEAD + HIDDEN).encode()})
    jobs = [Job(ground, first, "one", ("mm/x.c",), (), ground),
            Job(first, second, "two", ("mm/x.c",), (), ground)]  # fmt: skip
    one, two = check_all(jobs)
    assert one.lint.introduced == ()
    (finding,) = two.lint.introduced
    assert "the series brings the comment" in finding.message and two.faults
    (again,) = check_all([Job(first, second, "two", ("mm/x.c",))])
    assert again.lint.introduced == ()  # the tree has the comment


def test_a_comment_for_an_old_fault_mends_nothing(old: Path) -> None:
    check = checked(old, {"mm/x.c": HEAD + HIDDEN})
    assert check.lint.fixed == () == check.lint.introduced and check.lint.unchanged == 1


def test_an_old_comment_still_counts(old: Path) -> None:
    (old / "mm/x.c").write_text(HEAD + HIDDEN)
    check = checked(old, {"mm/x.c": HEAD + FILLER + HIDDEN})
    assert check.lint.introduced == () == check.lint.fixed


def test_lines_are_followed_through_repeats_and_moves() -> None:
    old = b"a\n}\nb\n}\nc\n}\nd\n"
    new = b"new\na\n}\nb\n}\nnew\n}\nc\n}\nd\n"
    lines = FileLines(old, new)
    assert lines.to_new(1) == 2 and lines.to_new(3) == 4 and lines.to_new(7) == 10
    assert 1 in lines.added and 6 in lines.added and not lines.removed
    block = b"one\ntwo\nthree\n"
    changed = Changed({"p": block + b"rest\n", "q": b"q\n"}, {"p": b"rest\n", "q": b"q\n" + block})
    assert changed.to_new(Place("p", 2)) == Place("q", 3)
    assert changed.to_new(Place("p", 4)) == Place("p", 1)
    twice = Changed({"p": block, "q": b""}, {"p": b"", "q": block + block})
    assert twice.to_new(Place("p", 2)) is None, "two places are none"
