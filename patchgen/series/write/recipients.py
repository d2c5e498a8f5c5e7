# SPDX-License-Identifier: GPL-2.0-only
"""Who a patch goes to, as the tree's own scripts/get_maintainer.pl says.

The script is code of the tree: it runs only when the user asks for it, without git
history, in an empty environment and with a time limit.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError

SCRIPT = "scripts/get_maintainer.pl"
_SECONDS = 60
_ROLE = re.compile(r"(.*?)\s+\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*$")
_OPTIONS = ("--nogit", "--nogit-fallback", "--nogit-blame", "--rolestats")


class Recipients(Value, frozen=True):
    """Maintainers in ``to``; reviewers and mailing lists in ``cc``."""

    to: tuple[str, ...]
    cc: tuple[str, ...]


def ask(root: Path, mail: bytes) -> Recipients:
    """The recipients of one mail; UserError when the script cannot answer."""
    script = root / SCRIPT
    if not script.is_file():
        raise UserError("the tree has no such script", SCRIPT, "give --to and --cc")
    with tempfile.TemporaryDirectory(prefix="patchgen-") as folder:
        file = Path(folder) / "mail.patch"
        file.write_bytes(mail)
        out = _run([str(script), *_OPTIONS, str(file)], root, folder)
    return parse(out)


def _run(arguments: Sequence[str], root: Path, home: str) -> str:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            ["perl", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError("perl is needed to run it", SCRIPT, "give --to and --cc") from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"gave no answer in {_SECONDS} seconds", SCRIPT) from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise UserError(f"failed: {lines[0]}", SCRIPT, "give --to and --cc")
    return done.stdout.decode(errors="replace")


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
