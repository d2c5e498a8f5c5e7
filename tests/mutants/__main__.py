# SPDX-License-Identifier: GPL-2.0-only
"""``make mutants``: seeded faults through lint, and through other checkers.

Exit status 0: at least 95 % of the mutants of every tree were found with a right rule.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from patchgen.model.outcome import Exit, UserError
from patchgen.source.tree import registry
from tests.mutants import peers, report
from tests.mutants import run as running
from tests.mutants.bases import Base, bases
from tests.mutants.operator import Operator, all_operators

#: Percent of the mutants that must be found with a right rule.
GOAL = 95.0
PAGE = Path(__file__).resolve().parents[2] / "docs" / "mutants.md"


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--tree", action="append", help="5.10 and 6.1 unless given")
    parser.add_argument("--no-peers", action="store_true", help="patchgen only, faster")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.name} in docs")
    parser.add_argument("--operator", action="append", default=[], help="only these faults")
    parser.add_argument("--file", default="", help="only files whose path contains this")
    parser.add_argument("--broken", action="store_true", help="list mutants that do not compile")
    parser.add_argument(
        "--jobs", type=int, default=0, help="processes; all processors unless given"
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run, print, and give the exit status."""
    options = arguments(words)
    began = time.monotonic()
    try:
        operators = _chosen(options.operator)
        found = [base for tree in options.tree or ["5.10", "6.1"] for base in _fetched(tree)]
    except UserError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return int(error.exit_status)
    todo = [m for m in running.mutants(found, operators) if options.file in m.site.path]
    results = tuple(running.run(found, todo, running.to_stderr, options.jobs))
    known = report.Peers()
    if not options.no_peers:
        counted = [n for n, r in enumerate(results) if r.state != "broken"]
        numbers = [counted[n] for n in peers.sample([todo[n] for n in counted], found)]
        mutants = [todo[n] for n in numbers]
        headers = [results[n].header for n in numbers]
        answers = peers.run(
            found, mutants, headers, peers.installed(), running.to_stderr, options.jobs
        )
        known = report.Peers(tuple(numbers), answers)
    versions = {base.tree: base.version for base in found}
    whole = report.Run(versions, operators, results, known)
    _print(whole, options.broken)
    if options.write_docs:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(report.page(whole), "utf-8")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    good = all(report.share(whole.counted(tree)) >= GOAL for tree in versions)
    return int(Exit.CLEAN if good else Exit.FINDINGS)


def _chosen(names: Sequence[str]) -> tuple[Operator, ...]:
    every = all_operators()
    unknown = set(names) - {op.name for op in every}
    if unknown:
        raise UserError(f"no such fault: {', '.join(sorted(unknown))}")
    return tuple(op for op in every if not names or op.name in names)


def _fetched(tree: str) -> list[Base]:
    if registry.is_name(tree) and registry.location(tree) is None:
        from patchgen.source.tree import fetch

        fetch.add(tree)
    return bases(tree)


def _print(whole: report.Run, with_broken: bool) -> None:
    lines = [*report.per_operator(whole), "", *report.per_rule(whole), ""]
    lines += [*report.missed(whole.results), ""]
    lost = report.broken(whole.results)
    lines += [*(lost if with_broken else []), f"{len(lost)} mutants do not compile"]
    lines += report.summary(whole)
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
