# SPDX-License-Identifier: GPL-2.0-only
"""kvm-flush-deferred-tlb, use-change-pte-flag and kvm-change-pte: before, after, left alone."""

import pytest

from patchgen.edits.realise import new_files
from patchgen.model.plan import AlreadyThere, PatchPlan, Refusal
from patchgen.recipes.base import Options, load
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

KVM_MAIN = "virt/kvm/kvm_main.c"
FLUSH = "\tif (kvm_set_spte_hva(kvm, address, pte))\n"


def state_with(mini, path=KVM_MAIN, *pairs):
    """mini with replacements in one file."""
    state = TreeState(describe(mini))
    source = (state.read(path) or b"").decode()
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return state.after({path: source.encode()})


def plan(state, name):
    (step,) = load(name).steps
    return step(state, Options())


def result(state, planned, path=KVM_MAIN):
    assert isinstance(planned, PatchPlan), planned
    return (new_files(planned.changes, state.read)[path] or b"").decode()


def test_the_deferred_flush_is_added_to_the_condition(mini):
    state = state_with(mini)
    after = result(state, plan(state, "kvm-flush-deferred-tlb"))
    assert "\tif (kvm_set_spte_hva(kvm, address, pte) || kvm->tlbs_dirty)\n" in after


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # there already, by hand
        (FLUSH, "\tif (kvm_set_spte_hva(kvm, address, pte) || kvm->tlbs_dirty)\n"),
        # range_start() owes nothing to others
        (" || kvm->tlbs_dirty)", ")"),
    ],
)
def test_the_deferred_flush_is_left_alone(mini, old, new):
    answer = plan(state_with(mini, KVM_MAIN, (old, new)), "kvm-flush-deferred-tlb")
    assert isinstance(answer, AlreadyThere), answer
    assert answer.evidence


def test_a_condition_that_grows_too_long_is_wrapped_and_aligned(mini):
    long = "\tif (kvm_set_spte_hva(kvm, address, pte) && kvm->a_rather_long_member)\n"
    header = "include/linux/kvm_host.h"
    state = state_with(mini, KVM_MAIN, (FLUSH, long))
    text = (state.read(header) or b"").decode()
    assert "\tlong tlbs_dirty;" in text
    text = text.replace("\tlong tlbs_dirty;", "\tlong tlbs_dirty;\n\tint a_rather_long_member;")
    state = state.after({header: text.encode()})
    after = result(state, plan(state, "kvm-flush-deferred-tlb"))
    lines = after.split("\n")
    at = next(n for n, line in enumerate(lines) if "a_rather_long_member" in line)
    assert lines[at].endswith(" ||")
    assert lines[at + 1] == "\t    kvm->tlbs_dirty)"


def test_a_change_pte_without_a_sequence_is_refused(mini):
    source = (mini / KVM_MAIN).read_text()
    at = source.index("static void kvm_mmu_notifier_change_pte(")
    line = next(
        line for line in source[at:].split("\n") if "mmu_notifier_seq++" in line
    )  # the first bump behind the function's head is its own
    state = TreeState(describe(mini))
    text = source[:at] + source[at:].replace(line + "\n", "", 1)
    answer = plan(state.after({KVM_MAIN: text.encode()}), "kvm-change-pte")
    assert isinstance(answer, Refusal), answer
    assert "sequence" in answer.reason


def test_a_state_change_in_a_declaration_is_refused_with_its_line(mini):
    source = (mini / KVM_MAIN).read_text()
    at = source.index("static int kvm_mmu_notifier_invalidate_range_start(")
    body = source[at:]
    assert "\tidx = srcu_read_lock(&kvm->srcu);\n" in body
    early = body.replace("\tidx = srcu_read_lock(&kvm->srcu);\n", "", 1)
    early = early.replace(" = mmu_notifier_to_kvm(mn);\n",
                          " = mmu_notifier_to_kvm(mn);\n\tint idx2 = srcu_read_lock(&kvm->srcu);\n",
                          1)  # fmt: skip
    early = early.replace("srcu_read_unlock(&kvm->srcu, idx)",
                          "srcu_read_unlock(&kvm->srcu, idx2)", 1)  # fmt: skip
    state = TreeState(describe(mini)).after({KVM_MAIN: (source[:at] + early).encode()})
    answer = plan(state, "kvm-change-pte")
    assert isinstance(answer, Refusal), answer
    assert any("srcu_read_lock" in evidence.text for evidence in answer.evidence)


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        ("mm/ksm.c", "pte_wrprotect(", "pte_mkyoung(", "not known"),
        ("mm/ksm.c", "addr + PAGE_SIZE", "addr + 2 * PAGE_SIZE", "several pages"),
    ],
)
def test_a_section_that_is_not_covered_is_left_alone_with_its_reason(mini, path, old, new, reason):
    answer = plan(state_with(mini, path, (old, new)), "use-change-pte-flag")
    assert isinstance(answer, PatchPlan), answer
    left = [alone.reason for alone in answer.left_alone if alone.place.path == path]
    assert left, answer.note
    assert any(reason in text for text in left), left


def test_the_flag_joins_flags_that_a_site_has_already(mini):
    state = state_with(mini, "mm/ksm.c", ("MMU_NOTIFY_CLEAR, 0,", "MMU_NOTIFY_CLEAR, 4,"))
    after = result(state, plan(state, "use-change-pte-flag"), "mm/ksm.c")
    assert "4 | MMU_NOTIFIER_USE_CHANGE_PTE," in after


def test_a_flush_that_is_or_ed_into_a_variable_is_owed_too(mini50):
    state = TreeState(describe(mini50))
    source = (state.read(KVM_MAIN) or b"").decode()
    assert "|= kvm->tlbs_dirty" in source, "5.0's shape"
    after = result(state, plan(state, "kvm-flush-deferred-tlb"))
    at = after.index("kvm_mmu_notifier_change_pte(")
    assert "kvm->tlbs_dirty" in after[at : after.index("\n}", at)]
