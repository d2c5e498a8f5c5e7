# SPDX-License-Identifier: GPL-2.0-only
"""Who a patch is from: git's identity of the user, never invented."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from patchgen.commits.git import Git
from patchgen.commits.source import repository
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_users

_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\]+@[^\s<>@\"(),:;\\]+")


#: A repository's configuration has some kilobytes.
_CONFIG_MAX = 1 << 20


class Identity(Value, frozen=True, order=True):
    """A name and a mail address; ``placeholder`` when none is configured."""

    name: str
    email: str
    placeholder: bool = False

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]


# ".invalid" can never be a real address (RFC 2606): a mail sent by mistake bounces.
PLACEHOLDER = Identity("Author Not Configured", "author@patchgen.invalid", placeholder=True)


def parse_identity(text: str, where: str = "") -> Identity:
    """``Name <user@host>`` as a value; UserError when it is something else."""
    match = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", text)
    if not match:
        raise UserError(f"not an identity: {text!r}", where, 'write "Name <user@host>"')
    return checked(match[1], match[2], where)


def checked(name: str, email: str, where: str = "") -> Identity:
    """An identity that is safe in a header and in a commit, or UserError."""
    # git drops these at both ends of a name (ident.c, crud()): the same here, so
    # that a commit made here and one made by git am have one hash.
    name = name.strip(" .,:;<>\"\\'")
    bad = any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in name + email)
    if bad or not name or "<" in name or ">" in name or not _ADDRESS.fullmatch(email):
        raise UserError(f"not an identity: {name!r} <{email!r}>", where, 'write "Name <user@host>"')
    return Identity(name, email)


def user_identity(root: Path | None = None, role: str = "author") -> Identity | None:
    """Who git would take as ``role`` ("author", "committer") in the repository at ``root``.

    As git looks: GIT_AUTHOR_NAME and _EMAIL (or GIT_COMMITTER_...), ``author.name``,
    ``user.name`` of the repository, the user and the machine, EMAIL.  None where name or
    address is missing.  A repository's configuration counts where git would trust it,
    that is where it belongs to this user; nothing that it includes is read.
    """
    name = os.environ.get(f"GIT_{role.upper()}_NAME")
    email = os.environ.get(f"GIT_{role.upper()}_EMAIL")
    if not (name and email):
        settings = _settings(root)
        name = name or _first(settings, f"{role}.name", "user.name")
        email = email or _first(settings, f"{role}.email", "user.email")
        email = email or os.environ.get("EMAIL")
    return checked(name, email, "git's identity") if name and email else None


def signer(root: Path | None = None) -> Identity | None:
    """Who signs off in the repository at ``root``: git's committer, else its author."""
    return user_identity(root, "committer") or user_identity(root, "author")


_Settings = list[dict[str, str]]


def _first(settings: _Settings, *keys: str) -> str:
    """The first key that is set, in the nearest configuration that sets it."""
    return next((one[key] for key in keys for one in settings if one.get(key)), "")


def _settings(root: Path | None) -> _Settings:
    """The configurations of the work tree, its repository, the user, the machine."""
    found: _Settings = []
    git_dir = repository(root) if root is not None else None
    if git_dir is not None:
        common = _common(git_dir)
        shared = _own(common / "config")
        if shared.get("extensions.worktreeconfig", "").lower() in ("true", "yes", "on", "1"):
            found.append(_own(git_dir / "config.worktree"))
        found.append(shared)
        if not shared:
            git_dir = None  # one that git would not read
    # With a repository named, the user's includeIf "gitdir:..." counts as for git.
    names = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM",
             "GIT_CONFIG_NOSYSTEM")  # fmt: skip
    env = {name: os.environ.get(name, "") for name in names}
    env["HOME"] = env["HOME"] or "/nonexistent"
    return [*found, _listed(git_dir, "--global", env), _listed(git_dir, "--system", env)]


def _listed(git_dir: Path | None, scope: str, env: dict[str, str]) -> dict[str, str]:
    """One of the user's own configurations with what it includes; {} where there is none."""
    words = ("config", scope, "--includes", "--list", "-z")
    status, out, said = Git(git_dir).result(*words, ok=(0, 1, 128), env=env)
    if status == 128 and git_dir is not None:  # a repository that git does not read
        return _listed(None, scope, env)
    if "bad config" in said:
        raise UserError(f"git's configuration cannot be read: {said.strip().splitlines()[0]}")
    return _pairs(out)


def _common(git_dir: Path) -> Path:
    """The repository that a linked work tree's ``git_dir`` shares its configuration with."""
    text = read_users(git_dir / "commondir", _CONFIG_MAX)
    return git_dir / os.fsdecode(text.strip()) if text else git_dir


def _own(file: Path) -> dict[str, str]:
    """The settings of one file of a repository: this user's, and alone; {} for another's."""
    listed = ("config", "--file", "-", "--no-includes", "--list", "-z")
    data = read_users(file, _CONFIG_MAX)
    return _pairs(Git(None).result(*listed, stdin=data, ok=(0, 1, 3, 128))[1]) if data else {}


def _pairs(listed: bytes) -> dict[str, str]:
    rows = (os.fsdecode(row).partition("\n") for row in listed.split(b"\0") if row)
    return {key: value.strip() for key, _, value in rows}
