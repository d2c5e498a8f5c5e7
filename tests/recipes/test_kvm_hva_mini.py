# SPDX-License-Identifier: GPL-2.0-only
"""The hva-range idiom in miniature: the miniature kernel with KVM's callbacks behind a walker.

``mini_hva/`` holds what differs from ``kernel-tree/mini``; it was written for these tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.model.plan import AlreadyThere, Refusal
from patchgen.pipeline.plan import make_plan
from patchgen.recipes.base import Options, load
from patchgen.recipes.kvm import hva_range
from patchgen.recipes.kvm.kvm_change_pte import kvm_of
from patchgen.recipes.kvm.kvm_tdp_old_spte import exposed, setter_of
from patchgen.recipes.planned import Choice
from patchgen.source.clang.unit import parse
from patchgen.source.config.flags import parse_config
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

HERE = Path(__file__).parent
MAIN = "virt/kvm/kvm_main.c"
X86 = "arch/x86/kvm/mmu/mmu.c"
TDP = "arch/x86/kvm/mmu/tdp_mmu.c"


@pytest.fixture
def tree(mini: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "mini-hva"
    shutil.copytree(mini, folder)
    shutil.copytree(HERE / "mini_hva", folder, dirs_exist_ok=True)
    return folder


def edited(tree: Path, path: str, old: str, new: str) -> TreeState:
    source = (tree / path).read_text()
    assert old in source, old
    (tree / path).write_text(source.replace(old, new, 1))
    return TreeState(describe(tree))


def test_every_file_of_it_parses(tree: Path) -> None:
    for file in sorted((HERE / "mini_hva").rglob("*.c")):
        path = str(file.relative_to(HERE / "mini_hva"))
        assert parse(tree, path, parse_config(tree, path, "x86")).diagnostics == ()


def test_the_series_is_what_it_was_and_is_complete(
    tree: Path, tmp_path: Path, patchgen: Callable[..., subprocess.CompletedProcess[str]],
    golden: Callable[[str | Path, str | bytes], None],
) -> None:  # fmt: skip
    """Plan, verification and proof in one run; then git am, and nothing is left to do."""
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out)
    assert done.returncode == 0, done.stderr
    assert "proof   4 safety properties hold in every interleaving explored" in done.stdout
    mails = sorted(out.glob("000[1-9]-*.patch"))
    shown = [re.sub(r"^index .*\n", "", m.read_text(), flags=re.M) for m in mails]
    bodies = [text[text.index("\nSubject: ") + 1 : text.rindex("\n-- \n")] for text in shown]
    golden("golden/hva-series.txt", "\n".join(bodies) + "\n")
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([*git, "am", "-q", *map(str, mails)], check=True)
    again = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout
    assert not (tmp_path / "again").exists()


def test_mends_of_setters_are_for_this_idiom_alone(tree: Path, mini: Path) -> None:
    state = TreeState(describe(tree))
    (step,) = load("kvm-unmap-before-set").steps
    assert isinstance(step(state, Options()), AlreadyThere)
    for name in ("kvm-unmap-before-set", "kvm-rmap-page-stats"):
        refusal = load(name).applies(TreeState(describe(mini)))
        assert refusal is not None and refusal.kind == "absent"
    refusal = load("kvm-flush-deferred-tlb").applies(state)
    assert refusal is not None and "hva-range" in refusal.reason


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        # x86's own setter is not mended by an unmapping, whose answer would be lost
        (X86, "\tif (!sptep)\n\t\treturn false;\n\n\tif (pte_write",
         "\tif (!sptep || level > 1)\n\t\treturn false;\n\n\tif (pte_write", "leaves a mapping as"),
        (X86, "\tmmu_spte_set(sptep, new_spte);\n\treturn true;",
         "\tmmu_spte_set(sptep, new_spte | PT_WRITABLE_MASK);\n\treturn true;", "guest write"),
        (X86, "\tbool flush = kvm_handle_gfn_range(kvm, range, kvm_zap_rmap);\n\n",
         "\tbool flush = kvm_handle_gfn_range(kvm, range, kvm_zap_rmap);\n\n"
         "\tkvm_make_all_cpus_request(kvm, KVM_REQ_APIC_PAGE_RELOAD);\n", "does kvm_make_all"),
        (MAIN, "\tif (!READ_ONCE(kvm->mmu_invalidate_in_progress))\n\t\treturn;",
         "\tif (address & 1)\n\t\treturn;", "updates nothing"),
        (MAIN, "\tif (range->flush_on_ret && ret)\n", "\tif (range->may_block && ret)\n",
         "does not flush"),
        (MAIN, ".handler\t= kvm_unmap_gfn_range,",
         ".handler\t= range->event ? kvm_unmap_gfn_range : kvm_age_gfn,", "that is not flagged"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(
    tree: Path, path: str, old: str, new: str, said: str
) -> None:
    plan = make_plan(edited(tree, path, old, new), ["kvm-change-pte"], confirmed=False)
    assert not plan.patches and len(plan.refusals) == 1
    refusal = plan.refusals[0]
    assert isinstance(refusal, Refusal) and refusal.kind == "unsafe"
    assert any(said in str(evidence) for evidence in refusal.evidence), refusal


EACH = (
    "#define kvm_for_each_memslot(memslot, slots) \\\n"
    "\tfor (memslot = &slots->memslots[0]; \\\n"
    "\t     memslot < slots->memslots + slots->used_slots; memslot++)\n\n"
    "static int __kvm_handle_hva_range("
)
LOOP = (
    "\t\tkvm_for_each_memslot_in_hva_range(node, slots,\n"
    "\t\t\t\t\t\t  range->start, range->end - 1) {\n"
)
OVERLAP = "\t\t\tif (hva_start >= hva_end)\n\t\t\t\tcontinue;\n"


@pytest.mark.parametrize(
    ("overlap", "said"),
    [
        (OVERLAP, ""),
        ("", "has no walk of memslots"),
        (OVERLAP.replace("hva_start >=", "range->start >="), "has no walk of memslots"),
        (OVERLAP.replace("hva_end)", "hva_end || slot->flags)"), "leaves the mappings"),
        (OVERLAP.replace("continue", "break"), "has no walk of memslots"),
    ],
)
def test_a_walk_over_all_memslots_leaves_out_those_beside_the_range(
    tree: Path, overlap: str, said: str
) -> None:
    edited(tree, MAIN, "static int __kvm_handle_hva_range(", EACH)
    edited(tree, MAIN, "\t\tstruct interval_tree_node *node;\n\n", "")
    edited(tree, MAIN, LOOP, "\t\tkvm_for_each_memslot(slot, slots) {\n")
    slot = "\t\t\tslot = container_of(node, struct kvm_memory_slot,\n\t\t\t\t\t    hva_node[0]);\n"
    edited(tree, MAIN, slot, "")
    part = "\t\t\t/* every page that the addresses touch */\n"
    state = edited(tree, MAIN, part, overlap + part)
    refusal = hva_range.refuse(state, kvm_of(state))
    found = [str(one) for one in refusal.evidence] if refusal else []
    assert any(said in one for one in found) if said else not found, found


WALK = "\treturn kvm_tdp_mmu_handle_gfn(kvm, range, set_spte_gfn);\n"
FLUSHES = """	bool flush = kvm_tdp_mmu_handle_gfn(kvm, range, set_spte_gfn);

	if (flush)
		kvm_flush_remote_tlbs(kvm);
	return false;
"""


@pytest.mark.parametrize(
    ("new", "answer"),
    [
        (WALK, "stale"),
        (FLUSHES, "stale"),
        (FLUSHES.replace("(flush)", "(!flush)"), "undecided"),
        (FLUSHES.replace("\tif (flush)\n\t\tkvm_flush_remote_tlbs(kvm);\n", ""), "undecided"),
        (WALK.replace("return ", "return !"), "undecided"),
        ("\tif (range->may_block)\n\t\treturn false;\n" + WALK, "undecided"),
    ],
)
def test_who_walks_asks_for_the_flush_or_does_it(tree: Path, new: str, answer: str) -> None:
    assert setter_of(edited(tree, TDP, WALK, new)).answer == answer


def test_one_mend_left_out_is_seen_by_plan_and_verify(tree: Path) -> None:
    state = TreeState(describe(tree))
    whole = make_plan(state, ["kvm-change-pte"], confirmed=False)
    files = {path: data for patch in whole.patches for path, data in patch.files.items()}
    assert exposed(state, state.after(files)) == ()
    for recipe, path in (("kvm-tdp-old-spte", TDP), ("kvm-rmap-page-stats", X86)):
        skipped = make_plan(state, ["kvm-change-pte"], choice=Choice(skip=(recipe,)))
        assert [one.recipe for one in skipped.refusals] == ["kvm-change-pte"]
        rest = {one: data for one, data in files.items() if one != path}
        found = exposed(state, state.after(rest))
        assert [one.place.path for one in found] == [path]
