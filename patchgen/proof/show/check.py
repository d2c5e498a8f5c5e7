# SPDX-License-Identifier: GPL-2.0-only
"""Every verdict held against Spin's, and the models written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import rows, understand
from patchgen.proof.result import Explored, ProofResult
from patchgen.proof.show.promela import SpinAnswer, promela, spin
from patchgen.proof.system.cases import CASES, Case
from patchgen.proof.system.locate import Read
from patchgen.proof.system.system import System
from patchgen.sandbox.writer import write_given


def systems(
    read: Read, bounds: Bounds, keys: Sequence[str] = ()
) -> Iterator[tuple[Case, tuple[System, ...]]]:
    """The systems of each row of the table; none where the code is not understood."""
    understood = understand(read)
    if isinstance(understood, tuple):
        return
    cases = [case for case in CASES if not keys or case.key in keys]
    for case in rows(understood.protocol, cases):
        yield case, understood.systems(case, bounds)


class Comparison(Value, frozen=True):
    """One row of the table: the properties violated here (``ours``), and by Spin (``theirs``).

    ``spin`` are Spin's answers to the row's systems; its seconds are those for writing,
    compiling and running its verifier.
    """

    case: Case
    ours: frozenset[str]
    theirs: frozenset[str]
    took: Explored
    spin: tuple[SpinAnswer, ...]

    @property
    def same(self) -> bool:
        """Whether Spin says the same of all properties."""
        return self.ours == self.theirs

    def line(self) -> str:
        """The row for people."""
        word = "agrees" if self.same else "DIFFERS"
        flag = ", flagged" if self.case.flagged else ""
        seconds = sum(answer.seconds for answer in self.spin)
        states = sum(answer.states for answer in self.spin)
        violated = f" (violated: {', '.join(sorted(self.theirs))})" if self.theirs else ""
        return (
            f"spin {word}: {self.case.name}{flag}{violated}; {states:,} states in {seconds:.1f} s, "
            f"here {self.took.states:,} in {self.took.seconds:.1f} s"
        )


def compare(
    read: Read,
    bounds: Bounds,
    result: ProofResult,
    keys: Sequence[str] = (),
    ask: Callable[[System], SpinAnswer] = spin,
) -> Iterator[Comparison]:
    """Each row of ``result``'s table beside Spin's answers, which ``ask`` gives."""
    for case, parts in systems(read, bounds, keys):
        row = (case.key, case.flagged)
        ours = {v.property for v in result.verdicts if (v.case, v.flagged) == row and not v.holds}
        took = next(e for e in result.explored if (e.case, e.flagged) == row)
        answers = tuple(ask(system) for system in parts)
        theirs = frozenset(name for answer in answers for name in answer.violated)
        yield Comparison(case, frozenset(ours), theirs, took, answers)


def write_models(read: Read, bounds: Bounds, folder: Path, keys: Sequence[str] = ()) -> list[Path]:
    """Write each row's Promela to ``folder``; the paths.  UserError: it cannot be written."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for case, parts in systems(read, bounds, keys):
            for number, system in enumerate(parts):
                name = case.key + ("-flagged" if case.flagged else "")
                path = folder / f"{name}{f'-{number}' if number else ''}.pml"
                flag = ", flagged" if case.flagged else ""
                write_given(path, promela(system, f"{case.name}{flag}; {bounds}").encode())
                written.append(path)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", str(folder)) from error
    return written
