# SPDX-License-Identifier: GPL-2.0-only
"""What a proof says: verdicts with their runs, what is unknown, what was not covered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from patchgen.model.base import Evidence, Fact, Place, Value
from patchgen.model.outcome import Exit
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.search.explore import Violation
from patchgen.proof.system.properties import PROPERTIES
from patchgen.proof.system.system import System

#: The properties that must hold; O1 only says what a transition costs.
SAFETY = tuple(name for name in PROPERTIES if name != "O1")


class Answer(Enum):
    """What is known of a property."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


class RunStep(Value, frozen=True):
    """One step of a run: whose it is ("CPU 0", "vCPU 1", ...), where, and what."""

    column: str
    place: Place
    text: str


class Run(Value, frozen=True):
    """A shortest run to a bad state; ``cause`` is what is wrong at its end."""

    cause: str
    steps: tuple[RunStep, ...]


class Verdict(Value, frozen=True):
    """Whether ``property`` holds for a transition; ``runs`` show that it does not.

    There is one run for each cause, the shortest first.  ``counts`` is False where the
    verdict is shown only to say why a transition must not be flagged, and for O1.
    """

    case: str
    transition: str
    flagged: bool
    allowed: bool
    property: str
    holds: bool
    counts: bool
    runs: tuple[Run, ...] = ()


class Explored(Value, frozen=True):
    """The size of one case's search; ``seconds`` of wall clock, building included."""

    case: str
    flagged: bool
    states: int
    transitions: int
    seconds: float


class ProofResult(Value, frozen=True):
    """The proof of one state of a tree.

    ``unknown`` are the places that were not understood: with any of these nothing was
    explored.  ``notes`` are facts worth saying, ``limits`` what was not covered, ``facts`` all
    of the tree that the verdicts rest on.
    """

    verdicts: tuple[Verdict, ...]
    unknown: tuple[Evidence, ...]
    bounds: Bounds
    notes: tuple[Evidence, ...] = ()
    limits: tuple[str, ...] = ()
    explored: tuple[Explored, ...] = ()
    guarded: bool = False
    change_pte: bool = True
    facts: tuple[Fact, ...] = ()

    @property
    def violated(self) -> tuple[Verdict, ...]:
        """The verdicts that count and do not hold."""
        return tuple(v for v in self.verdicts if v.counts and not v.holds)

    def answer(self, prop: str) -> Answer:
        """Whether ``prop`` holds in every run: never without a verdict, nor beside an unknown."""
        mine = [v for v in self.verdicts if v.counts and v.property == prop]
        if not all(v.holds for v in mine):
            return Answer.VIOLATED
        return Answer.HOLDS if mine and not self.unknown else Answer.UNDECIDED

    def answered(self, answer: Answer) -> tuple[str, ...]:
        """The safety properties of which ``answer`` is known."""
        return tuple(prop for prop in SAFETY if self.answer(prop) is answer)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The safety properties that are neither shown nor refuted."""
        return self.answered(Answer.UNDECIDED)

    @property
    def exit(self) -> Exit:
        """0 where every safety property holds; 1 where one is violated or undecided."""
        return Exit.CLEAN if self.answered(Answer.HOLDS) == SAFETY else Exit.FINDINGS

    def new_since(self, before: ProofResult) -> tuple[Verdict, ...]:
        """What counts, is violated here, and was not in ``before`` for the same causes.

        A flagged transition may break what it breaks without the flag, too.
        """
        old = {(v.case, v.flagged, v.property, r.cause) for v in before.violated for r in v.runs}

        def inherited(v: Verdict) -> bool:
            return all(
                (v.case, v.flagged, v.property, run.cause) in old
                or (v.case, False, v.property, run.cause) in old
                for run in v.runs
            )

        return tuple(v for v in self.violated if not inherited(v))

    def verdict(self, case: str, prop: str, flagged: bool) -> Verdict:
        """One verdict; KeyError where there is none."""
        for verdict in self.verdicts:
            if (verdict.case, verdict.property, verdict.flagged) == (case, prop, flagged):
                return verdict
        raise KeyError((case, prop, flagged))


#: Operations and answers that a run need not mention.
_QUIET = frozenset(
    {"choice", "either", "pte_expected", "pte_none", "pte_old", "complete", "finish"}
)


def run_of(system: System, violation: Violation) -> Run:
    """A violation's run, a step for each node that it went through."""
    steps: list[RunStep] = []
    for transition in violation.run:
        column = system.processes[transition.process].name
        for node in transition.steps:
            if node.what in _QUIET or (
                node.kind == "test" and node.arg == "no" and _dull(node.what)
            ):
                continue
            page = f", page {node.page}" if node.page == "B" else ""
            steps.append(RunStep(column, node.place, node.text() + page))
    bad = violation.bad
    steps.append(RunStep(bad.column or steps[-1].column, Place("", 0), bad.cause))
    return Run(bad.cause, tuple(steps))


def _dull(question: str) -> bool:
    return question in ("stale", "lookup_current", "cache_valid")


def shortest(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The shortest run of each cause, the shortest of all first."""
    best: dict[str, Run] = {}
    for run in runs:
        if run.cause not in best or len(run.steps) < len(best[run.cause].steps):
            best[run.cause] = run
    return tuple(sorted(best.values(), key=lambda run: len(run.steps)))
