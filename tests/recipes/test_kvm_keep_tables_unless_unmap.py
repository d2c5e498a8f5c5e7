# SPDX-License-Identifier: GPL-2.0-only
"""Stage-2 page tables stay on any event but UNMAP, where the architecture can take it."""

import shutil

import pytest

from patchgen.pipeline.plan import make_plan
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

NAME = "kvm-keep-tables-unless-unmap"
MAIN = "virt/kvm/kvm_main.c"
HEADER = "include/linux/kvm_host.h"
ARM = "virt/kvm/arm/mmu.c"
#: arm's stage 2 before 5.10 in small; {block} is how a block gets mapped.
STAGE2 = """// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>

static void unmap_stage2_ptes(struct kvm *kvm, pmd_t *pmd, unsigned long addr)
{
	pte_t *start_pte = pte_offset_kernel(pmd, addr);

	if (stage2_pte_table_empty(kvm, start_pte))
		clear_stage2_pmd_entry(kvm, pmd, addr);
}

static void unmap_stage2_pmds(struct kvm *kvm, pud_t *pud, unsigned long addr)
{
	pmd_t *start_pmd = stage2_pmd_offset(kvm, pud, addr);

	unmap_stage2_ptes(kvm, start_pmd, addr);
	if (stage2_pmd_table_empty(kvm, start_pmd))
		clear_stage2_pud_entry(kvm, pud, addr);
}

static int stage2_set_pmd_huge(struct kvm *kvm, pmd_t *pmd, pmd_t new_pmd)
{
	pmd_t old_pmd = *pmd;

BLOCK	kvm_set_pmd(pmd, new_pmd);
	return 0;
}
"""
TELLS = """	if (!pmd_thp_or_huge(old_pmd))
		unmap_stage2_range(kvm, 0, PMD_SIZE);
"""


#: What the walkers call; without it the file does not compile, and is not analysed.
CALLED = """
pte_t *pte_offset_kernel(pmd_t *pmd, unsigned long addr);
pmd_t *stage2_pmd_offset(struct kvm *kvm, pud_t *pud, unsigned long addr);
bool stage2_pte_table_empty(struct kvm *kvm, pte_t *ptep);
bool stage2_pmd_table_empty(struct kvm *kvm, pmd_t *pmdp);
void clear_stage2_pmd_entry(struct kvm *kvm, pmd_t *pmd, unsigned long addr);
void clear_stage2_pud_entry(struct kvm *kvm, pud_t *pud, unsigned long addr);
void unmap_stage2_range(struct kvm *kvm, unsigned long start, unsigned long size);
void kvm_set_pmd(pmd_t *pmd, pmd_t new_pmd);
bool pmd_thp_or_huge(pmd_t pmd);
"""


def state_of(root):
    return TreeState(describe(root))


def arm_tree(mini50, folder, block):
    root = shutil.copytree(mini50, folder / "tree")
    (root / ARM).parent.mkdir(parents=True)
    (root / ARM).write_text(STAGE2.replace("BLOCK", block))
    return root


@pytest.fixture(scope="module")
def plan(mini50, tmp_path_factory):
    return make_plan(state_of(arm_tree(mini50, tmp_path_factory.mktemp("k"), TELLS)), [NAME])


def test_tables_are_freed_on_unmap_only(plan):
    assert plan.refusals == ()
    patch = plan.planned[-1].patch
    assert set(patch.files) == {HEADER, MAIN, ARM}
    main = patch.files[MAIN].decode()
    before, _, behind = main.partition("need_tlb_flush = kvm_unmap_hva_range(")
    assert before.endswith(
        "\tkvm->mmu_notifier_keep_tables = range->event != MMU_NOTIFY_UNMAP;\n\t"
    )
    assert behind.split("\n")[1] == "\tkvm->mmu_notifier_keep_tables = false;"
    assert "\tbool mmu_notifier_keep_tables;\n" in patch.files[HEADER].decode()
    arm = patch.files[ARM].decode()
    for level in ("pte", "pmd"):
        assert (
            "\tif (!kvm->mmu_notifier_keep_tables &&\n"
            f"\t    stage2_{level}_table_empty(kvm, start_{level}))\n"
        ) in arm


def test_a_second_run_plans_nothing(plan):
    again = make_plan(plan.last, [NAME])
    assert again.planned == ()
    assert again.already[-1].recipe == NAME


def test_together_with_the_write_protection_the_flag_spans_both_branches(kernel_tree_like):
    source = kernel_tree_like.decode()
    at = source.index("mmu_notifier_keep_tables = range->event")
    end = source.index("mmu_notifier_keep_tables = false")
    inside = source[at:end]
    assert "kvm_write_protect_hva_range(" in inside
    assert "kvm_unmap_hva_range(" in inside


@pytest.fixture
def kernel_tree_like(mini50, tmp_path):
    """kvm_main.c after both follow-ons, on a miniature that can take both."""
    from tests.recipes.test_kvm_write_protect_on_read_only import MMU, REAL_RMAP

    root = arm_tree(mini50, tmp_path, TELLS)
    source = (root / MMU).read_text()
    at = source.index("static int kvm_unmap_rmapp(")
    (root / MMU).write_text(source[:at] + REAL_RMAP.lstrip() + source[at:])
    plan = make_plan(state_of(root), ["kvm-write-protect-on-read-only", NAME])
    assert plan.refusals == ()
    return plan.last.read(MAIN)


def test_a_table_in_the_way_of_a_block_is_refused(mini50, tmp_path):
    root = arm_tree(mini50, tmp_path, "")
    (refused,) = make_plan(state_of(root), [NAME]).refusals
    assert refused.kind == "unsafe"
    lines = (root / ARM).read_text().splitlines()
    shown = [(lines[e.place.line - 1].strip(), e.text) for e in refused.evidence]
    assert shown[0][0].startswith("static int stage2_set_pmd_huge(")
    assert [text for _, text in shown[1:]] == ["frees a table"] * 2


def test_stage_2_that_knows_its_guest_by_its_owner(mini50, tmp_path):
    root = arm_tree(mini50, tmp_path, TELLS)
    source = (root / ARM).read_text().replace("struct kvm *kvm", "struct kvm_s2_mmu *mmu")
    owner = "#include <linux/kvm_host.h>\n"
    assert owner in source
    source = source.replace("(kvm,", "(mmu,").replace(
        owner, owner + "\nstruct kvm_s2_mmu {\n\tstruct kvm *kvm;\n};\n", 1
    )
    (root / ARM).write_text(source)
    plan = make_plan(state_of(root), [NAME])
    assert "!mmu->kvm->mmu_notifier_keep_tables &&" in plan.last.read(ARM).decode()
    (root / ARM).write_text(source.replace("struct kvm_s2_mmu *mmu", "void *mmu"))
    (refused,) = make_plan(state_of(root), [NAME]).refusals
    assert "not at hand" in refused.reason


def test_nothing_to_keep_where_no_architecture_frees_tables(mini50):
    (refused,) = make_plan(state_of(mini50), [NAME]).refusals
    assert (refused.kind, refused.evidence[0].place.path) == ("absent", "arch/x86/kvm/mmu.c")


@pytest.mark.kernel
def test_5_10_changes_the_walkers_flags(kernel_tree):
    plan = make_plan(state_of(kernel_tree("5.10")), [NAME])
    (planned,) = plan.planned
    path = "arch/arm64/kvm/hyp/pgtable.c"
    assert set(planned.patch.files) == {HEADER, MAIN, path}
    assert (
        "\t\t.flags\t= pgt->mmu->kvm->mmu_notifier_keep_tables ?\n"
        "\t\t\t  KVM_PGTABLE_WALK_LEAF :\n"
        "\t\t\t  KVM_PGTABLE_WALK_LEAF | KVM_PGTABLE_WALK_TABLE_POST,\n"
    ) in planned.patch.files[path].decode()
    for changed in planned.patch.files:
        errors = [d for d in plan.last.facts(changed).diagnostics if d.severity != "warning"]
        assert errors == [], changed


@pytest.mark.kernel("5.0")
def test_5_0_maps_blocks_over_tables_and_is_refused(kernel_tree):
    (refused,) = make_plan(state_of(kernel_tree("5.0")), [NAME]).refusals
    assert refused.kind == "unsafe"
    assert {e.place.path for e in refused.evidence} == {ARM}
    assert len(refused.evidence) == 4


def test_it_is_generated_and_proved(mini, tmp_path, patchgen):
    """On a tree in 5.10's shape, with the walkers of arm64 in small."""
    root = shutil.copytree(mini, tmp_path / "tree")
    (root / ARM).parent.mkdir(parents=True, exist_ok=True)
    (root / ARM).write_text(STAGE2.replace("BLOCK", TELLS).replace("\n\n", f"\n{CALLED}\n", 1))
    out = tmp_path / "out"
    done = patchgen("generate", NAME, "--tree", root, "-o", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "proof   4 safety properties hold in every interleaving explored" in done.stdout
    letter = " ".join((out / "0000-cover-letter.patch").read_text().split())
    assert "mmu_notifier_keep_tables is set, and nothing that was looked into reads it" in letter


def test_it_is_refused_with_the_place_where_x86_reads_the_member(mini, tmp_path, patchgen):
    root = shutil.copytree(mini, tmp_path / "tree")
    (root / ARM).parent.mkdir(parents=True, exist_ok=True)
    (root / ARM).write_text(STAGE2.replace("BLOCK", TELLS).replace("\n\n", f"\n{CALLED}\n", 1))
    mmu = root / "arch/x86/kvm/mmu/mmu.c"
    text = mmu.read_text()
    # A member of another struct by the same name: which one is read is not told apart.
    user = (
        "\nstruct kvm_odd {\n\tbool mmu_notifier_keep_tables;\n};\n\n"
        "bool kvm_odd(struct kvm_odd *odd);\nbool kvm_odd(struct kvm_odd *odd)\n{\n"
        "\treturn odd->mmu_notifier_keep_tables;\n}\n"
    )
    mmu.write_text(text + user)
    line = next(n for n, s in enumerate((text + user).splitlines(), 1) if "return odd->" in s)
    done = patchgen("generate", NAME, "--tree", root, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert f"read in arch/x86/kvm/mmu/mmu.c:{line}" in done.stderr
    assert "virt/kvm/kvm_main.c:" in done.stderr
