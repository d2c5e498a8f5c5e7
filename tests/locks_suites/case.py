# SPDX-License-Identifier: GPL-2.0-only
"""One case of a suite, and what lint says of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from patchgen.model.base import Span
from patchgen.model.findings import Undecided
from patchgen.rules.base import by_id
from patchgen.source.c.body import functions_in
from tests.rules.harness import context

FAULT, CORRECT = "fault", "correct"
FOUND, UNDECIDED, SILENT = "found", "undecided", "silent"
#: The function has no way out on which anything could be left held.
ENDLESS = "endless"

_PATH = "drivers/suite.c"
_TABLED = re.compile(r"\.(\w+)\s*=\s*(\w+)\s*[,}]")


class Case(NamedTuple):
    """A file of which a function is called from a callback.

    ``name`` is the suite's file and what is tested in it, ``kind`` whether a lock is then
    left held; ``calls`` are the statements of the callback.
    """

    suite: str
    name: str
    kind: str
    source: str
    calls: str


class Judged(NamedTuple):
    """A case and the answer: found, undecided (``said`` is why) or silent."""

    case: Case
    answer: str
    said: str

    @property
    def agrees(self) -> bool:
        """Whether a fault was found, or correct code not reported."""
        return (self.answer == FOUND) == (self.case.kind == FAULT)


def judge(case: Case) -> Judged:
    """Ask the rule for locks that are left held about the case's callback."""
    tree = context(_behind_callback(case), _PATH, "6.12")
    said = list(by_id("MN024").check(tree))
    doubts = [one for one in said if isinstance(one, Undecided)]
    if len(doubts) < len(said):
        message = next(one.message for one in said if not isinstance(one, Undecided))
        return Judged(case, FOUND, message)
    if doubts:
        return Judged(case, UNDECIDED, doubts[-1].reason)
    callback = next(tree.callbacks()).function
    ends = any(one.state.blockable for one in tree.summary(callback).exits)
    return Judged(case, SILENT if ends else ENDLESS, "")


def _behind_callback(case: Case) -> bytes:
    lines = (
        case.source,
        "static bool suite_invalidate(struct mmu_interval_notifier *suite_mni,",
        "    const struct mmu_notifier_range *suite_range, unsigned long suite_seq)",
        "{",
        "    if (!mmu_notifier_range_blockable(suite_range))",
        "        return false;",
        f"    {case.calls}",
        "    return true;",
        "}",
        "static const struct mmu_interval_notifier_ops suite = { .invalidate = suite_invalidate };",
    )
    return ("\n".join(lines) + "\n").encode()


def roots(source: str, name: str) -> tuple[str, ...]:
    """Calls of the functions that nobody in the file calls and that reach ``name``.

    One in a table is called by those that call the table's member.

    Their arguments are variables of which nothing is known.
    """
    functions = {one.name: one for one in functions_in(source.encode(), _PATH)}
    words = {one: set(re.findall(r"\w+", _body(source, functions[one].span))) for one in functions}
    through = {
        (function, other)
        for member, function in _TABLED.findall(source)
        for other in functions
        if re.search(rf"(?:->|\.)\s*{member}\s*\(", _body(source, functions[other].span))
    }
    callers = {
        one: {other for other in functions if one in words[other] and other != one}
        | {other for function, other in through if function == one != other}
        for one in functions
    }
    found, pending, seen = [], [name], {name}
    while pending:
        current = pending.pop()
        if not callers[current]:
            count = len(functions[current].params)
            given = ", ".join(f"suite_{current}_{number}" for number in range(count))
            found.append(f"{current}({given});")
        for caller in callers[current] - seen:
            seen.add(caller)
            pending.append(caller)
    return tuple(sorted(found))


def _body(source: str, span: Span) -> str:
    return source.encode()[span.start : span.end].decode("utf-8", "replace")
