# SPDX-License-Identifier: GPL-2.0-only
"""Every verdict beside Spin's: all states of the tests, all cases, the default bounds.

``python -m tests.proof.matrix [TREE...]`` prints a line for each row that differs (each row
with ``-v``) and a table of counts; its exit status is 1 where a verdict differs.  Spin is asked
once for each model, as it is without its comments, and its answers are kept in the cache:
``--fresh`` asks it anew.  docs/architecture.md says which part of it the test suite holds.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from patchgen import memo
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import prove
from patchgen.proof.show.check import Comparison, compare, systems
from patchgen.proof.show.promela import SpinAnswer, promela, spin
from patchgen.proof.system.properties import PROPERTIES
from patchgen.proof.system.system import System
from patchgen.source.tree.registry import resolve
from tests.proof import variants as make
from tests.proof.variants import MAIN, Change, Read, reader


def changed(tree: Path, *changes: Change, **others: Change) -> Read:
    """The tree with ``changes`` to KVM's main file, and one to each of ``OTHERS``."""
    found: dict[str, bytes] = {}
    for path, change in [(MAIN, c) for c in changes] + [(OTHERS[k], c) for k, c in others.items()]:
        found[path] = change(found.get(path) or (tree / path).read_bytes())
    return reader(tree, found)


OTHERS = {"ksm": "mm/ksm.c", "core": "mm/mmu_notifier.c"}

#: The states of each tree, by what a person calls them.
STATES: Mapping[str, Mapping[str, Callable[[Path], Read]]] = {
    "5.10": {
        "as it is": changed,
        "the series": lambda t: changed(t, make.series),
        "guard without deferred flushes": lambda t: changed(t, make.guard_both),
        "guard in start only": lambda t: changed(t, make.honour_deferred, make.guard_start),
        "guard in end only": lambda t: changed(t, make.honour_deferred, make.guard_end),
        "series without the bump": lambda t: changed(t, make.series, make.without_bump),
        "series, change_pte() too early": lambda t: changed(
            t, make.series, ksm=make.change_before_clear
        ),
        "start leaks the lock": lambda t: changed(t, make.leak_lock),
        "guard behind SRCU": lambda t: changed(t, make.guard_behind("srcu_read_lock")),
        "guard behind the lock": lambda t: changed(t, make.guard_behind("spin_lock")),
        "no rollback": lambda t: changed(t, core=make.without_rollback),
    },
    "6.1": {
        "as it is": changed,
        "plain guard": lambda t: changed(t, make.guard_both),
        "guard, no early return": lambda t: changed(
            t, make.guard_both, make.without_early_return
        ),
        "keep mapped": lambda t: changed(t, make.keep_mapped),
        "keep mapped, unmap invalid": lambda t: changed(t, make.keep_mapped, make.unmap_invalid),
    },
}  # fmt: skip

_COMMENT = re.compile(r"/\*.*?\*/", re.S)


class Spins:
    """Spin's answers, worked out beside each other, once for each model."""

    def __init__(self, jobs: int, fresh: bool) -> None:
        self.asked = 0
        self._fresh = fresh
        self._pool = ThreadPoolExecutor(jobs)
        self._answers: dict[str, Future[SpinAnswer]] = {}

    def ask(self, system: System) -> Future[SpinAnswer]:
        """The answer to be."""
        model = _COMMENT.sub("", promela(system))
        if model not in self._answers:
            self._answers[model] = self._pool.submit(self._once, model, system)
        return self._answers[model]

    def _once(self, model: str, system: System) -> SpinAnswer:
        key = memo.digest(model)
        kept = None if self._fresh else memo.read("spin", key)
        if kept is not None:
            return msgspec.msgpack.decode(kept, type=SpinAnswer)
        self.asked += 1
        answer = spin(system)
        memo.write("spin", key, msgspec.msgpack.encode(answer))
        return answer

    def answer(self, system: System) -> SpinAnswer:
        """The answer, waited for."""
        return self.ask(system).result()

    @property
    def models(self) -> int:
        """How many different models there were."""
        return len(self._answers)


class Count(NamedTuple):
    """What one state of a tree came to."""

    tree: str
    state: str
    rows: tuple[Comparison, ...]

    @property
    def verdicts(self) -> int:
        """The pairs of a row and a property."""
        return sum(len(PROPERTIES) - (not row.case.kept) for row in self.rows)

    @property
    def differing(self) -> int:
        """The verdicts that Spin does not share."""
        return sum(len(row.ours ^ row.theirs) for row in self.rows)

    def line(self) -> str:
        """The table's line."""
        answers = [answer for row in self.rows for answer in row.spin]
        cells = (
            len(self.rows), len(answers), self.verdicts,
            sum(len(row.ours) for row in self.rows), self.differing,
            sum(row.took.states for row in self.rows), sum(a.states for a in answers),
        )  # fmt: skip
        seconds = (sum(row.took.seconds for row in self.rows), sum(a.seconds for a in answers))
        figures = "".join(f"{cell:>11,}" for cell in cells)
        return f"{self.tree:<5}{self.state:<32}{figures}" + "".join(f"{s:>9.1f}" for s in seconds)


HEADING = f"{'tree':<5}{'state':<32}" + "".join(
    f"{name:>11}"
    for name in ("rows", "systems", "verdicts", "violated", "DIFFERING", "states", "Spin's")
) + f"{'s':>9}{'Spin s':>9}"  # fmt: skip


def counts(trees: list[str], spins: Spins, show: Callable[[str], None]) -> Iterator[Count]:
    """Each state's count; ``show`` is given a line for each row."""
    for name in trees:
        for state, made in STATES[name].items():
            read = made(resolve(name).path)
            for _, parts in systems(read, Bounds()):
                for system in parts:
                    spins.ask(system)
            result = prove(read)
            assert result.verdicts and not result.unknown, (name, state, result.unknown)
            rows = []
            for row in compare(read, Bounds(), result, ask=spins.answer):
                rows.append(row)
                show(f"{name}, {state}: {row.line()}")
            yield Count(name, state, tuple(rows))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.matrix", description=__doc__)
    parser.add_argument("trees", nargs="*", metavar="TREE", default=list(STATES))
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each row")
    parser.add_argument("--fresh", action="store_true", help="use no answer of an earlier run")
    options = parser.parse_args()
    begun = time.monotonic()

    def show(line: str) -> None:
        if options.verbose or " DIFFERS: " in line:
            print(line, flush=True)

    found = []
    spins = Spins(options.jobs, options.fresh)
    print(HEADING)
    for count in counts(options.trees, spins, show):
        found.append(count)
        print(count.line(), flush=True)
    verdicts = sum(count.verdicts for count in found)
    differing = sum(count.differing for count in found)
    print(
        f"{verdicts:,} verdicts, {differing} differ; {spins.models} different models, "
        f"{spins.asked} of them explored by Spin now; {time.monotonic() - begun:.0f} s"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
