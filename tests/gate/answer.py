# SPDX-License-Identifier: GPL-2.0-only
"""What ``verify`` said of a patch, held against the judged verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.gate.listed import KINDS, PASS, Listed

RIGHT, FALSE, MISSED, UNDECIDED, LOST = OUTCOMES = (
    "right", "false failure", "missed", "undecided", "not had",
)  # fmt: skip


class Answer(NamedTuple):
    """The outcome for one patch, and the faults that made it one."""

    listed: Listed
    outcome: str
    said: tuple[str, ...]


def faults_of(data: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(faults, what was left undecided) of ``verify --json``'s answer, for its last patch."""
    patch = data["patches"][-1]
    undecided = list(patch["undecided"])
    faults = [text for text in patch["faults"] if text not in undecided]
    proof = data.get("proof") or {}
    if proof.get("touched") and not proof.get("ok"):
        worse = [name for name, held in proof["properties"].items() if held == "violated"]
        worse = [name for name in worse if name not in proof["inherited"]]
        (faults if worse else undecided).append(f"proof: {proof['line']}")
    return tuple(faults), tuple(undecided)


def judge(listed: Listed, data: Mapping[str, Any]) -> Answer:
    """Hold an answer against the list.

    ``right`` passes what is right, or names the fault.  A failure for another reason than the
    judged one is false, and where there is a judged fault it is missed as well: ``false``.
    ``undecided`` is a patch that fails for what could not be analysed only.
    """
    faults, undecided = faults_of(data)
    said = (*faults, *undecided)
    if listed.verdict == PASS:
        alone = len(listed.ids) == 1
        if data["ok"] if alone else not said:
            return Answer(listed, RIGHT, said)
        return Answer(listed, FALSE if faults or not undecided else UNDECIDED, faults or undecided)
    if any(word in text for word in listed.verdict.split("|") for text in said):
        return Answer(listed, RIGHT, said)
    return Answer(listed, FALSE if faults else UNDECIDED if undecided else MISSED, said)


def table(answers: Iterable[Answer]) -> list[str]:
    """One row a kind: how many there are, and how many have each outcome."""
    answers = list(answers)
    rows = [("", "patches", *OUTCOMES)]
    for kind in (*KINDS, "all"):
        mine = [one for one in answers if kind in (one.listed.kind, "all")]
        counts = [sum(one.outcome == outcome for one in mine) for outcome in OUTCOMES]
        if mine:
            rows.append((kind, str(len(mine)), *map(str, counts)))
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)) + " |"
        for row in (rows[0], tuple("-" * width for width in wide), *rows[1:])
    ]
