# SPDX-License-Identifier: GPL-2.0-only
"""``kernel-tree/<name>``: symbolic links to trees that lie elsewhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look


def point(link: Path, target: Path) -> None:
    """Make ``link`` a symbolic link to ``target``, replacing an older link at once.

    Raises UserError when something that is no link is in the way, or the folder
    cannot be written.
    """
    if look.is_there(link) and look.kind(link) != "link":
        if link.resolve() == target.resolve():
            return
        raise UserError("in the way, and no link", str(link), "remove it, or choose --as NAME")
    if look.kind(link) == "link" and look.link_target(link) == target:
        return
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=link.parent, prefix=".link-") as aside:
            fresh = Path(aside) / "link"
            fresh.symlink_to(target)
            fresh.replace(link)
    except OSError as error:
        raise UserError(f"cannot link the tree: {error.strerror}", str(link)) from None
