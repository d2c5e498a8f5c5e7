# SPDX-License-Identifier: GPL-2.0-only
"""kvm-tdp-old-spte: before, after, left alone, refused; and its place in the series."""

import pytest

from patchgen.edits.realise import message
from patchgen.model.plan import AlreadyThere, PatchPlan
from patchgen.pipeline.plan import make_plan
from patchgen.recipes.base import Options, load
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

NAME = "kvm-tdp-old-spte"
TDP = "arch/x86/kvm/mmu/tdp_mmu.c"
WRITE = "\t\t\ttdp_mmu_set_spte(&iter, new_spte);\n"
ADDED = "\t\t\t/* The SPTE was cleared above. */\n\t\t\titer.old_spte = 0;\n"


def answer(state):
    (step,) = load(NAME).steps
    return step(state, Options())


def with_tdp(tree, old, new):
    source = (tree / TDP).read_text()
    assert old in source, old
    (tree / TDP).write_text(source.replace(old, new))
    return TreeState(describe(tree))


def test_the_copy_is_cleared_before_the_second_write(mini):
    state = TreeState(describe(mini))
    (planned,) = make_plan(state, [NAME]).planned
    before = (state.read(TDP) or b"").decode()
    after = planned.patch.files[TDP].decode()
    assert before.count(WRITE) == 1
    assert after == before.replace(WRITE, ADDED + WRITE)


def test_its_result_is_left_alone(mini):
    after = make_plan(TreeState(describe(mini)), [NAME]).last
    found = answer(after)
    assert isinstance(found, AlreadyThere), found
    assert any(evidence.place.path == TDP for evidence in found.evidence)


def test_it_stands_before_the_guard_and_with_it_the_series_is_complete(mini):
    plan = make_plan(TreeState(describe(mini)), ["kvm-change-pte"])
    recipes = [planned.patch.recipe for planned in plan.planned]
    assert recipes == ["use-change-pte-flag", "kvm-flush-deferred-tlb", NAME, "kvm-change-pte"]
    again = make_plan(plan.last, ["kvm-change-pte"])
    assert again.patches == () and again.refusals == ()


def test_a_tree_without_a_tdp_mmu_does_not_get_it(mini50):
    plan = make_plan(TreeState(describe(mini50)), ["kvm-change-pte"])
    assert NAME not in plan.recipes and not plan.refusals
    assert isinstance(answer(plan.last), AlreadyThere)


def test_a_tree_that_is_right_by_itself_needs_no_patch(tree):
    state = with_tdp(tree, WRITE, "\t\t\titer.old_spte = READ_ONCE(*iter.sptep);\n" + WRITE)
    plan = make_plan(state, ["kvm-change-pte"])
    assert NAME not in [planned.patch.recipe for planned in plan.planned]
    assert NAME in [already.recipe for already in plan.already]


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        # no line of its own to be put before
        (WRITE, "\t\t\tif (gfn)\n\t\t\t\ttdp_mmu_set_spte(&iter, new_spte);\n",
         "tdp_mmu_set_spte(&iter, new_spte);"),
        (WRITE, "\t\t\tneed_flush = 1; tdp_mmu_set_spte(&iter, new_spte);\n",
         "need_flush = 1; tdp_mmu_set_spte(&iter, new_spte);"),
        # the mend would leave a path on which the copy says "clear" and the SPTE is not
        ("\t\ttdp_mmu_set_spte(&iter, 0);\n\n\t\tif (!pte",
         "\t\tif (gfn)\n\t\t\ttdp_mmu_set_spte(&iter, 0);\n\n\t\tif (!pte",
         "tdp_mmu_set_spte(&iter, new_spte);"),
        # one value in two variables, set after the copy was cleared
        (WRITE, "\t\t\titer.old_spte = gfn;\n" + WRITE, "iter.old_spte = gfn;"),
    ],
)  # fmt: skip
def test_a_shape_that_it_cannot_mend_refuses_the_series_with_the_line(tree, old, new, at):
    plan = make_plan(with_tdp(tree, old, new), ["kvm-change-pte"])
    (refusal,) = plan.refusals
    assert (refusal.recipe, refusal.kind, plan.planned) == (NAME, "unsafe", ())
    (evidence,) = refusal.evidence
    line = (tree / TDP).read_text().splitlines()[evidence.place.line - 1]
    assert evidence.place.path == TDP and line.strip() == at


def test_a_file_that_does_not_parse_is_not_mended(tree):
    from patchgen.model.outcome import UserError

    state = with_tdp(tree, WRITE, WRITE + "\t\t\tundeclared++;\n")
    with pytest.raises(UserError, match="undeclared"):
        answer(state)


def test_the_message_says_bug_only_where_the_tree_has_one(tree, mini):
    planned = answer(TreeState(describe(mini)))
    assert isinstance(planned, PatchPlan), planned
    assert "handle_changed_spte() takes that for" in " ".join(message(planned, {}).split())
    quiet = answer(with_tdp(tree, "\t\tBUG();\n", "\t\treturn;\n"))
    assert isinstance(quiet, PatchPlan), quiet
    assert "BUG" not in message(quiet, {})


@pytest.mark.kernel
def test_5_10_is_mended(kernel_tree):
    state = TreeState(describe(kernel_tree("5.10")))
    (planned,) = make_plan(state, [NAME]).planned
    before = (state.read(TDP) or b"").decode()
    write = "\t\t\ttdp_mmu_set_spte(kvm, &iter, new_spte);\n"
    setter = before.index("static int set_tdp_spte(")
    at = before.index(write, setter)
    assert planned.patch.files[TDP].decode() == before[:at] + ADDED + before[at:]
    assert isinstance(answer(make_plan(state, [NAME]).last), AlreadyThere)


@pytest.mark.kernel
def test_6_1_is_mended_where_a_walker_hands_the_iterator_on(kernel_tree):
    state = TreeState(describe(kernel_tree("6.1")))
    (planned,) = make_plan(state, [NAME]).planned
    before = (state.read(TDP) or b"").decode()
    write = "\t\ttdp_mmu_set_spte(kvm, iter, new_spte);\n"
    at = before.index(write, before.index("static bool set_spte_gfn("))
    added = ADDED.replace("\t\t\t", "\t\t").replace("iter.", "iter->")
    assert planned.patch.files[TDP].decode() == before[:at] + added + before[at:]
    assert isinstance(answer(make_plan(state, [NAME]).last), AlreadyThere)
