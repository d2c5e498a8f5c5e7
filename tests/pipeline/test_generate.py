# SPDX-License-Identifier: GPL-2.0-only
"""The whole way on the miniature kernel: series, refusals, bad input, kills."""

import ctypes
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.fingerprint import fingerprint

KVM_MAIN = "virt/kvm/kvm_main.c"
GUARD = "mmu_notifier_range_use_change_pte(range)"


def generate(patchgen, tree, out, *more):
    return patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", out, *more)


def edit(tree, path, old, new, count=1):
    file = tree / path
    text = file.read_text()
    assert text.count(old) >= 1, f"{path} has no {old!r}"
    file.write_text(text.replace(old, new, count))


def test_the_series_applies_with_git_am_and_a_second_run_finds_nothing(patchgen, tree, tmp_path):
    before = fingerprint(tree)
    out = tmp_path / "out"
    done = generate(patchgen, tree, out)
    assert done.returncode == 0, done.stderr
    assert fingerprint(tree) == before
    names = sorted(path.name for path in out.iterdir())
    assert [name[:4] for name in names] == ["0000", "0001", "0002", "0003", "0004"]
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run([*git, "am", "-q", *(str(out / name) for name in names[1:])], check=True)
    source = (tree / KVM_MAIN).read_text()
    assert source.count(GUARD) == 2
    assert "kvm->tlbs_dirty)\n\t\tkvm_flush_remote_tlbs" in source
    again = generate(patchgen, tree, tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout
    assert not (tmp_path / "again").exists()


def test_two_runs_give_the_same_bytes(patchgen, tree, tmp_path):
    for name in ("one", "two"):
        assert generate(patchgen, tree, tmp_path / name).returncode == 0
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")


def test_guard_stands_after_the_declarations_with_the_right_return(patchgen, tree, tmp_path):
    edit(tree, KVM_MAIN, "const struct mmu_notifier_range *range)",
         "const struct mmu_notifier_range *nr)", 2)  # fmt: skip
    file = tree / KVM_MAIN
    file.write_text(file.read_text().replace("range->", "nr->"))
    done = generate(patchgen, tree, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    mail = next((tmp_path / "out").glob("0004-*")).read_text()
    assert mail.count("+\tif (mmu_notifier_range_use_change_pte(nr))\n") == 2
    assert "+\t\treturn 0;\n" in mail
    assert "+\t\treturn;\n" in mail


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # a page may be written through after the guest was told: new pages need a read-only old one
        ("if (!pte_write(entry))", "if (!pte_young(entry))", "mm/memory.c"),
        # the entry is set behind the secondary MMU's back
        ("set_pte_at_notify(mm, vmf->address, vmf->pte, entry)",
         "set_pte_at(mm, vmf->address, vmf->pte, entry)", ""),
    ],
)  # fmt: skip
def test_a_site_loses_the_flag_with_its_reason(patchgen, tree, tmp_path, old, new, said):
    edit(tree, "mm/memory.c", old, new)
    done = patchgen("plan", "kvm-change-pte", "--tree", tree)
    assert done.returncode == 0, done.stderr
    assert "2 of" in done.stdout
    assert said in done.stdout


def test_half_of_the_change_is_refused_with_both_lines(patchgen, tree, tmp_path):
    whole = tmp_path / "whole"
    assert generate(patchgen, tree, whole).returncode == 0
    for mail in sorted(whole.glob("000[1-4]-*")):
        subprocess.run(["git", "apply", str(mail)], cwd=tree, check=True)
    file = tree / KVM_MAIN
    text = file.read_text()
    at = text.rindex("\tif (mmu_notifier_range_use_change_pte(range))\n\t\treturn;\n")
    file.write_text(text[:at] + text[at:].replace(
        "\tif (mmu_notifier_range_use_change_pte(range))\n\t\treturn;\n", "", 1))  # fmt: skip
    done = generate(patchgen, tree, tmp_path / "out")
    assert done.returncode == 3
    assert "one of the two" in done.stderr
    lines = [line for line in done.stderr.splitlines() if f"{KVM_MAIN}:" in line]
    assert len(lines) == 2, done.stderr
    assert any("is guarded" in line for line in lines)
    assert any("is not guarded" in line for line in lines)
    assert not (tmp_path / "out").exists()


def one_line(done, status, *words):
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0]


def test_bad_input_is_one_clear_line(patchgen, tree, tmp_path):
    out = tmp_path / "out"
    one_line(generate(patchgen, tmp_path / "none", out), 2, "no such")
    (tmp_path / "plain").mkdir()
    one_line(generate(patchgen, tmp_path / "plain", out), 2, "not a kernel tree")
    one_line(patchgen("generate", "no-such", "--tree", tree, "-o", out), 2, "no recipe")
    assert not out.exists()


def test_a_tree_without_kvm_is_said(patchgen, tree, tmp_path):
    (tree / KVM_MAIN).unlink()
    one_line(generate(patchgen, tree, tmp_path / "out"), 2, KVM_MAIN)


def test_a_file_that_does_not_parse_is_named_with_line_and_error(patchgen, tree, tmp_path):
    edit(tree, KVM_MAIN, "srcu_read_unlock", "no_such_thing(")
    done = generate(patchgen, tree, tmp_path / "out")
    one_line(done, 2, f"{KVM_MAIN}:", "does not parse")


def test_crlf_sources_are_refused(patchgen, tree, tmp_path):
    file = tree / KVM_MAIN
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    one_line(generate(patchgen, tree, tmp_path / "out"), 2, "CRLF", KVM_MAIN)


def test_an_output_folder_in_use_is_refused(patchgen, tree, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    one_line(generate(patchgen, tree, out), 2, str(out))
    assert (out / "mine.txt").read_text() == "keep"


def without_override():
    """Takes from root, too, the right to write where the mode forbids it, from exec on."""
    drop, override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE (capabilities(7))
    ctypes.CDLL(None).prctl(drop, override, 0, 0, 0)


def test_an_unwritable_output_folder_is_refused(patchgen, tree, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    arguments = ("generate", "kvm-change-pte", "--tree", tree, "-o", tmp_path / "locked" / "out")
    one_line(patchgen(*arguments, preexec_fn=without_override), 2, "locked")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_killed_at_any_moment_nothing_half_is_left(tree, tmp_path, kind):
    before = fingerprint(tree)
    chance = random.Random(5)
    env = {**os.environ, "PATCHGEN_CACHE": str(tmp_path / "cache")}
    for number in range(8):
        out = tmp_path / f"out{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", "patchgen", "generate", "kvm-change-pte",
             "--tree", str(tree), "-o", str(out)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, cwd=tmp_path,
        )  # fmt: skip
        time.sleep(chance.uniform(0.05, 1.6))
        process.send_signal(kind)
        _, said = process.communicate(timeout=60)
        # What the interpreter says before our first line runs is not ours to change.
        assert b"Traceback" not in said or b"patchgen/cli" not in said
        if kind == signal.SIGINT and b"Traceback" not in said:
            assert process.returncode in (0, 130, -signal.SIGINT)
        assert fingerprint(tree) == before
        if out.exists():
            assert len(list(out.iterdir())) == 5
    whole = tmp_path / "whole"
    done = subprocess.run(
        [sys.executable, "-m", "patchgen", "generate", "kvm-change-pte",
         "--tree", str(tree), "-o", str(whole)],
        capture_output=True, env=env, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
