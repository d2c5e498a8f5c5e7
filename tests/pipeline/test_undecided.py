# SPDX-License-Identifier: GPL-2.0-only
"""A proof that cannot decide ships nothing, and is never told as one that holds."""

import json
import os
import shutil
import subprocess

import pytest

from patchgen.cli.prove import command as prove_command
from patchgen.model.outcome import Exit
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.result import ProofResult
from patchgen.proof.show.compared import Compared

KVM_MAIN = "virt/kvm/kvm_main.c"
HEADER = "include/linux/kvm_host.h"
#: A call in change_pte() whose body is in no file that the proof reads.
CALL = "kvm_note_change(kvm);"
#: Lines that the guard puts before what range_start() does.
GUARD = 8


def unknown(tree):
    """The tree with a call in change_pte() that nothing explains; its line in kvm_main.c."""
    header = (tree / HEADER).read_text()
    at = header.rindex("#endif")
    (tree / HEADER).write_text(
        f"{header[:at]}void kvm_note_change(struct kvm *kvm);\n{header[at:]}"
    )
    main = (tree / KVM_MAIN).read_text()
    old = "\tif (kvm_set_spte_hva("
    main = main.replace(old, f"\t{CALL}\n{old}", 1)
    (tree / KVM_MAIN).write_text(main)
    return next(n for n, line in enumerate(main.splitlines(), 1) if CALL in line)


def moved(tree):
    """The tree with a bound of the range moved in range_start(); its line behind the series.

    The recipe judges what the callbacks do besides, and takes this; the proof does not.
    """
    main = (tree / KVM_MAIN).read_text()
    old = "kvm_unmap_hva_range(kvm, range->start,"
    assert main.count(old) == 1
    main = main.replace(old, "kvm_unmap_hva_range(kvm, range->start + PAGE_SIZE,")
    (tree / KVM_MAIN).write_text(main)
    line = next(n for n, line in enumerate(main.splitlines(), 1) if "start + PAGE_SIZE" in line)
    return line + GUARD


def commit(tree):
    git = ["git", "-C", str(tree), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "base"], check=True)


@pytest.fixture
def identified(tmp_path):
    """The environment of somebody whom git knows."""
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = A Committer\n\temail = c@example.org\n")
    return {**os.environ, "GIT_CONFIG_GLOBAL": str(config), "NO_COLOR": "1"}


def mail(folder, path, old, new):
    """A mail that replaces one line of ``path`` (the text of the file is ``old``'s)."""
    import difflib

    diff = "".join(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}")
    )
    made = folder / "0001-change.patch"
    made.write_text(
        "From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n"
        "From: A Developer <a@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
        "Subject: [PATCH] KVM: change one thing\n\nIt is better so.\n\n"
        "Signed-off-by: A Developer <a@example.org>\n---\n"
        f"diff --git a/{path} b/{path}\n{diff}-- \n2.39.5\n"
    )
    return made


def test_generate_refuses_with_the_place_and_writes_nothing(patchgen, tree, tmp_path):
    line = moved(tree)
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out)
    assert done.returncode == Exit.REFUSED
    assert f"{KVM_MAIN}:{line}: " in done.stderr
    assert "undecided: S1, S2, S3, S4 (undecided before the series, too)" in done.stderr
    assert "hold" not in done.stdout
    assert not out.exists()


def test_what_a_person_allows_is_said_in_the_mail(patchgen, tree, tmp_path):
    line = moved(tree)
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, "--allow-undecided")
    assert done.returncode == 0, done.stderr
    assert "proof   the proof is undecided" in done.stdout
    assert "safety propert" not in done.stdout
    letter = (out / "0000-cover-letter.patch").read_text()
    assert "was not proved" in letter and f"{KVM_MAIN}:{line}" in " ".join(letter.split())
    assert "holds:" not in letter


@pytest.mark.parametrize("command", ["verify", "am"])
def test_a_series_that_changes_an_undecided_protocol_does_not_pass(
    patchgen, tree, tmp_path, command, identified
):
    line = moved(tree)
    commit(tree)
    out = tmp_path / "out"
    patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, "--allow-undecided")
    more = ("--branch", "new") if command == "am" else ()
    done = patchgen(command, out, "--tree", tree, *more, env=identified)
    assert done.returncode == Exit.FINDINGS
    said = done.stdout + done.stderr
    assert "undecided: S1, S2, S3, S4" in said and f"{KVM_MAIN}:{line}: " in said
    branch = ["git", "-C", str(tree), "rev-parse", "-q", "--verify", "refs/heads/new"]
    assert subprocess.run(branch, capture_output=True, check=False).returncode != 0
    done = patchgen(command, out, "--tree", tree, *more, "--allow-undecided", env=identified)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "taken all the same" in done.stdout


def test_the_answer_is_in_the_json(patchgen, tree, tmp_path):
    line = moved(tree)
    out = tmp_path / "out"
    allowed = ("--allow-undecided", "--json")
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, *allowed)
    made = json.loads(done.stdout)["proof"]
    done = patchgen("verify", out, "--tree", tree, "--json")
    assert done.returncode == Exit.FINDINGS
    seen = json.loads(done.stdout)
    assert not seen["ok"] and not seen["proof"]["ok"] and made["ok"]
    for proof in (made, seen["proof"]):
        assert set(proof["properties"].values()) == {"undecided"}
        assert proof["unknown"][0]["place"] == f"{KVM_MAIN}:{line}"


@pytest.mark.parametrize("command", ["verify", "am"])
def test_a_series_beside_the_protocol_is_not_held_up(patchgen, tree, tmp_path, command, identified):
    line = unknown(tree)
    commit(tree)
    text = (tree / KVM_MAIN).read_text()
    # Lines move, and another function of the same file changes.
    new = text.replace("\tint need_tlb_flush, idx;\n", "\tint need_tlb_flush, idx;\n\n", 1)
    new = new.replace("id >= KVM_MAX_VCPUS", "id > KVM_MAX_VCPUS - 1", 1)
    assert new != text
    made = mail(tmp_path, KVM_MAIN, text, new)
    more = ("--branch", "new") if command == "am" else ("--no-checkpatch",)
    done = patchgen(command, made, "--tree", tree, *more, env=identified)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"proof   undecided before and after, at {KVM_MAIN}:{line}: " in done.stdout


def test_a_condition_of_the_preprocessor_around_the_bump_is_undecided(patchgen, tree, tmp_path):
    text = (tree / KVM_MAIN).read_text()
    bump = "\t/* A fault may have looked the old page up. */\n\tkvm->mmu_notifier_seq++;\n"
    assert bump in text
    new = text.replace(bump, f"#ifdef CONFIG_X86\n{bump}#endif\n", 1)
    line = next(n for n, text in enumerate(new.splitlines(), 1) if text == "#ifdef CONFIG_X86")
    done = patchgen("verify", mail(tmp_path, KVM_MAIN, text, new), "--tree", tree)
    assert done.returncode == Exit.FINDINGS
    assert f"{KVM_MAIN}:{line}: code under a preprocessor condition" in done.stdout


def test_a_series_that_the_protocol_is_not_in_is_said_to_be_so(patchgen, tree, tmp_path):
    path = "mm/mprotect.c"
    if not (tree / path).exists():
        path = "kernel/fork.c"
    text = (tree / path).read_text()
    made = mail(tmp_path, path, text, text + "\n/* The end. */\n")
    done = patchgen("verify", made, "--tree", tree, "--no-checkpatch")
    assert "proof   not touched" in done.stdout


def test_what_was_violated_before_is_said_to_be_so(patchgen, mini50, tmp_path):
    tree = shutil.copytree(mini50, tmp_path / "tree")
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out)
    assert done.returncode == 0, done.stderr
    assert (
        "proof   2 safety properties hold in every interleaving explored; "
        "inherited (violated before the series too): S3, S4"
    ) in done.stdout
    letter = " ".join((out / "0000-cover-letter.patch").read_text().split())
    assert letter.count("VIOLATED, inherited: before the series too: ") == 2
    assert letter.count("VIOLATED") == 2
    done = patchgen("verify", out, "--tree", tree)
    assert "inherited (violated before the series too): S3, S4" in done.stdout


def test_no_proof_is_said_on_the_console_and_in_the_letter(patchgen, tree, tmp_path):
    out = tmp_path / "out"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, "--no-proof")
    assert done.returncode == 0
    assert "proof   not made (--no-proof)" in done.stdout
    assert "was not proved" in (out / "0000-cover-letter.patch").read_text()


def test_nothing_explored_is_no_proof():
    nothing = ProofResult((), (), Bounds())
    assert nothing.undecided == ("S1", "S2", "S3", "S4")
    assert nothing.exit is Exit.FINDINGS
    both = Compared(nothing, nothing, touched=True)
    assert "undecided" in both.fault and "hold" not in both.line()
    assert "not proved" in both.cover() and "holds:" not in both.cover()


def test_prove_names_what_is_undecided(tree):
    from click.testing import CliRunner

    line = unknown(tree)
    done = CliRunner().invoke(prove_command, ["--tree", str(tree), "-q"], standalone_mode=False)
    assert done.return_value == Exit.FINDINGS
    place = f"{KVM_MAIN}:{line}: kvm_note_change() is not known"
    assert done.output == f"undecided: S1, S2, S3, S4: {place}\n"
