# SPDX-License-Identifier: GPL-2.0-only
"""generate and am on the miniature kernel, as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.series.conftest import plain_git

RECIPE = "kvm-change-pte"


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    root = tmp_path / "mini"
    shutil.copytree(REPOSITORY / "kernel-tree/mini", root)
    return root


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "A U Thor")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "author@example.org")


def patchgen(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    command = [sys.executable, "-m", "patchgen", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_runs_and_a_new_version(mini: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        patchgen("generate", RECIPE, "--tree", mini, "-o", tmp_path / name, "--signoff")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    previous = ("--previous", tmp_path / "one")
    patchgen("generate", RECIPE, "--tree", mini, "-o", tmp_path / "v2", *previous, "--signoff")
    letter = (tmp_path / "v2/v2-0000-cover-letter.patch").read_text()
    assert "no patch changed\nLink to v1: " in letter and "Range-diff:\n1: " in letter


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_version_below_the_one_before_is_refused(
    mini: Path, tmp_path: Path, version: str
) -> None:
    asked = ("generate", RECIPE, "--tree", mini, "--no-proof", "--until", "use-change-pte-flag")
    patchgen(*asked, "-o", tmp_path / "v2", "-v", "2")
    previous = ("--previous", tmp_path / "v2", "-v", version)
    _, errors = patchgen(*asked, "-o", tmp_path / "v3", *previous, status=2)
    assert f"version {version} is not above the previous series' v2" in errors
    assert not (tmp_path / "v3").exists()


@pytest.mark.parametrize("author", ["Foo <foo@example.org>", "A U Thor <other@example.org>"])
def test_nobody_signs_for_somebody_else(mini: Path, tmp_path: Path, author: str) -> None:
    asked = ("generate", RECIPE, "--tree", mini, "-o", tmp_path / "out", "--author", author)
    _, errors = patchgen(*asked, "--signoff", status=2)
    assert f"A U Thor <author@example.org>, and the author, {author}, has not signed" in errors
    assert not (tmp_path / "out").exists()


def test_the_sign_off_is_the_committers(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_git(mini, "init", "-q")
    plain_git(mini, "config", "user.name", "Kai Dev")
    plain_git(mini, "config", "user.email", "kai@example.org")
    asked = ("generate", RECIPE, "--tree", mini, "--no-proof", "--signoff")
    _, errors = patchgen(*asked, "-o", tmp_path / "no", status=2)  # GIT_AUTHOR_* is another
    assert "signs as git's identity, Kai Dev <kai@example.org>" in errors
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    patchgen(*asked, "-o", tmp_path / "out")
    mails = [m for n, m in contents(tmp_path / "out").items() if not n.startswith("0000")]
    signed = b"Signed-off-by: Kai Dev <kai@example.org>\n"
    assert mails and all(
        mail.count(b"Signed-off-by: ") == mail.count(signed) == 1 for mail in mails
    )


def test_no_identity_is_said_and_nothing_is_signed(
    mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    args = ("generate", RECIPE, "--tree", mini, "-o", tmp_path / "out")
    _, errors = patchgen(*args, "--signoff", status=2)
    assert "--signoff needs an identity" in errors and not (tmp_path / "out").exists()
    _, errors = patchgen(*args)
    assert errors.count("\n") == 1 and "user.name" in errors
    mails = contents(tmp_path / "out").values()
    assert all(b"author@patchgen.invalid" in mail for mail in mails)
    assert not any(b"Signed-off-by" in mail for mail in mails)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--in-reply-to", "nonsense"), "not a Message-ID: 'nonsense'"),
        (("--in-reply-to", "<a b@c>"), "not a Message-ID"),
        (("--base", "v5.10"), "not the full hash of a commit: 'v5.10'"),
        (("--to", "somebody"), "not a mail address: 'somebody'"),
    ],
)
def test_options_that_would_make_unusable_mails(
    mini: Path, tmp_path: Path, option: tuple[str, str], reason: str
) -> None:
    args = ("generate", RECIPE, "--tree", mini, "-o", tmp_path / "out", "--no-proof")
    _, errors = patchgen(*args, *option, status=2)
    assert reason in errors and not (tmp_path / "out").exists()


def test_am_verifies_then_applies(mini: Path, tmp_path: Path) -> None:
    plain_git(mini, "init", "-q", "-b", "main")
    plain_git(mini, "add", ".")
    plain_git(mini, "commit", "-qm", "base")
    out = tmp_path / "out"
    patchgen("generate", RECIPE, "--tree", mini, "-o", out)
    head = plain_git(mini, "rev-parse", "HEAD")
    mail = next(out.glob("0004-*"))
    good = mail.read_bytes()
    # A misspelt name applies and does not parse.
    name = b"mmu_notifier_range_use_change_pte("
    assert name in good
    mail.write_bytes(good.replace(name, b"mmu_notifier_range_use_changed_pte("))
    _, errors = patchgen("am", out, "--tree", mini, "--branch", "topic", status=1)
    assert "patch 4/4" in errors and "mmu_notifier_range_use_changed_pte" in errors
    assert plain_git(mini, "branch", "--list", "topic") == ""
    mail.write_bytes(good)
    shown, _ = patchgen("am", out, "--tree", mini, "--json")
    answer = json.loads(shown)
    assert (answer["branch"], answer["before"]) == ("main", head)
    assert plain_git(mini, "rev-parse", "HEAD") == answer["after"]
    assert plain_git(mini, "status", "--porcelain") == ""
    # The same series again: it is there already.
    _, errors = patchgen("am", out, "--tree", mini, status=1)
    assert "the tree has the change already" in errors


def test_split_by_maintainer(mini: Path, tmp_path: Path) -> None:
    (mini / "MAINTAINERS").write_text(
        "KVM\nF:\tvirt/kvm/\nF:\tarch/x86/kvm/\n\nMM\nF:\tmm/\nF:\tinclude/linux/mm*\n"
    )
    out = tmp_path / "out"
    patchgen("generate", RECIPE, "--tree", mini, "-o", out, "--split")
    folders = sorted(path.name for path in out.iterdir())
    assert folders == ["1-mm", "2-kvm"]
    assert len(list((out / "2-kvm").iterdir())) == 4
    _, errors = patchgen("generate", RECIPE, "--tree", mini, "-o", out, "--split", status=2)
    assert "--force" in errors


def test_what_can_be_known_before_any_work_is_said_before_it(mini: Path, tmp_path: Path) -> None:
    """Nothing is planned for a folder that is taken, or for a sign-off that nobody can give."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").touch()
    ask = ("generate", RECIPE, "--tree", mini)
    for more, said in (
        (("-o", tmp_path / "taken"), "the folder is not empty"),
        (("-o", tmp_path / "o", "--signoff", "--author", "X <x@y.z>"), "has not signed"),
        (("-o", tmp_path / "o", "--split", "--maintainers"), "--split goes with neither"),
    ):
        out, errors = patchgen(*ask, *more, status=2)
        assert (out, errors.count("\n")) == ("", 1) and said in errors
