# SPDX-License-Identifier: GPL-2.0-only
"""Each sentence of a cover letter is computed from what the run did, or left out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from patchgen.model.plan import Patch
from patchgen.verify.readback import readback_fault


def git(tree: Path, *words: str) -> str:
    command = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(tree: Path) -> Path:
    for words in (("init", "-q"), ("add", "-Af"), ("commit", "-q", "-m", "base")):
        git(tree, *words)
    return tree


@pytest.fixture
def letter(patchgen, tmp_path):
    """The cover letter of a run on a tree, its line breaks as blanks; and what was said."""

    def run(tree: Path, *words: str, recipe: str = "kvm-change-pte") -> tuple[str, str]:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        command = ("generate", recipe, "--tree", tree, "-o", out, "--no-proof", "-q", *words)
        done = patchgen(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        text = next(out.rglob("0000-*")).read_text()
        return " ".join(text.split()), done.stderr

    return run


CHECKPATCH = """#!/usr/bin/env perl
my $mail = join "", <STDIN>;
my ($ignored) = "@ARGV" =~ /--ignore (\\S+)/;
if ($mail !~ /^Signed-off-by:/m && $ignored !~ /MISSING_SIGN_OFF/) {
    print "-:1: ERROR:MISSING_SIGN_OFF: Missing\\n"; exit 1;
}
"""


def test_what_checkpatch_was_not_asked_stands_beside_its_praise(letter, repo, tree):
    (tree / "scripts").mkdir()
    (tree / "scripts/checkpatch.pl").write_text(CHECKPATCH)
    text, _ = letter(tree)
    assert "has no complaint about any patch (MISSING_SIGN_OFF, " in text
    assert "clean" not in text
    text, _ = letter(tree, "--no-checkpatch")
    assert "complaint" not in text
    assert "- scripts/checkpatch.pl was not run" in text


def test_the_base_of_a_checkout_with_changes(letter, repo):
    head = git(repo, "rev-parse", "HEAD")
    text, said = letter(repo)
    assert f"base-commit: {head}" in text
    assert "committed" not in said
    with (repo / "mm/ksm.c").open("a") as file:
        file.write("/* mine */\n")
    text, said = letter(repo)
    assert f"base: Linux 5.10.0, commit {head[:12]} with local changes to mm/ksm.c" in text
    assert "plain folder" not in text and "base-commit" not in text
    assert "mm/ksm.c: is not as committed" in said
    git(repo, "checkout", "-q", "mm/ksm.c")
    with (repo / "mm/migrate.c").open("a") as file:
        file.write("/* mine, beside the series */\n")
    text, said = letter(repo)
    assert f"base-commit: {head}" in text
    assert "mm/migrate.c was checked with changes that no commit has" in text
    assert "mm/migrate.c: is not as committed" in said


def test_the_base_that_is_asked_for_has_the_files(letter, patchgen, repo, tmp_path):
    first = git(repo, "rev-parse", "HEAD")
    (repo / "README").write_text("another\n")
    git(repo, "commit", "-qam", "beside the series")
    text, _ = letter(repo, "--base", "HEAD~1")
    assert f"base-commit: {first}" in text
    with (repo / "mm/ksm.c").open("a") as file:
        file.write("/* theirs */\n")
    git(repo, "commit", "-qam", "a file of the series")
    ask = ("generate", "kvm-change-pte", "--tree", repo, "-o", tmp_path / "no", "--no-proof")
    done = patchgen(*ask, "--base", first)
    assert done.returncode == 2
    assert f"mm/ksm.c: is not as in the commit {first[:12]}" in done.stderr
    for bad in ("nowhere", "-x", "HEAD:mm"):
        done = patchgen(*ask, f"--base={bad}")
        assert (done.returncode, done.stdout.count("base")) == (2, 0)
        assert "no commit" in done.stderr


def test_a_plain_folder(letter, tree):
    text, _ = letter(tree)
    assert "base: Linux 5.10.0, plain folder, no commit change-id" in text
    git(tree, "init", "-q")
    text, _ = letter(tree)
    assert "plain folder, no commit (" in text


def test_a_series_without_the_flags_does_not_say_that_it_adds_them(
    letter, patchgen, tree, tmp_path
):
    text, _ = letter(tree)
    assert "This series flags these ranges" in text
    assert "a second run of these recipes on the result plans nothing" in text
    out = tmp_path / "flags"
    command = ("generate", "use-change-pte-flag", "--tree", tree, "-o", out, "--no-proof", "-q")
    assert patchgen(*command).returncode == 0
    git(tree, "init", "-q")
    git(tree, "apply", str(next(out.glob("0001-*"))))
    text, _ = letter(tree)
    assert "and the tree flags them. This series lets KVM leave" in text
    assert "flags these ranges" not in text and "gets the flag" not in text
    assert "use-change-pte-flag" not in text


def test_mends_are_called_mends(patchgen, tree, tmp_path):
    (tree / "drivers/misc/odd.c").write_text(
        "#include <linux/mmu_notifier.h>\n"
        "void odd(struct mm_struct *mm, unsigned long a);\n"
        "void odd(struct mm_struct *mm, unsigned long a)\n{\n"
        "\tstruct mmu_notifier_range range;\n\n"
        "\tmmu_notifier_range_init(&range, 0, MMU_NOTIFY_CLEAR, NULL, mm, a, a + PAGE_SIZE);\n"
        "\tmmu_notifier_invalidate_range_start(&range);\n"
        "\tmmu_notifier_invalidate_range_end(&range);\n}\n"
    )
    out = tmp_path / "fixes"
    ask = ("lint", "drivers/misc/odd.c", "--tree", tree, "--fix", out)
    done = patchgen(*ask, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"left": []' in done.stdout and done.stdout.startswith("{")
    text = " ".join(next(out.glob("0000-*")).read_text().split())
    assert "by patchgen lint --fix from the tree named below" in text
    assert "recipes" not in text and "second run" not in text
    assert "did not find before; 1 is gone" in text
    again = patchgen(*ask)
    assert again.returncode == 2
    assert "--force replaces it" in again.stderr
    assert patchgen(*ask, "--force").returncode == 0


def test_the_parts_of_a_split_series_say_what_the_figures_are_of(patchgen, tree, tmp_path):
    out = tmp_path / "parts"
    ask = ("generate", "kvm-change-pte", "--tree", tree, "-o", out, "--no-proof", "--split")
    assert patchgen(*ask).returncode == 0
    letters = [" ".join(file.read_text().split()) for file in sorted(out.rglob("0000-*"))]
    assert len(letters) > 1
    count = len(list(out.rglob("*.patch"))) - len(letters)
    assert all(f"What follows is said of all {count} patches." in letter for letter in letters)


def test_mails_that_are_not_what_was_checked_do_not_ship(patchgen, tree, tmp_path):
    out = tmp_path / "one"
    ask = ("generate", "use-change-pte-flag", "--tree", tree, "-o", out, "--no-proof", "-q")
    assert patchgen(*ask).returncode == 0
    mail = next(out.glob("0001-*")).read_bytes()

    def read(path: str) -> bytes | None:
        return (tree / path).read_bytes()

    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    git(copy, "init", "-q")
    git(copy, "apply", str(next(out.glob("0001-*"))))
    paths = ("include/linux/mmu_notifier.h", "mm/ksm.c", "mm/memory.c")
    subject = "mm/mmu_notifier: flag ranges that change_pte() covers"

    def patch(change: bytes = b"") -> Patch:
        files = {path: (copy / path).read_bytes() + change for path in paths}
        return Patch("use-change-pte-flag", subject, subject, files, "")

    assert readback_fault([mail], [patch()], read) == ""
    assert "is not the patch" in readback_fault([mail], [patch(b"\n")], read)
    assert "does not apply" in readback_fault([mail], [patch()], lambda path: b"nothing of it\n")
