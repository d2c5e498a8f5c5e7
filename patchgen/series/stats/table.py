# SPDX-License-Identifier: GPL-2.0-only
"""Two sets of benchmark runs as the cover letter's table."""

from __future__ import annotations

import statistics
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.stats.runs import Run, RunSets, read_runs

# The order of the original posting; other names follow in the file's order.
_FIRST = ("real", "user", "sys", "npages")


class Sample(Value, frozen=True):
    """Mean and standard deviation (of the sample, None for a single run)."""

    runs: int
    mean: float
    stdev: float | None


class Row(Value, frozen=True):
    """One quantity of one run set; ``change`` in percent, None where before is 0."""

    run_set: str
    quantity: str
    before: Sample
    after: Sample
    change: float | None


def compare(before: Path, after: Path) -> tuple[Row, ...]:
    """Every quantity of every run set of two files; both must have the same ones."""
    old, new = read_runs(before), read_runs(after)
    if set(old) != set(new):
        odd = ", ".join(sorted(name or "(no name)" for name in set(old) ^ set(new)))
        raise UserError(f"run sets in one of the two only: {odd}", f"{before}, {after}")
    return tuple(row for name in old for row in _rows(name, old, new, f"{before}, {after}"))


def _rows(name: str, old: RunSets, new: RunSets, where: str) -> list[Row]:
    before, after = old[name], new[name]
    if not before or not after:
        raise UserError(f"run set {name or '(no name)'} has no run", where)
    if set(before[0]) != set(after[0]):
        odd = ", ".join(sorted(set(before[0]) ^ set(after[0])))
        raise UserError(f"measured in one of the two only: {odd}", where)
    names = [key for key in _FIRST if key in before[0]]
    names += [key for key in before[0] if key not in _FIRST]
    return [_row(name, key, before, after) for key in names]


def _row(name: str, key: str, before: list[Run], after: list[Run]) -> Row:
    old, new = _sample([run[key] for run in before]), _sample([run[key] for run in after])
    change = (new.mean - old.mean) / old.mean * 100 if old.mean else None
    return Row(name, key, old, new, change)


def _sample(values: list[float]) -> Sample:
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Sample(len(values), statistics.fmean(values), spread)


def table(rows: tuple[Row, ...]) -> str:
    """The rows as aligned text for a mail, at most 75 columns for usual figures."""
    parts = []
    for name in dict.fromkeys(row.run_set for row in rows):
        ours = [row for row in rows if row.run_set == name]
        title = f"{name}, " if name else ""
        counts = f"{ours[0].before.runs} runs before, {ours[0].after.runs} after"
        lines = [["", "before", "stdev", "after", "stdev", "change"]]
        lines += [_cells(row) for row in ours]
        widths = [max(len(line[column]) for line in lines) for column in range(6)]
        text = [f"{title}{counts}:", ""]
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            text.append("  ".join(cells).rstrip())
        parts.append("\n".join(text))
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> list[str]:
    change = "-" if row.change is None else f"{row.change:+.1f} %"
    figures = (row.before.mean, row.before.stdev, row.after.mean, row.after.stdev)
    return [row.quantity, *(_figure(value) for value in figures), change]


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.1f}"


def table_of(before: Path, after: Path) -> str:
    """The table of two files of runs: `compare`, then `table`."""
    return table(compare(before, after))
