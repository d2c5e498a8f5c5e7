# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen verify`` on a good series, on broken ones, and as b4's check command."""

import json
import subprocess

import pytest

KVM_MAIN = "virt/kvm/kvm_main.c"


@pytest.fixture
def series(patchgen, tree, tmp_path):
    """mini's series, as generated."""
    out = tmp_path / "series"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, "--no-proof")
    assert done.returncode == 0, done.stderr
    return out


def spoil(series, number, old, new):
    mail = next(series.glob(f"000{number}-*"))
    text = mail.read_text()
    assert old in text
    mail.write_text(text.replace(old, new, 1))


def test_a_generated_series_verifies_with_its_proof(patchgen, tree, series):
    done = patchgen("verify", series, "--tree", tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  yes ") == 4
    assert "proof   4 safety properties hold in every interleaving explored" in done.stdout


def test_the_guard_without_the_deferred_flush_fails_the_proof(patchgen, tree, series):
    for number, total in ((1, "1/3"), (3, "2/3"), (4, "3/3")):
        mail = next(series.glob(f"000{number}-*"))
        mail.write_text(mail.read_text().replace(f"[PATCH {number}/4]", f"[PATCH {total}]"))
    next(series.glob("0002-*")).unlink()
    next(series.glob("0000-*")).unlink()
    done = patchgen("verify", series, "--tree", tree)
    assert done.returncode == 1
    assert "bad" in done.stdout


def test_the_guard_without_the_mend_of_the_tdp_mmu_fails_at_its_own_patch(patchgen, tree, series):
    for number, total in ((1, "1/3"), (2, "2/3"), (4, "3/3")):
        mail = next(series.glob(f"000{number}-*"))
        mail.write_text(mail.read_text().replace(f"[PATCH {number}/4]", f"[PATCH {total}]"))
    next(series.glob("0003-*")).unlink()
    next(series.glob("0000-*")).unlink()
    done = patchgen("verify", series, "--tree", tree, "--no-proof", "--json")
    assert done.returncode == 1, done.stderr
    *first, last = json.loads(done.stdout)["patches"]
    assert not any(patch["faults"] for patch in first)
    (fault,) = last["faults"]
    source = (tree / "arch/x86/kvm/mmu/tdp_mmu.c").read_text().splitlines()
    line = source.index("\t\t\ttdp_mmu_set_spte(&iter, new_spte);") + 1
    assert fault.startswith(f"arch/x86/kvm/mmu/tdp_mmu.c:{line} (set_tdp_spte() writes through")


def test_a_patch_that_drifted_is_named_and_what_follows_is_not_tried(patchgen, tree, series):
    file = tree / KVM_MAIN
    text = file.read_text().replace("if (kvm_set_spte_hva(", "if (1 && kvm_set_spte_hva(")
    file.write_text(text)
    done = patchgen("verify", series, "--tree", tree, "--no-proof")
    assert done.returncode == 1
    assert "not tried" in done.stdout
    assert KVM_MAIN in done.stdout


def test_a_patch_that_does_not_compile_fails_at_its_own_commit(patchgen, tree, series):
    spoil(series, 2, "kvm->tlbs_dirty)", "kvm->tlbs_dusty)")
    done = patchgen("verify", series, "--tree", tree, "--no-proof")
    assert done.returncode == 1
    assert "tlbs_dusty" in done.stdout


def test_a_patch_that_brings_a_finding_fails(patchgen, tree, series):
    spoil(series, 4, "+\tif (mmu_notifier_range_use_change_pte(range))\n+\t\treturn;\n",
          "+\tif (!mmu_notifier_range_use_change_pte(range))\n+\t\treturn;\n")  # fmt: skip
    done = patchgen("verify", series, "--tree", tree, "--no-proof", "--json")
    assert done.returncode == 1
    last = json.loads(done.stdout)["patches"][3]
    assert last["check"]["lint"]["introduced"], last


def test_b4_gets_a_line_a_fault_and_silence_for_a_good_mail(patchgen, tree, series):
    first = next(series.glob("0001-*")).read_bytes()
    command = ["verify", "--b4", "--tree", tree, "-"]
    good = patchgen(*command, input=first.decode())
    assert good.returncode == 0, good.stdout + good.stderr
    assert not [line for line in good.stdout.splitlines() if "ERROR" in line]
    wide = first.decode().replace("\n---\n", "\n" + "word " * 20 + "end\n---\n", 1)
    bad = patchgen(*command, input=wide)
    assert bad.returncode == 0, "a recommendation"
    (line,) = [line for line in bad.stdout.splitlines() if "more than 75" in line]
    assert line.startswith("-:WARNING: ")
    broken = first.decode().replace("(1 << 1)", "(1 <<< 1)")
    said = patchgen(*command, input=broken)
    assert said.returncode == 1
    assert all(line.startswith("-:") for line in said.stdout.splitlines())
    assert "ERROR" in said.stdout


def test_both_engines_agree(patchgen, tree, series):
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    for engine in ("index", "git-am"):
        done = patchgen("verify", series, "--tree", tree, "--no-proof", "--engine", engine)
        assert done.returncode == 0, done.stdout + done.stderr
