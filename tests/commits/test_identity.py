# SPDX-License-Identifier: GPL-2.0-only
"""Who git would take: held against git itself, and against a repository that is a trap."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from patchgen.commits.identity import signer, user_identity
from patchgen.model.outcome import UserError

VARIABLES = [f"GIT_{role}_{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    for name in (*VARIABLES, "EMAIL", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture
def repo(tmp_path: Path, home: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    return tmp_path / "repo"


def git_takes(repo: Path, role: str) -> str:
    """``Name <address>`` as git itself says, "" where it refuses."""
    only = "false" if os.environ.get("EMAIL") else "true"  # never name@this.machine
    command = ["git", "-c", f"user.useConfigOnly={only}", "var", f"GIT_{role.upper()}_IDENT"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)
    return done.stdout.rpartition(" ")[0].rpartition(" ")[0] if done.returncode == 0 else ""


GLOBAL = "[user]\n\tname = Glo Bal\n\temail = glo@example.org\n"
LOCAL = "[user]\n\tname = Lo Cal\n\temail = lo@example.org\n"


@pytest.mark.parametrize(
    ("of_user", "of_repo", "env"),
    [
        (GLOBAL, "", {}),
        (GLOBAL, LOCAL, {}),
        ("", LOCAL, {}),
        (GLOBAL, "[user]\n\temail = work@example.org\n", {}),
        (GLOBAL, LOCAL, {"GIT_COMMITTER_NAME": "En V", "GIT_COMMITTER_EMAIL": "env@example.org"}),
        (GLOBAL, LOCAL, {"GIT_AUTHOR_NAME": "En V"}),
        (GLOBAL + "[committer]\n\tname = Com Mitter\n", LOCAL, {}),
        (GLOBAL, "[author]\n\temail = author@example.org\n", {}),
        ("[user]\n\tname = Only Name\n", "", {"EMAIL": "mail@example.org"}),
        ("[user]\n\tname = Only Name\n", "", {}),
        ('[includeIf "gitdir:**/repo/"]\n\tpath = more\n' + GLOBAL.replace("Bal", "Ba"), "", {}),
        ("[include]\n\tpath = more\n", "", {}),
        ("", "", {}),
    ],
)
@pytest.mark.parametrize("role", ["author", "committer"])
def test_it_is_who_git_takes(home, repo, monkeypatch, role, of_user, of_repo, env):
    (home / ".gitconfig").write_text(of_user)
    (home / "more").write_text("[user]\n\tname = In Cluded\n\temail = inc@example.org\n")
    with (repo / ".git/config").open("a") as file:
        file.write(of_repo)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = user_identity(repo, role)
    assert (str(found) if found else "") == git_takes(repo, role)


def test_in_a_linked_work_tree(home, repo):
    git = ["git", "-C", str(repo), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", "../linked"], check=True)
    linked = repo.parent / "linked"
    (repo / ".git/config").write_text(LOCAL + (repo / ".git/config").read_text())
    assert str(user_identity(linked)) == git_takes(linked, "author") == "Lo Cal <lo@example.org>"
    subprocess.run([*git, "config", "extensions.worktreeConfig", "true"], check=True)
    command = ["git", "-C", str(linked), "config", "--worktree", "user.name", "Li Nked"]
    subprocess.run(command, check=True)
    assert str(user_identity(linked)) == git_takes(linked, "author") == "Li Nked <lo@example.org>"


def test_nothing_that_a_repository_includes_is_read(home, repo, tmp_path):
    (tmp_path / "trap").write_text("[user]\n\tname = Tr Ap\n\temail = trap@example.org\n")
    with (repo / ".git/config").open("a") as file:
        file.write(
            f"[include]\n\tpath = {tmp_path}/trap\n[core]\n\tfsmonitor = touch {tmp_path}/ran\n"
        )
    assert user_identity(repo) is None
    assert not (tmp_path / "ran").exists()


def test_another_users_repository_says_nothing_about_this_one(home, repo, monkeypatch):
    (home / ".gitconfig").write_text(GLOBAL)
    (repo / ".git/config").write_text(LOCAL)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert str(user_identity(repo)) == "Glo Bal <glo@example.org>"


@pytest.mark.parametrize("kind", ["fifo", "zero", "broken", "folder", "huge", "version"])
def test_a_configuration_that_is_none_costs_nothing(home, repo, kind):
    (home / ".gitconfig").write_text(GLOBAL)
    config = repo / ".git/config"
    config.unlink()
    if kind == "fifo":
        os.mkfifo(config)
    elif kind == "zero":
        config.symlink_to("/dev/zero")
    elif kind == "broken":
        config.write_text("[user\nname\n")
    elif kind == "folder":
        config.mkdir()
    elif kind == "huge":
        config.write_text("#" * (2 << 20))
    else:
        config.write_text("[core]\n\trepositoryformatversion = 99\n")
    assert str(user_identity(repo)) == "Glo Bal <glo@example.org>"


def test_a_broken_configuration_of_the_users_own_is_said(home, repo):
    (home / ".gitconfig").write_text("[user\n")
    with pytest.raises(UserError, match="bad config"):
        user_identity(repo)


def test_who_signs_is_the_committer(home, repo, monkeypatch):
    (home / ".gitconfig").write_text(GLOBAL)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Some Body")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "some@example.org")
    assert str(signer(repo)) == "Glo Bal <glo@example.org>"
    (home / ".gitconfig").unlink()
    assert str(signer(repo)) == "Some Body <some@example.org>"  # nobody else is known
