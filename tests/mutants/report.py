# SPDX-License-Identifier: GPL-2.0-only
"""What a run found, as text for a terminal and as the page in the docs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from patchgen.model.base import Value
from tests.mutants.mutant import Result
from tests.mutants.operator import Operator

#: Faults of these rules do not compile, so no mutant can have them.
NO_MUTANTS = {
    10: "an initialiser with the wrong arguments does not compile",
    19: "a name that the tree does not have does not compile",
}


class Peers(Value, frozen=True):
    """Which results were given to other checkers, and for each checker its answers."""

    numbers: tuple[int, ...] = ()
    found: dict[str, list[bool]] = {}


class Run(Value, frozen=True):
    """A whole run: versions of the trees by name, operators, results, other checkers."""

    versions: dict[str, str]
    operators: tuple[Operator, ...]
    results: tuple[Result, ...]
    peers: Peers

    def counted(self, tree: str = "", operator: str = "") -> list[Result]:
        """The mutants that compile, of a tree (with its flagged state), of an operator."""
        return [
            r
            for r in self.results
            if r.state != "broken"
            and tree in ("", _tree(r))
            and operator in ("", r.mutant.operator)
        ]


def _tree(result: Result) -> str:
    return result.mutant.base.partition("+")[0]


def share(results: Sequence[Result]) -> float:
    """Percent of the mutants found with a right rule; 100 where there are none."""
    found = sum(r.state == "found" for r in results)
    return 100 * found / len(results) if results else 100.0


def _ratio(results: Sequence[Result]) -> str:
    if not results:
        return "-"
    return f"{sum(r.state == 'found' for r in results)}/{len(results)}"


def summary(run: Run) -> list[str]:
    """One line a tree."""
    lines = []
    for tree, version in run.versions.items():
        results = run.counted(tree)
        states = Counter(r.state for r in results)
        lines.append(
            f"{version}: {len(results)} mutants, {states['found']} found ({share(results):.1f} %),"
            f" {states['other']} found by another rule only, {states['missed']} missed"
        )
    return lines


def missed(results: Iterable[Result]) -> list[str]:
    """Each mutant without a finding of a right rule, with what was found instead."""
    lines = []
    for r in results:
        if r.state in ("missed", "other"):
            wanted = "/".join(f"MN{n:03}" for n in r.mutant.rules)
            instead = ", ".join(f"MN{n:03}" for n in r.new)
            note = f" (found: {instead})" if instead else ""
            note += f" (lint failed: {r.failed})" if r.failed else ""
            lines.append(f"{r.mutant.base} {r.mutant.operator} {wanted} {r.mutant.place}{note}")
    return lines


def broken(results: Iterable[Result]) -> list[str]:
    """Each mutant that does not compile, with the error."""
    return [
        f"{r.mutant.base} {r.mutant.operator} {r.mutant.place}: {r.error}"
        for r in results
        if r.state == "broken"
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table in Markdown; the first column to the left, numbers to the right."""
    marks = ["---", *("---:" for _ in head[1:])]
    lines = [head, marks, *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def per_rule(run: Run) -> list[str]:
    """Found and made, by the first rule that an operator names."""
    rows = []
    for rule in range(1, 36):
        results = [r for r in run.counted() if r.mutant.rules[0] == rule]
        if rule in NO_MUTANTS:
            rows.append([f"MN{rule:03}", NO_MUTANTS[rule], *("-" for _ in run.versions)])
            continue
        names = ", ".join(op.name for op in run.operators if op.rules[0] == rule)
        each = [_ratio([r for r in results if _tree(r) == tree]) for tree in run.versions]
        rows.append([f"MN{rule:03}", names or "no operator", *each])
    return table(["rule", "faults", *run.versions], rows)


def per_operator(run: Run) -> list[str]:
    """Found and made for each operator, and the other checkers on the sample."""
    sample = [run.results[n] for n in run.peers.numbers]
    rows: list[list[object]] = []
    for op in run.operators:
        mine = [i for i, r in enumerate(sample) if r.mutant.operator == op.name]
        others = [
            f"{sum(said[i] for i in mine)}/{len(mine)}" if mine else "-"
            for said in run.peers.found.values()
        ]
        rules = " ".join(f"MN{n:03}" for n in op.rules)
        each = [_ratio(run.counted(tree, op.name)) for tree in run.versions]
        own = [_ratio([sample[i] for i in mine])] if run.peers.found else []
        rows.append([op.name, rules, *each, *own, *others])
    total = [f"{share(run.counted(tree)):.1f} %" for tree in run.versions]
    sums = [f"{sum(said)}/{len(said)}" for said in run.peers.found.values()]
    own = [_ratio(sample)] if run.peers.found else []
    rows.append(["**all**", "", *total, *own, *sums])
    head = ["fault", "right rules", *run.versions]
    head += [*(["patchgen, sample"] if run.peers.found else []), *run.peers.found]
    return table(head, rows)


def together(run: Run) -> str:
    """How many of the sample at least one of the other checkers found."""
    answers = list(zip(*run.peers.found.values(), strict=True))
    return f"{sum(any(each) for each in answers)} of {len(answers)}"


_INTRO = """# Seeded faults

Written by `make mutants` (`python -m tests.mutants --write-docs`); do not edit by hand.

Each operator plants one named fault at every site of the real trees where it fits: in
callbacks and what they reach, in range sections, at set_pte_at_notify(). Sites come from
analysis of the statement trees, never from line numbers. Guards and flags are planted in the
tree with the change_pte() series on top where KVM's idiom allows it (direct), else in the tree
with the flag and its call sites. A mutant counts when clang finds no new error in it. It is
found when lint reports a finding of a right rule (by rule, function and message) that it does
not report for the unmutated tree.
"""

_PEERS = """
Other checkers are slow, so they get the faults that they can know of: of each operator of locks,
sleeping and returned errors (rules 24 to 30) the site in the smallest file of the first tree it
fits in. They count as having found a mutant when they print any line that they
do not print for the unmutated file. Coccinelle runs the tree's own scripts (locks/*.cocci),
sparse its defaults with context tracking, clang its analyzer's default checkers from the mutated
function on; sparse and clang with the same flags as patchgen.
"""


def page(run: Run) -> str:
    """The page for the docs."""
    lines = [_INTRO, *(f"- {line}" for line in summary(run)), "", "## By rule", ""]
    lines += ["An operator that names several rules stands at its first one.", ""]
    lines += [*per_rule(run), "", "## By fault", ""]
    if run.peers.found:
        lines += [_PEERS.strip(), "", f"All other checkers together: {together(run)}.", ""]
    lines += [*per_operator(run), "", "## Missed", ""]
    lost = missed(run.results)
    for name, group in groupby(lost, key=lambda line: line.split(" ")[1]):
        places = "; ".join(" ".join(_without(line)) for line in group)
        lines.append(f"- {name}: {places}")
    lines += ["", "## The arguments", ""]
    for op in run.operators:
        lines.append(f"- **{op.name}**: {' '.join(op.argument.split())}")
    return "\n".join(lines) + "\n"


def _without(line: str) -> list[str]:
    """A line of ``missed`` without the operator's name."""
    base, _, *rest = line.split(" ")
    return [base, *rest]
