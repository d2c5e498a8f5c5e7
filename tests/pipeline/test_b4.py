# SPDX-License-Identifier: GPL-2.0-only
"""verify as the per-patch check of real b4, in a git repository, on several patches."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

B4 = Path(sys.executable).with_name("b4")
HOOK = f"{sys.executable} -m patchgen verify --b4 --tree . -"


class Repository:
    """The miniature kernel under git, with our series beside it and b4 set up."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tree = home / "tree"
        self.env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "PATCHGEN_CACHE": os.environ["PATCHGEN_CACHE"],
        }
        self.fresh("first")
        shutil.copytree(REPOSITORY / "kernel-tree/mini", self.tree)
        settings = {
            "user.name": "Kai Dev",
            "user.email": "kai@example.org",
            "b4.prep-perpatch-check-cmd": HOOK,
            "b4.am-perpatch-check-cmd": HOOK,
        }
        self.git("init", "-q", "-b", "master")
        for name, value in settings.items():
            self.git("config", name, value)
        self.git("add", "-Af")
        self.git("commit", "-q", "-m", "base")
        options = ("--no-proof", "--signoff", "-q", "-o", str(home / "v1"))
        self.run(sys.executable, "-m", "patchgen", "generate", "kvm-change-pte", *options)

    def fresh(self, name: str) -> None:
        """b4 and patchgen forget what they have seen."""
        for what, folder in (("XDG_CACHE_HOME", "cache"), ("XDG_DATA_HOME", "data")):
            self.env[what] = str(self.home / folder / name)

    def run(self, *command: str | Path, status: int = 0, stdin: bytes = b"") -> str:
        done = subprocess.run(
            [str(word) for word in command], cwd=self.tree, env=self.env, input=stdin,
            capture_output=True, check=False,
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == status, said
        return said

    def git(self, *words: str) -> str:
        return self.run("git", *words)

    def b4(self, *words: str | Path) -> str:
        said = self.run(B4, "--no-interactive", "--offline-mode", *words)
        return re.sub(r"\x1b\[[0-9;]*m", "", said)

    def mails(self) -> list[bytes]:
        """The series' mails, the cover letter first."""
        return [file.read_bytes() for file in sorted((self.home / "v1").iterdir())]

    def am_check(self, mails: list[bytes], name: str) -> str:
        self.fresh(name)
        box = self.home / f"{name}.mbox"
        box.write_bytes(b"".join(mails))
        return self.b4("am", "-m", box, "--check", "-o", self.home / f"{name}-out")

    def prep(self, name: str, mails: list[bytes]) -> None:
        """A b4 branch with the mails committed on it, checked out."""
        self.git("checkout", "-q", "master")
        self.b4("prep", "-n", name, "-f", "master")
        for number, mail in enumerate(mails):
            file = self.home / f"{name}-{number}.patch"
            file.write_bytes(mail)
            self.git("am", "-q", str(file))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("b4"))


GUARD = b"+\tif (mmu_notifier_range_use_change_pte(range))\n"


def inverted(mail: bytes) -> bytes:
    """One of its two guards the wrong way round: it compiles, and is a finding."""
    assert GUARD in mail
    return mail.replace(GUARD, GUARD.replace(b"(mmu", b"(!mmu"), 1)


def test_prep_check_passes_on_our_series_and_fails_on_the_patch_that_is_wrong(repository):
    mails = repository.mails()
    repository.prep("good", mails[1:])
    said = repository.b4("prep", "--check")
    count = len(mails) - 1
    assert f"Success: {count}, Warning: 0, Error: 0" in said, said
    repository.prep("bad", [*mails[1:-1], inverted(mails[-1])])
    said = repository.b4("prep", "--check")
    assert f"Success: {count - 1}, Warning: 0" in said, said
    assert "Error: 1" in said and "MN020" in said, said


def test_am_check_passes_on_our_series_and_fails_on_the_patch_that_is_wrong(repository):
    repository.git("checkout", "-q", "master")
    mails = repository.mails()
    said = repository.am_check(mails, "good")
    count = len(mails) - 1
    last = f"PATCH {count}/{count}]"
    assert said.count("passed all checks") == count, said
    said = repository.am_check([*mails[:-1], inverted(mails[-1])], "inverted")
    assert said.count("passed all checks") == count - 1, said
    assert "ERROR" in said.partition(last)[2], said
    # What patch 1 does not define is missing from the last one, and that says so.
    undefined = mails[1].replace(b"mmu_notifier_range_use_change_pte", b"mmu_notifier_range_other")
    said = repository.am_check([mails[0], undefined, *mails[2:]], "undefined")
    assert "ERROR" in said.partition(last)[2], said


def test_without_the_patches_before_it_a_mail_does_not_fail_for_their_lack(repository):
    repository.git("checkout", "-q", "master")
    mails = repository.mails()
    hook = HOOK.split()
    repository.fresh("alone")
    repository.env["PATCHGEN_CACHE"] = str(repository.home / "empty")
    count = len(mails) - 1
    said = repository.run(*hook, stdin=mails[-1])
    assert said.count("\n") == 1
    assert f"WARNING: patches 1 to {count - 1} of {count} did not come before this one" in said
    wide = mails[-1].replace(b"\n---\n", b"\n" + b"word " * 20 + b"end\n---\n", 1)
    said = repository.run(*hook, stdin=wide)
    assert "WARNING: line" in said
    untold = re.sub(rb"\n\n.*\n---\n", b"\n\n---\n", mails[-1], count=1, flags=re.S)
    said = repository.run(*hook, stdin=untold)
    assert "WARNING: the message has no body" in said
    # In order they are known; another thread's patches are not taken for them.
    assert all(repository.run(*hook, stdin=mail) == "" for mail in mails[1:])
    other = re.sub(rb"(In-Reply-To|References): <[^>]*>", rb"\1: <other@example.org>", mails[-1])
    assert "did not come before" in repository.run(*hook, stdin=other)


def test_a_patch_that_does_not_apply_fails_and_so_do_those_behind_it(repository):
    repository.git("checkout", "-q", "master")
    mails = repository.mails()
    lines = mails[2].split(b"\n")
    at = next(n for n, line in enumerate(lines) if line.startswith(b"@@"))
    lines[at + 1] = b" \tnothing_of_the_kind();"
    said = repository.am_check([*mails[:2], b"\n".join(lines), *mails[3:]], "misfit")
    assert said.count("passed all checks") == 1, said
    assert said.count("a patch before it does not apply") == len(mails) - 3, said
