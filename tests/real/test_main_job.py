# SPDX-License-Identifier: GPL-2.0-only
"""The main job on real kernels: parse, plan, generate, apply, refuse."""

import re
import shutil
import subprocess

import pytest

from patchgen.pipeline.plan import make_plan
from patchgen.report.plan import plan_lines
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

CORE = (
    "virt/kvm/kvm_main.c",
    "mm/ksm.c",
    "mm/memory.c",
    "mm/migrate.c",
    "kernel/events/uprobes.c",
)
pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12"])
def test_the_core_files_parse_unconfigured_without_an_error(kernel_tree, name):
    state = TreeState(describe(kernel_tree(name)))
    for path, outcome in zip(CORE, state.facts_of(CORE), strict=True):
        errors = [d for d in outcome.value.diagnostics if d.severity != "warning"]
        assert not errors, f"{path}: {errors[0]}"
        unseen = [d for d in outcome.value.diagnostics if "not analysed" in d.text]
        assert not unseen, f"{path}: {unseen[0]}"


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
def test_the_plan_for_the_guard(kernel_tree, golden, name):
    state = TreeState(describe(kernel_tree(name)))
    plan = make_plan(state, ["kvm-change-pte"])
    # Line numbers move with every stable release: what is held is the text around them.
    lines = [re.sub(r"(\.[ch]):\d+", r"\1:N", line) for line in plan_lines(plan)]
    golden(f"golden/plan-{name}.txt", "\n".join(lines) + "\n")


def applied(tree, out, tmp_path):
    """What the series in ``out`` touches, and the numbers of its last commit after git am."""
    mails = sorted(out.glob("000[1-9]-*.patch"))
    touched = sorted(
        {line[6:] for mail in mails for line in mail.read_text().splitlines()
         if line.startswith("+++ b/")}
    )  # fmt: skip
    copy = tmp_path / "git"
    for path in touched:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / path, copy / path)
    git = ["git", "-C", str(copy), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([*git, "am", "-q", *map(str, mails)], check=True)
    stat = subprocess.run(
        [*git, "show", "--numstat", "--format=", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    return touched, stat.split()


def test_the_series_for_5_10_applies_with_git_am(kernel_tree, patchgen, tmp_path):
    tree = kernel_tree("5.10")
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out)
    assert done.returncode == 0, done.stderr
    assert re.search(r"4/4 +yes +1/1 +0 new +clean", done.stdout), done.stdout
    touched, stat = applied(tree, out, tmp_path)
    assert touched == [
        "arch/x86/kvm/mmu/tdp_mmu.c", "include/linux/mmu_notifier.h", "mm/ksm.c", "mm/memory.c",
        "virt/kvm/kvm_main.c",
    ]  # fmt: skip
    assert stat == ["16", "0", "virt/kvm/kvm_main.c"]
    again = patchgen("plan", "use-change-pte-flag", "--tree", tree)
    assert "3 of 5 sites" in again.stdout


def test_the_series_for_6_1_keeps_mappings_and_is_proved(kernel_tree, patchgen, tmp_path):
    """Where the callbacks go through a walker: its handler is chosen, the setters are mended."""
    tree = kernel_tree("6.1")
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out)
    assert done.returncode == 0, done.stderr
    assert re.search(r"5/5 +yes +1/1 +0 new +clean", done.stdout), done.stdout
    assert "proof   4 safety properties hold in every interleaving explored" in done.stdout
    touched, stat = applied(tree, out, tmp_path)
    assert touched == [
        "arch/arm64/kvm/mmu.c", "arch/riscv/kvm/mmu.c", "arch/x86/kvm/mmu/mmu.c",
        "arch/x86/kvm/mmu/tdp_mmu.c", "include/linux/mmu_notifier.h", "mm/ksm.c", "mm/memory.c",
        "virt/kvm/kvm_main.c",
    ]  # fmt: skip
    assert stat == ["15", "1", "virt/kvm/kvm_main.c"]


def test_a_tree_without_change_pte_is_refused(kernel_tree, patchgen, tmp_path):
    done = patchgen(
        "generate", "kvm-change-pte", "--tree", kernel_tree("6.12"), "-o", tmp_path / "out"
    )
    assert done.returncode == 3
    assert "no change_pte()" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["5.10", "6.1"])
def test_the_flags_alone_pass_the_trees_own_checkpatch(kernel_tree, patchgen, tmp_path, name):
    # 6.1 copies a page for two reasons: the line that names both transitions is long.
    out = tmp_path / "out"
    done = patchgen("generate", "use-change-pte-flag", "--tree", kernel_tree(name), "-o", out)
    assert done.returncode == 0, done.stderr
    assert re.search(r"1/1 +yes +\d+/\d+ +0 new +clean", done.stdout), done.stdout
