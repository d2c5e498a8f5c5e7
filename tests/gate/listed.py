# SPDX-License-Identifier: GPL-2.0-only
"""The list of public patches: identifiers, the state each is put on, and its judged verdict.

A line of ``patches.tsv`` has five fields, separated by tabs:

``id``       a commit id (12 digits or more) or a mail's message id; ids of mails that have to
             be applied before it stand before it, divided by blanks
``state``    ``parent`` (the commit's parent), ``on 6.12`` (that kernel as it is), or
             ``before 6.12`` (the kernel has the patch: its diff is taken back first)
``kind``     what became of the patch, one of KINDS
``verdict``  ``pass``, or words, any of which a fault of the patch must hold, divided by |
``why``      the reading that led to the verdict, in a few words
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_name("patches.tsv")
MERGED, FIXED, CORRECTED, REVERTED, POSTED, UNRELATED = KINDS = (
    "merged", "merged, later fixed", "posted, then corrected", "reverted", "posted only",
    "unrelated",
)  # fmt: skip
PASS = "pass"
_COMMIT = re.compile(r"[0-9a-f]{12,40}\Z")
_STATE = re.compile(r"parent\Z|(?:on|before) (\d+\.\d+)\Z")


class Listed(NamedTuple):
    """One patch of the list."""

    id: str
    state: str
    kind: str
    verdict: str
    why: str

    @property
    def ids(self) -> list[str]:
        """Its id, behind those of the mails that come first."""
        return self.id.split()

    @property
    def is_commit(self) -> bool:
        """Whether it is looked for in a repository of Linux, and not among mails."""
        return _COMMIT.match(self.id) is not None

    @property
    def kernel(self) -> str:
        """The kernel that it is put on, or "" for a commit's parent."""
        return self.state.rpartition(" ")[2] if " " in self.state else ""

    @property
    def taken_back(self) -> bool:
        """Whether the kernel has the patch already."""
        return self.state.startswith("before ")


def read_list(path: Path = LIST) -> list[Listed]:
    """The patches of a list.

    Raises ValueError, naming the line, where one has not the form of this module's text,
    or is there twice.
    """
    found: dict[tuple[str, str], Listed] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        fault = ""
        if len(fields) != len(Listed._fields):
            fault = f"has {len(fields)} fields; it needs {', '.join(Listed._fields)}"
        elif fields[2] not in KINDS:
            fault = f"has the kind {fields[2]!r}; there are {', '.join(KINDS)}"
        elif not _STATE.match(fields[1]):
            fault = f"has the state {fields[1]!r}; write parent, on VERSION or before VERSION"
        elif not all(fields):
            fault = "has an empty field"
        elif bool(_COMMIT.match(fields[0])) != (fields[1] == "parent"):
            fault = "puts a commit on a kernel, or a mail on its parent"
        elif " " in fields[0] and not fields[1].startswith("on "):
            fault = "puts several mails on a kernel that has them"
        elif (fields[0], fields[1]) in found:
            fault = "is there twice"
        if fault:
            raise ValueError(f"{path.name}:{number}: {fault}")
        found[fields[0], fields[1]] = Listed(*fields)
    return list(found.values())
