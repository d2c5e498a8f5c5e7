# SPDX-License-Identifier: GPL-2.0-only
""" "May this range block" is a value: however it is compared, copied, returned or switched on."""

from __future__ import annotations

import pytest

from patchgen.model.findings import Undecided
from patchgen.rules.base import by_id
from tests.rules.harness import context

SOURCE = """
%s
static int cb(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	%s
	mutex_lock(&d->m);
	mutex_unlock(&d->m);
	return 0;
}
static const struct mmu_notifier_ops ops = { .invalidate_range_start = cb };
"""
RULES = ("MN024", "MN026", "MN028", "MN029", "MN036")


def said(before: str, helpers: str = "") -> set[str]:
    tree = context((SOURCE % (helpers, before)).encode(), "drivers/x.c", "6.12")
    tree._sources = {"drivers/x.c": (SOURCE % (helpers, before)).encode()}.get
    return {
        f"{one.rule}?" if isinstance(one, Undecided) else one.rule
        for rule in RULES
        for one in by_id(rule).check(tree)
    }


HELPERS = {
    "the answer": "return mmu_notifier_range_blockable(r);",
    "a truth": "return !!mmu_notifier_range_blockable(r);",
    "two returns": "if (mmu_notifier_range_blockable(r)) return true; return false;",
    "a variable": "bool b = mmu_notifier_range_blockable(r); return b;",
    "a number": "int b = 0; if (mmu_notifier_range_blockable(r)) b = 1; return b;",
    "a comparison": "return mmu_notifier_range_blockable(r) != false;",
}
HELPER = "static int may(const struct mmu_notifier_range *r)\n{ %s }\n"

#: (right, the same the wrong way round)
TESTS = {
    "== false": "if (mmu_notifier_range_blockable(range) == false) return -EAGAIN;",
    "!= true": "if (mmu_notifier_range_blockable(range) != true) return -EAGAIN;",
    "0 ==": "if (0 == mmu_notifier_range_blockable(range)) return -EAGAIN;",
    "< 1": "if (mmu_notifier_range_blockable(range) < 1) return -EAGAIN;",
    "a number": "int b = mmu_notifier_range_blockable(range); if (b == 0) return -EAGAIN;",
    "a copy": "bool a = mmu_notifier_range_blockable(range), b = a; if (!b) return -EAGAIN;",
    "a negation": "bool no = !mmu_notifier_range_blockable(range); if (no) return -EAGAIN;",
    "a switch": "switch (mmu_notifier_range_blockable(range)) { case 0: return -EAGAIN; }",
    "a default": "switch (mmu_notifier_range_blockable(range)) {"
    " case true: break; default: return -EAGAIN; }",
    "a sum": "int n = mmu_notifier_range_blockable(range) + 1; if (n != 2) return -EAGAIN;",
    "an error": "int e = mmu_notifier_range_blockable(range) ? 0 : -EAGAIN; if (e) return e;",
    "a jump": "if (mmu_notifier_range_blockable(range)) goto wait; return -EAGAIN; wait:",
}


@pytest.mark.parametrize("name", list(TESTS))
def test_a_refusal_is_understood_however_it_asks(name: str) -> None:
    assert said(TESTS[name]) == set()
    macro = "#define MAY_WAIT(r) mmu_notifier_range_blockable(r)\n"
    asked = TESTS[name].replace("mmu_notifier_range_blockable(range)", "MAY_WAIT(range)")
    assert said(asked, macro) == set()


@pytest.mark.parametrize("name", list(TESTS))
def test_the_wrong_way_round_is_reported(name: str) -> None:
    wrong = TESTS[name].replace(
        "mmu_notifier_range_blockable(range)", "(!mmu_notifier_range_blockable(range))"
    )
    assert said(wrong) & {"MN026", "MN028", "MN029"}


@pytest.mark.parametrize("name", list(HELPERS))
def test_a_helper_that_answers(name: str) -> None:
    helper = HELPER % HELPERS[name]
    assert said("if (!may(range)) return -EAGAIN;", helper) == set()
    assert said("int b = may(range); if (b == 0) return -EAGAIN;", helper) == set()
    assert said("if (may(range)) return -EAGAIN;", helper) & {"MN026", "MN028", "MN029"}
    assert "MN028" in said("may(range);", helper)


def test_the_member_of_old_kernels() -> None:
    for right in ("!range->blockable", "range->blockable == false", "true != range->blockable"):
        assert said(f"if ({right}) return -EAGAIN;") == set()
    assert said("if (range->blockable == true) return -EAGAIN;")
