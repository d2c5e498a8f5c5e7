# SPDX-License-Identifier: GPL-2.0-only
"""Which paths of a patch are let through to git, on any file system.

git itself refuses most of these when it writes a work tree; a path is judged here
before git sees it, the same way for everything that comes from outside.
"""

from __future__ import annotations

import re
import unicodedata

from patchgen.model.outcome import UserError

# HFS+ ignores these code points in names, so ".g<U+200C>it" would be ".git" there.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
# NTFS: short names, trailing dots and spaces, alternate streams.
_DOT_GIT = re.compile(r"(\.git|git~\d+)[. ]*(:.*)?", re.IGNORECASE)
_SPECIAL = re.compile(r"\.git(modules|attributes|ignore)", re.IGNORECASE)


def check_path(path: str, where: str = "") -> str:
    """``path`` itself when it is safe to hand to git; UserError when it is not."""
    fault = path_fault(path)
    if fault:
        raise UserError(f"path {_shown(path)} is refused: {fault}", where)
    return path


def path_fault(path: str) -> str:
    """What is wrong with a path of a patch, or ""."""
    if not path:
        return "it is empty"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "it is absolute"
    if "\\" in path:
        return "it holds a backslash"
    if any(unicodedata.category(char) in ("Cc", "Cf") for char in path):
        return "it holds a control character"
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "it leaves the tree or is not in its plain form"
        if _DOT_GIT.fullmatch(_IGNORED.sub("", part)):
            return "it lies inside a git repository's own folder"
    return ""


def _shown(path: str) -> str:
    return ascii(path)
