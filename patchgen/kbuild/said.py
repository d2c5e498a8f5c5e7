# SPDX-License-Identifier: GPL-2.0-only
"""What make and the compiler said, told apart by object.

The compiler's messages stand before the line in which make gives up their object.
"""

from __future__ import annotations

import os
import re

from patchgen.model.base import Value

_ERROR = re.compile(r"^([^\s:][^:\n]*):(\d+):(?:\d+:)? (?:fatal )?(?:error|Error): (.*)$")
_GIVEN_UP = re.compile(r"^make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?([^\]\s]+)\] (?:Error|Segm)")
_NO_RULE = re.compile(r"^make(?:\[\d+\])?: \*\*\* No rule to make target '([^']+)'(,)?")
#: Folders and phony targets, which fail because something in them did.
_AGGREGATE = re.compile(r"\.|.*/|[^.]*")


class Said(Value, frozen=True):
    """``errors``: target to its first error; ``unknown``: targets without a rule.

    ``first`` is the first complaint of all, whatever it belongs to, or "".
    """

    errors: dict[str, str]
    unknown: frozenset[str]
    first: str

    def error_of(self, target: str) -> str:
        """The error of an object by kbuild's name of it, or ""."""
        return self.errors.get(target) or self.errors.get(os.path.normpath(target), "")


def understand(text: str, source: str, out: str) -> Said:
    """Read make's output; paths below the folder ``source`` are told relative to it.

    ``out`` is the folder that other relative paths belong to.
    """
    errors: dict[str, str] = {}
    unknown: set[str] = set()
    pending = first = ""
    for line in text.splitlines():
        error, given_up = _ERROR.match(line), _GIVEN_UP.match(line)
        no_rule = _NO_RULE.match(line)
        if error:
            where = relative(error[1], source, out)
            pending = pending or f"{where}:{error[2]}: {error[3].strip()}"
        elif given_up:
            target = given_up[1]
            if pending or not _AGGREGATE.fullmatch(target):
                errors.setdefault(relative(target, source, out), pending or line.strip())
            pending = ""
        elif no_rule and not no_rule[2]:
            unknown.add(no_rule[1])
            continue
        elif "*** " in line and not line.startswith("make"):
            pending = pending or line.strip()
        complaint = pending or (line.strip() if "*** " in line else "")
        first = first or complaint[:300]
    return Said(errors, frozenset(unknown), first)


def relative(path: str, source: str, out: str) -> str:
    """``path`` as make or gcc named it, relative to the tree where it is in the view.

    A name with ``..`` that is kbuild's own for an object stays as it is.
    """
    full = path if path.startswith("/") else os.path.normpath(f"{out}/{path}")
    for folder in (source, out):
        inside = os.path.normpath(full)
        if inside.startswith(folder + "/") and (path.startswith("/") or folder == source):
            return inside[len(folder) + 1 :]
    return path
