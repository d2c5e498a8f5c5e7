# SPDX-License-Identifier: GPL-2.0-only
"""Every verdict held against Spin's, and the models written out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from patchgen.outcome import UserError
from patchgen.proof.cases import CASES, Case
from patchgen.proof.locate import Read
from patchgen.proof.promela import promela, spin
from patchgen.proof.protocol import Bounds
from patchgen.proof.prove import rows, understand
from patchgen.proof.result import ProofResult
from patchgen.proof.system import System


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


def compare(
    read: Read, bounds: Bounds, result: ProofResult, keys: Sequence[str] = ()
) -> Iterator[tuple[str, bool]]:
    """A line for each row of the table, and whether Spin says the same of all properties.

    Spin's seconds are those for writing, compiling and running its verifier.
    """
    for case, parts in systems(read, bounds, keys):
        mine = {
            v.property
            for v in result.verdicts
            if (v.case, v.flagged) == (case.key, case.flagged) and not v.holds
        }
        took = next(e for e in result.explored if (e.case, e.flagged) == (case.key, case.flagged))
        answers = [spin(system) for system in parts]
        theirs = {name for answer in answers for name in answer.violated}
        word = "agrees" if theirs == mine else "DIFFERS"
        flag = ", flagged" if case.flagged else ""
        seconds = sum(answer.seconds for answer in answers)
        states = sum(answer.states for answer in answers)
        violated = f" (violated: {', '.join(sorted(theirs))})" if theirs else ""
        yield (
            f"spin {word}: {case.name}{flag}{violated}; {states:,} states in {seconds:.1f} s, "
            f"here {took.states:,} in {took.seconds:.1f} s",
            theirs == mine,
        )


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
                path.write_text(promela(system, f"{case.name}{flag}; {bounds}"), encoding="utf-8")
                written.append(path)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", str(folder)) from error
    return written
