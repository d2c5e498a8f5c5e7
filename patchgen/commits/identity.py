# SPDX-License-Identifier: GPL-2.0-only
"""Who a patch is from: the user's git identity, never the tree's, never invented."""

from __future__ import annotations

import os
import re
import unicodedata

from patchgen.commits.git import Git
from patchgen.model.base import Value
from patchgen.model.outcome import UserError

_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\]+@[^\s<>@\"(),:;\\]+")


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


def user_identity() -> Identity | None:
    """GIT_AUTHOR_NAME and _EMAIL, else user.name and user.email of the user's own
    configuration; None when either is missing.  A tree's configuration is not read."""
    name = os.environ.get("GIT_AUTHOR_NAME") or _configured("user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or _configured("user.email")
    return checked(name, email, "git's identity") if name and email else None


def _configured(key: str) -> str:
    names = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL")
    env = {name: os.environ.get(name, "") for name in names}
    env["HOME"] = env["HOME"] or "/nonexistent"
    out = Git(None).run("config", "--global", "--includes", "--get", key, ok=(0, 1), env=env)
    return out.decode(errors="replace").strip()
