# SPDX-License-Identifier: GPL-2.0-only
"""The console of a boot: the program's own lines, and the kernel's complaints.

The program inside prints ``@pg WORD key=value ... ;``.  A line without its
semicolon was cut by another writer and counts as lost: a round with a lost line
is not complete, so it cannot pass for one.
"""

from __future__ import annotations

import re

from patchgen.boot.evidence import Phase

_LINE = re.compile(r"@pg (\w+)((?: [^ ;]+=[^ ;]*)*) ;")
_COMPLAINT = re.compile(
    r"^(?:\[ *\d+\.\d+\] *)?("
    r"WARNING: |BUG: |[Kk]ernel BUG at |Oops|general protection fault|invalid opcode|"
    r"stack segment|double fault|Kernel panic|watchdog: |INFO: (?:rcu|task)|rcu: INFO|"
    r"list_(?:add|del) corruption|Bad rss-counter|page:\S+ refcount.*dumped)"
)
_PROBES = ("npf", "change_pte", "range_start", "zap", "tdp_map")


class Console:
    """Takes a console's lines one by one and holds what they said.

    ``start`` and ``end`` hold the fields of those lines, or None; ``failure`` those
    of a fail line; ``phases`` what was counted; ``complaints`` the kernel's lines.
    """

    def __init__(self) -> None:
        self.start: dict[str, str] | None = None
        self.end: dict[str, str] | None = None
        self.failure: dict[str, str] | None = None
        self.phases: list[Phase] = []
        self.complaints: list[str] = []

    def take(self, line: str) -> str:
        """Read one line; returns the program's word (start, phase, ...) or ""."""
        found = _LINE.search(line)
        if found is None:
            text = line.strip()
            if _COMPLAINT.match(text):
                self.complaints.append(text[:200])
            return ""
        word, fields = found[1], _fields(found[2])
        if word == "start":
            self.start = fields
        elif word == "end":
            self.end = fields
        elif word == "fail":
            self.failure = fields
        elif word == "phase":
            phase = _phase(fields)
            if phase is None:
                return ""
            self.phases.append(phase)
        return word

    @property
    def panicked(self) -> bool:
        """Whether a complaint is one that ends the kernel (oops=panic is set)."""
        return any(
            re.search("Kernel panic|[Kk]ernel BUG|Oops|invalid opcode", line)
            for line in self.complaints
        )

    def probes(self) -> dict[str, str]:
        """The kernel function that each counter counts; those that are there."""
        start = self.start or {}
        return {name: start[name] for name in _PROBES if start.get(name, "-") != "-"}


def _fields(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in text.split())


def _phase(fields: dict[str, str]) -> Phase | None:
    try:
        numbers = {
            name: int(fields[name])
            for name in Phase.__struct_fields__
            if name not in ("name", *_PROBES)
        }
        hits = {name: int(fields[name]) for name in _PROBES}
        return Phase(name=fields["name"], **numbers, **hits)
    except (KeyError, ValueError):
        return None
