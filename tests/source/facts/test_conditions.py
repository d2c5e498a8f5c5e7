# SPDX-License-Identifier: GPL-2.0-only
"""Conditional code: both branches are covered, and what stays inactive says why."""

import pytest

from patchgen.source.c.lexer import Tokens
from patchgen.source.facts.conditions import stack_at, switches
from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve

BOTH = """\
#include <linux/mmu_notifier.h>

#ifdef CONFIG_MADE_UP
static void made_up(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_start(range);
	mmu_notifier_invalidate_range_end(range);
}
#else
static void plain(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_start(range);
}
#endif
"""


def facts_of(tree, text):
    (tree / "mm/made_up.c").write_text(text)
    found = inspect(TreeState(resolve(str(tree))), ["mm/made_up.c"])
    assert found.failed == ()
    (facts,) = found.files
    return facts


def test_both_branches_of_a_conditional_are_analysed(tree):
    facts = facts_of(tree, BOTH)
    assert [function.name for function in facts.functions] == ["made_up", "plain"]
    bodies = [m for m in facts.mentions if m.name.startswith("mmu_notifier_invalidate")]
    assert [m.state for m in bodies] == ["analysed"] * 3


@pytest.mark.parametrize(
    "condition",
    [
        "#if defined(CONFIG_ONE) && !defined(CONFIG_MADE_UP)",
        "#if IS_ENABLED(CONFIG_ONE)",
        "#ifdef CONFIG_ONE\n#ifndef CONFIG_MADE_UP",
    ],
)
def test_what_a_condition_asks_for_is_turned(tree, condition):
    text = BOTH.replace("#ifdef CONFIG_MADE_UP", condition)
    text += "#endif\n" * (condition.count("#") - 1)
    facts = facts_of(tree, text)
    named = {function.name: function for function in facts.functions}
    assert "made_up" in named
    states = {m.state for m in facts.mentions if named["made_up"].span.start < m.offset
              < named["made_up"].span.end and m.name.startswith("mmu_notifier_inv")}  # fmt: skip
    assert states == {"analysed"}


def test_inactive_under_every_configuration_says_which_were_tried(tree):
    text = BOTH.replace("#ifdef CONFIG_MADE_UP", "#if 0 && defined(CONFIG_MADE_UP)")
    inactive = [m for m in facts_of(tree, text).mentions if m.state == "inactive"]
    assert {m.line for m in inactive} == {4, 6, 7}
    assert {m.detail for m in inactive} == {"x86; x86 +MADE_UP"}


def test_a_branch_that_no_option_decides_is_inactive_with_its_architecture(tree):
    text = BOTH.replace("#ifdef CONFIG_MADE_UP", "#if 0")
    inactive = [m for m in facts_of(tree, text).mentions if m.state == "inactive"]
    assert {m.detail for m in inactive} == {"x86"}


def test_a_branch_that_does_not_compile_is_no_loss_to_the_other(tree):
    text = BOTH.replace("{\n\tmmu", "{\n\tno_such_function();\n\tmmu", 1)
    facts = facts_of(tree, text)
    states = {m.line: m.state for m in facts.mentions}
    assert states[13] == "analysed"
    assert states[7] != "analysed", "made_up() has an error"


def test_conditions_around_a_place():
    source = (
        b"#if A /* x */ && \\\n B\n#ifndef C\nx\n#else\ny\n#endif\n"
        b"#elif D\nz\n#else\nw\n#endif\nv\n"
    )
    tokens = Tokens(source)

    def at(text):
        return stack_at(tokens, source.index(text + b"\n"))

    assert at(b"\nx") == (("A   &&   B", True), ("C", False))
    assert at(b"\ny") == (("A   &&   B", True), ("C", True))
    assert at(b"\nz") == (("D", True),)
    assert at(b"\nv") == ()


def test_switches_of_else_and_negation():
    source = b"#ifdef CONFIG_A\n#if !IS_ENABLED(CONFIG_B)\n#else\nx;\n#endif\n#endif\n"
    place = source.index(b"x;")
    assert switches(Tokens(source), [place]) == ((frozenset({"A", "B"}), frozenset()),)
    assert switches(Tokens(source), []) == ()
