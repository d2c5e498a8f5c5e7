# SPDX-License-Identifier: GPL-2.0-only
"""What checkpatch said of a mail, remembered while all that it can read is the same.

The program is the tree's and may read what its fence lets it.  For most mails the files
beside it are enough (``scripts/*``: itself and its word lists), and for names in mixed case
the tree's ``include/``.  There it gets these and no others, and its answer depends on them,
on the mail, and on which names the tree has.  For ``<asm/...>``, devicetree's strings and,
in a repository, commits it reads more of a tree; nothing is remembered then.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside
from patchgen.source.facts.store import program
from patchgen.source.tree.search import listed

#: What in a mail makes it look elsewhere (checkpatch.pl: INCLUDE_LINUX, UNDOCUMENTED_DT_STRING),
#: and what into the names of ``include/`` (CAMELCASE).
_ELSEWHERE = re.compile(rb"^\+.*(?:compatible|[<\"]asm/)", re.M)
_MIXED_CASE = re.compile(rb"^\+.*(?:[A-Z][a-z]|[a-z][A-Z])", re.M)
_FILES = re.compile(rb"^(?:\+\+\+|---) (?:[^/\s]+/)?([^\t\n]+)", re.M)
_FOLDER = "scripts"
#: Files beside the program, in 5.10 to 7.2 about 100, and their size in bytes.
_MOST, _SIZE = 400, 8 << 20


class Beside(NamedTuple):
    """The files that lie beside the program, and a digest of their names and contents."""

    paths: tuple[Path, ...]
    state: str


class World(NamedTuple):
    """All that an answer rests on: what may be read, and what it is remembered by."""

    reads: tuple[Path, ...]
    key: str


def beside(root: Path) -> Beside | None:
    """What the program of a tree reads where nothing else is needed; None: too much of it."""
    real = os.path.realpath(root)
    left = _SIZE
    try:
        top, names = look.names_inside(real, ""), look.names_inside(real, _FOLDER)
        parts: list[bytes | str] = [os.fsencode(name) for name in top or ()]
        files = [f"{_FOLDER}/{name}" for name in names or ()]
        files = [file for file in files if look.kind(f"{real}/{file}") == "file"]
        for file in files[:_MOST]:
            data = read_inside(real, file, left)
            if data is None:
                return None
            left -= len(data)
            parts += (os.fsencode(file), data)
    except (UserError, OSError):
        return None
    if len(files) > _MOST:
        return None
    return Beside(tuple(Path(real, file) for file in files), memo.digest(*parts))


def world_of(root: Path, mail: bytes, given: Beside, command: Sequence[str]) -> World | None:
    """What checkpatch's answer on a mail rests on; None: on more than can be told.

    ``command`` is perl's path and the program's options.
    """
    if _ELSEWHERE.search(mail):
        return None
    reads = given.paths
    parts: list[bytes | str] = [program("verify"), given.state, *command, mail]
    parts += [
        str(look.stamp(f"{root}/{os.fsdecode(path)}") is None) for path in _FILES.findall(mail)
    ]
    parts.append(str(look.stamp(command[0])))
    if _MIXED_CASE.search(mail):
        stamps = listed(root).items()
        parts += [f"{path} {stamp}" for path, stamp in stamps if path.startswith("include/")]
        reads = (*reads, Path(os.path.realpath(root), "include"))
    return World(reads, memo.digest(*parts))
