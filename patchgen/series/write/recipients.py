# SPDX-License-Identifier: GPL-2.0-only
"""Who a patch goes to, as the tree's own scripts/get_maintainer.pl says.

The script is code of the tree: it runs only when the user asks for it, behind a fence
(:func:`patchgen.sandbox.fence.closed`), without git history, in an empty environment and
with a time limit.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import child, look
from patchgen.sandbox.aside import Aside
from patchgen.sandbox.fence import Fencing, closed

SCRIPT = "scripts/get_maintainer.pl"
_SECONDS = 60
_ROLE = re.compile(r"(.*?)\s+\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$")
_HINT = "give --to and --cc"
_OPTIONS = ("--nogit", "--nogit-fallback", "--nogit-blame", "--rolestats")


class Recipients(Value, frozen=True):
    """Maintainers in ``to``; reviewers and mailing lists in ``cc``."""

    to: tuple[str, ...]
    cc: tuple[str, ...]


def ask(root: Path, mail: bytes) -> Recipients:
    """The recipients of one mail; UserError when the script cannot answer."""
    if shutil.which("perl") is None:
        raise UserError("perl is needed to run it", SCRIPT, _HINT)
    script = root / SCRIPT
    if look.kind(script) != "file":
        raise UserError("the tree has no such script", SCRIPT, _HINT)
    with Aside() as folder:
        file = folder / "mail.patch"
        file.write_bytes(mail)
        out = _run([str(script), *_OPTIONS, str(file)], root, folder)
    return parse(out)


def _run(arguments: Sequence[str], root: Path, home: Path) -> str:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
    }
    real = Path(os.path.realpath(root))
    with closed([real], home, _SECONDS) as fence:
        if fence is None and Fencing.required:
            raise UserError("no fence here to run the tree's program in", SCRIPT, _HINT)
        try:
            done = child.answer(
                ["perl", *arguments], seconds=_SECONDS, env=environment, cwd=real, first=fence
            )
        except TimeoutError as error:
            raise UserError(f"gave no answer in {_SECONDS} seconds", SCRIPT) from error
    if done.status != 0:
        lines = done.err.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise UserError(f"failed: {lines[0]}", SCRIPT, _HINT)
    return done.out.decode(errors="replace")


def parse(text: str) -> Recipients:
    """The script's lines, ``Name <a@b> (maintainer:KVM)``, sorted into To and Cc."""
    to: list[str] = []
    cc: list[str] = []
    for line in text.splitlines():
        match = _ROLE.match(line.strip())
        if not match:
            continue
        address, role = match[1], match[2]
        (to if role.startswith(("maintainer", "supporter")) else cc).append(address)
    return Recipients(tuple(dict.fromkeys(to)), tuple(dict.fromkeys(cc)))


def union(several: Iterable[Recipients]) -> Recipients:
    """Everybody, for the cover letter; who is in To is not in Cc."""
    to, cc = dict[str, None](), dict[str, None]()
    for one in several:
        to |= dict.fromkeys(one.to)
        cc |= dict.fromkeys(one.cc)
    return Recipients(tuple(to), tuple(name for name in cc if name not in to))
