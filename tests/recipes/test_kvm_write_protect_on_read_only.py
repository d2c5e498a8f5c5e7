# SPDX-License-Identifier: GPL-2.0-only
"""KVM write-protects ranges that only become read-only: x86's rmap, direct idiom."""

import shutil

import pytest

from patchgen.model.plan import AlreadyThere
from patchgen.pipeline.plan import make_plan
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

NAME = "kvm-write-protect-on-read-only"
MAIN = "virt/kvm/kvm_main.c"
MMU = "arch/x86/kvm/mmu.c"
#: What the miniature's shadow MMU lacks of a real one: many SPTEs a page.
REAL_RMAP = """
struct rmap_iterator {
	int pos;
};

#define for_each_rmap_spte(head, iter, sptep) \\
	for ((iter)->pos = 0, sptep = (head)->sptep; sptep && !(iter)->pos; (iter)->pos++)

static bool mmu_spte_update(u64 *sptep, u64 new_spte)
{
	bool flush = *sptep & ~new_spte & PT_WRITABLE_MASK;

	*sptep = new_spte;
	return flush;
}

"""


def state_of(root):
    return TreeState(describe(root))


@pytest.fixture(scope="module")
def tree(mini50, tmp_path_factory):
    """The miniature with a shadow MMU that can write-protect."""
    root = shutil.copytree(mini50, tmp_path_factory.mktemp("k") / "tree")
    source = (root / MMU).read_text()
    at = source.index("static int kvm_unmap_rmapp(")
    (root / MMU).write_text(source[:at] + REAL_RMAP.lstrip() + source[at:])
    header = root / "include/linux/kvm_host.h"
    weak = "#ifndef __weak\n#define __weak __attribute__((__weak__))\n#endif\n"
    header.write_text(weak + header.read_text())
    return root


@pytest.fixture(scope="module")
def plan(tree):
    return make_plan(state_of(tree), [NAME])


def test_the_series_that_adds_events_comes_first(plan):
    assert plan.refusals == ()
    assert plan.recipes == ("mmu-notifier-v05", NAME)
    assert len(plan.planned) == 10


def test_the_range_is_write_protected_instead_of_dropped(plan):
    patch = plan.planned[-1].patch
    assert set(patch.files) == {"include/linux/kvm_host.h", MAIN, MMU}
    main = patch.files[MAIN].decode()
    assert (
        "\tif (mmu_notifier_range_update_to_read_only(range))\n"
        "\t\tneed_tlb_flush = kvm_write_protect_hva_range(kvm, range->start,\n"
        "\t\t\t\t\t\t\t     range->end);\n"
        "\telse\n"
        "\t\tneed_tlb_flush = kvm_unmap_hva_range(kvm, range->start,\n"
        "\t\t\t\t\t\t     range->end);\n"
    ) in main
    assert "int __weak kvm_write_protect_hva_range(" in main
    mmu = patch.files[MMU].decode()
    assert "static int kvm_write_protect_rmapp(struct kvm *kvm,\n" in mmu
    assert "u64 mask = PT_WRITABLE_MASK | SPTE_HOST_WRITEABLE;" in mmu
    assert "return kvm_handle_hva_range(kvm, start, end, 0, kvm_write_protect_rmapp);" in mmu


def test_the_result_parses_without_errors(plan):
    for path in plan.planned[-1].patch.files:
        if path.endswith(".c"):
            facts = plan.last.facts(path)
            assert [d for d in facts.diagnostics if d.severity != "warning"] == []


def test_limits_are_stated(plan):
    limits = " ".join(plan.planned[-1].plan.limits)
    assert "NUMA balancing" in limits
    assert "architectures other than x86" in limits


def test_a_second_run_plans_nothing(plan):
    again = make_plan(plan.last, [NAME])
    assert again.planned == ()
    assert isinstance(again.already[-1], AlreadyThere)
    assert again.already[-1].recipe == NAME


def test_an_mmu_that_cannot_be_write_protected_is_refused(mini50):
    plan = make_plan(state_of(mini50), [NAME])
    (refused,) = plan.refusals
    assert refused.kind == "unsafe"
    assert refused.evidence[0].text == "no for_each_rmap_spte, mmu_spte_update"
    assert refused.evidence[0].place.path == MMU


def test_without_a_range_of_that_event_there_is_nothing_to_do(mini):
    (refused,) = make_plan(state_of(mini), [NAME]).refusals
    assert refused.kind == "absent"
    assert "MMU_NOTIFY_PROTECTION_VMA" in refused.reason


@pytest.mark.kernel
def test_5_10_keeps_zapping_the_tdp_mmu(kernel_tree):
    plan = make_plan(state_of(kernel_tree("5.10")), [NAME])
    (planned,) = plan.planned
    mmu = planned.patch.files["arch/x86/kvm/mmu/mmu.c"].decode()
    added = mmu[mmu.index("int kvm_write_protect_hva_range(") :].split("\n}\n")[0]
    assert "unsigned int flags" in added
    assert "r |= kvm_tdp_mmu_zap_hva_range(kvm, start, end);" in added
    assert any("TDP MMU" in limit for limit in planned.plan.limits)
    for path in planned.patch.files:
        errors = [d for d in plan.last.facts(path).diagnostics if d.severity != "warning"]
        assert errors == [], path


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["6.1", "6.12", "7.2"])
def test_other_idioms_are_refused_with_evidence(kernel_tree, name):
    (refused,) = make_plan(state_of(kernel_tree(name)), [NAME]).refusals
    assert refused.reason == "only KVM's direct idiom is handled"
    assert all(one.place.path == MAIN for one in refused.evidence)
    assert refused.evidence
