# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel tree is: its root, its version, git or plain.

Nothing of the tree is run to find out: the version is read from the assignments
at the top of the Makefile (VERSION, PATCHLEVEL, SUBLEVEL, EXTRAVERSION), which
`make kernelversion` joins the same way.
"""

from __future__ import annotations

import re
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside

_ASSIGNMENT = re.compile(rb"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*:?=[ \t]*(\S*)", re.M)
_MAKEFILE_BYTES = 64 * 1024
_HINT = "give the top folder of a kernel checkout, or a name from `patchgen tree list`"


class Tree(Value, frozen=True):
    """A kernel tree on disk.

    ``root`` is absolute with symbolic links resolved, ``name`` what the user
    called it, ``version`` like "5.10.262" or "6.12.0-rc1".  ``is_git`` tells
    that the root is the top of a git work tree.
    """

    root: str
    name: str
    version: str
    is_git: bool

    @property
    def path(self) -> Path:
        """``root`` as a path."""
        return Path(self.root)


def describe(root: Path, name: str = "") -> Tree:
    """Describe the kernel tree at ``root``; ``name`` defaults to the folder's name.

    Raises UserError when there is no such folder, or it is no kernel's top
    folder.
    """
    real = _folder(root)
    values = _version_fields(real)
    if not _is_version(values):
        raise UserError(
            "not a kernel tree: no Makefile with VERSION and PATCHLEVEL", str(root), _HINT
        )
    numbers = [values["VERSION"], values["PATCHLEVEL"], values.get("SUBLEVEL", "")]
    version = ".".join(n for n in numbers if n) + values.get("EXTRAVERSION", "")
    return Tree(str(real), name or root.name or real.name, version, _is_git(real))


def is_top(folder: Path) -> bool:
    """Whether ``folder`` is a kernel's top folder."""
    try:
        return _is_version(_version_fields(folder))
    except UserError:  # a Makefile that cannot be read is none of a tree around
        return False


def _is_version(values: dict[str, str]) -> bool:
    return values.get("VERSION", "").isdigit() and values.get("PATCHLEVEL", "").isdigit()


def _folder(root: Path) -> Path:
    try:
        real = root.resolve(strict=True)
        if not look.is_folder(real):
            raise UserError("not a folder, so not a kernel tree", str(root), _HINT)
        return real
    except FileNotFoundError:
        raise UserError("no such kernel tree", str(root), _HINT) from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "cannot be looked up"
        raise UserError(f"cannot use the kernel tree: {reason}", str(root), _HINT) from None


def _version_fields(real: Path) -> dict[str, str]:
    makefile = real / "Makefile"
    try:
        head = (read_inside(str(real), "Makefile") or b"")[:_MAKEFILE_BYTES]
    except UserError as error:
        raise UserError(f"not a kernel tree: {error.what}", str(makefile), _HINT) from None
    fields: dict[str, str] = {}
    for match in _ASSIGNMENT.finditer(head):
        fields.setdefault(match[1].decode(), match[2].decode("ascii", "replace"))
    return fields


def _is_git(real: Path) -> bool:
    # A repository's folder, or the "gitdir: ..." file of a worktree or submodule.
    dot_git = real / ".git"
    return look.is_file(dot_git) or look.is_file(dot_git / "HEAD")
