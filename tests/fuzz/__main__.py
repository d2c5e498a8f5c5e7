# SPDX-License-Identifier: GPL-2.0-only
"""Hostile inputs for a while.  ``make fuzz [SECONDS_=600] [SEED=1] [FUZZ="--only tree"]``.

A case depends on the seed, its kind and its number only.  Printed are figures for each kind,
and for each fault the words that try it again; exit status 1 where there is one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz import runs
from tests.fuzz.kinds import KINDS, Base, Case


class Figures:
    """What became of the cases of one kind."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.faults = 0
        self.wall = self.cpu = self.memory = 0.0

    def add(self, case: Case) -> None:
        self.statuses[case.run.status] += 1
        self.faults += bool(case.faults)
        self.wall = max(self.wall, case.run.wall)
        self.cpu = max(self.cpu, case.run.cpu)
        self.memory = max(self.memory, case.run.memory)

    def row(self, name: str) -> str:
        ends = " ".join(f"{status}:{count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{name:<8}{self.statuses.total():>7}{self.faults:>8}{self.wall:>8.1f}{self.cpu:>8.1f}"
            f"{self.memory:>8.0f}   {ends}"
        )


def attempt(base: Base, kind: str, seed: int, number: int, place: Path) -> Case:
    """One case, in a folder of its own that it may do with as it likes."""
    return KINDS[kind](base, place, random.Random(f"{seed}/{kind}/{number}"))


def main() -> None:
    """Try cases until the time is over, or the one that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KINDS, action="append")
    parser.add_argument("--said", action="store_true", help="show each run's last words, too")
    parser.add_argument("--case", type=int, help="this case alone; its folder is kept")
    asked = parser.parse_args()
    kinds = asked.only or list(KINDS)
    os.nice(5)
    runs.prepare()
    folder = Path(tempfile.mkdtemp(prefix="patchgen-fuzz-"))
    try:
        base = Base(folder)
        if asked.case is not None:
            _one(base, kinds[0], asked.seed, asked.case)
            return
        faulty = _all(base, kinds, asked, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(faulty)


def _one(base: Base, kind: str, seed: int, number: int) -> None:
    place = Path(tempfile.mkdtemp(prefix="patchgen-case-"))
    case = attempt(base, kind, seed, number, place)
    print(f"{place}: {' '.join(case.odd)}: patchgen {_shown(case)}: status {case.run.status}")
    print(ascii(case.run.out[-3000:]), ascii(case.run.err[-3000:]), *case.faults, sep="\n")


def _shown(case: Case) -> str:
    return " ".join(ascii(os.fsdecode(word))[1:-1][:200] for word in case.words)


def _all(base: Base, kinds: list[str], asked: argparse.Namespace, folder: Path) -> bool:
    figures = {kind: Figures() for kind in kinds}
    ends = time.monotonic() + asked.seconds
    number = 0
    while time.monotonic() < ends:
        for kind in kinds:
            place = folder / f"{kind}-{number}"
            place.mkdir()
            case = attempt(base, kind, asked.seed, number, place)
            shutil.rmtree(place, ignore_errors=True)
            figures[kind].add(case)
            _tell(case, kind, asked.seed, number, asked.said)
        number += 1
    print(f"seed {asked.seed}, {asked.seconds:.0f} s")
    print(f"{'':<8}{'runs':>7}{'faulty':>8}{'most s':>8}{'cpu s':>8}{'MiB':>8}   statuses")
    for kind, one in figures.items():
        print(one.row(kind))
    return any(one.faults for one in figures.values())


def _tell(case: Case, kind: str, seed: int, number: int, said: bool) -> None:
    what = f"{kind} {number} (seed {seed}): {' '.join(case.odd)}: {_shown(case)}"
    if said:
        words = (case.run.err or case.run.out).strip().splitlines() or [""]
        print(f"{what}: {case.run.status}: {ascii(words[-1])[:300]}")
    for fault in case.faults:
        print(f"{what}: {fault!a}")
        print(f"    python -m tests.fuzz --seed {seed} --only {kind} --case {number}", flush=True)


if __name__ == "__main__":
    main()
