# SPDX-License-Identifier: GPL-2.0-only
"""What became of each file that a patch touches: looked at, or not, and why."""

from __future__ import annotations

import re
from functools import lru_cache

from patchgen.model.base import Value
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.searched import NEEDLES

ANALYSED = "analysed"
NOT_ANALYSED = "not analysed"
NOT_KERNEL = "not kernel code"
NO_C = "no C"
DELETED = "deleted"
STATES = (ANALYSED, NOT_ANALYSED, NOT_KERNEL, NO_C, DELETED)

_USER_SPACE = {
    "Documentation": "documentation",
    "LICENSES": "licences",
    "samples": "samples",
    "scripts": "scripts",
    "tools": "user-space tools and tests",
    "usr": "programs of the build",
}
_HOSTPROGS = re.compile(r"^\s*(?:hostprogs|always|userprogs)(?:-\S+)?\s*[:+]?=(.*)$", re.M)


class FileVerdict(Value, frozen=True):
    """One file of a patch.

    ``state`` is analysed (``detail``: in which configurations, of a header through which
    file), not analysed (why), not kernel code, no C, or deleted.  ``notifier``: it mentions
    the API, before or behind the patch.  ``partly``: it is the changed code alone that was
    not analysed.
    """

    path: str
    state: str
    detail: str = ""
    notifier: bool = False
    partly: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.state}" + (f": {self.detail}" if self.detail else "")


def mentions_api(data: bytes | None) -> bool:
    """Whether one of the API's names can be in a source."""
    return data is not None and any(needle.encode() in data for needle in NEEDLES)


def verdict_without_parse(before: TreeState, after: TreeState, path: str) -> FileVerdict | None:
    """The verdict on a file that no parse has to look at; None for kernel C that is there."""
    now = after.read(path)
    was = before.read(path)
    top = path.partition("/")[0]
    if top in _USER_SPACE and "/" in path:
        return FileVerdict(path, NOT_KERNEL, _USER_SPACE[top])
    if now is None:
        return FileVerdict(path, DELETED, notifier=mentions_api(was))
    if not path.endswith((".c", ".h")):
        return FileVerdict(path, NO_C)
    if path.endswith(".c") and _is_host_program(before, after, path):
        return FileVerdict(path, NOT_KERNEL, "a program that the build runs")
    return None


def _is_host_program(before: TreeState, after: TreeState, path: str) -> bool:
    """Whether the Makefile beside a file lists it as a program, in both states that have it."""
    folder, _, name = path.rpartition("/")
    word = name.removesuffix(".c")
    found = []
    for state in (before, after):
        if state.read(path) is None:
            continue
        makefile = (state.read(f"{folder}/Makefile") or b"").decode("utf-8", "replace")
        found.append(word in _programs(makefile))
    return bool(found) and all(found)


@lru_cache(maxsize=64)
def _programs(makefile: str) -> frozenset[str]:
    joined = makefile.replace("\\\n", " ")
    listed = (word for line in _HOSTPROGS.findall(joined) for word in line.split())
    objects = {f"{word.removesuffix('.o')}" for word in re.findall(r"\S+\.o\b", joined)}
    return frozenset(word.rpartition("/")[2] for word in listed) - objects
