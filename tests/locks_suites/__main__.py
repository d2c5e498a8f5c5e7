# SPDX-License-Identifier: GPL-2.0-only
"""``make lock-suites``: sparse's and smatch's tests, each behind a notifier callback.

Exit status 0: at least 95 % of the faults were found, no other one passed in silence, and no
correct case was reported.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.locks_suites import smatch, sparse
from tests.locks_suites.case import CORRECT, ENDLESS, FAULT, FOUND, SILENT, UNDECIDED, Judged, judge

#: Percent of the faults that must be found.
GOAL = 95.0


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.locks_suites", description=__doc__)
    parser.add_argument("--sparse", type=Path, required=True, help="a checkout of sparse")
    parser.add_argument("--smatch", type=Path, required=True, help="a checkout of smatch")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Judge every case; print each disagreement and the table."""
    given = arguments(words)
    cases = (
        *sparse.cases(given.sparse),
        *smatch.locking(given.smatch),
        *smatch.values(given.smatch),
    )
    found = [judge(case) for case in cases if given.only in case.name]
    endless = {one.case.name for one in found if one.answer == ENDLESS}
    judged = [one for one in found if one.case.name not in endless]
    for one in judged:
        if not one.agrees:
            print(f"{one.case.kind}, {one.answer}: {one.case.name}  {one.said}")
    for line in table(judged):
        print(line)
    return 0 if passes(judged) else 1


def table(judged: Sequence[Judged]) -> list[str]:
    """Faults and correct cases of each suite, by what was said."""
    lines = ["| suite | cases | found | undecided | silent |", "|---|---|---|---|---|"]
    for suite in dict.fromkeys(one.case.suite for one in judged):
        for kind in (FAULT, CORRECT):
            said = Counter(
                one.answer for one in judged if (one.case.suite, one.case.kind) == (suite, kind)
            )
            if said:
                shown = " | ".join(str(said[answer]) for answer in (FOUND, UNDECIDED, SILENT))
                lines.append(f"| {suite}, {kind} | {said.total()} | {shown} |")
    return lines


def passes(judged: Sequence[Judged]) -> bool:
    """Whether the goal is reached."""
    faults = [one.answer for one in judged if one.case.kind == FAULT]
    wrong = any(one.answer == FOUND for one in judged if one.case.kind == CORRECT)
    enough = faults.count(FOUND) * 100 >= GOAL * len(faults)
    return bool(faults) and enough and SILENT not in faults and not wrong


if __name__ == "__main__":
    sys.exit(main())
