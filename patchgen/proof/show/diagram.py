# SPDX-License-Identifier: GPL-2.0-only
"""The answer as one self-contained HTML file, each run as a sequence diagram in SVG."""

from __future__ import annotations

import html
import textwrap
from pathlib import Path

from patchgen.proof.result import ProofResult, Run, Verdict
from patchgen.proof.show.answer import columns_of, shown, table_rows, verdict_line
from patchgen.proof.system.properties import PROPERTIES
from patchgen.sandbox.writer import write_given
from patchgen.terminal import printable

TEMPLATE = "proof/report.html.j2"

_BOX, _GAP, _MARGIN, _LINE = 250, 14, 34, 15


def escape(text: str) -> str:
    """Text of the tree as a page may hold it: no markup, and nothing that is not seen."""
    return html.escape(printable(text))


def write_html(path: Path, result: ProofResult, title: str) -> None:
    """Write the page to ``path``.  UserError: it cannot be written."""
    write_given(path, to_html(result, title).encode())


def to_html(result: ProofResult, title: str) -> str:
    """The page; everything that comes from the tree is escaped."""
    from patchgen.edits.render import render

    return render(
        TEMPLATE,
        {
            "title": escape(title),
            "verdict": escape(verdict_line(result)),
            "unknown": [escape(f"unknown: {e.place}: {e.text}") for e in result.unknown],
            "properties": [{"name": n, "text": escape(t)} for n, t in PROPERTIES.items()],
            "rows": [
                {"transition": escape(name), "flag": flag, "cells": _cells(row)}
                for name, flag, row in table_rows(result)
            ],
            "figures": [_figure(verdict, run) for verdict, run in shown(result)],
            "limits": [escape(limit) for limit in result.limits],
            "bounds": escape(f"Bounds: {result.bounds}."),
        },
    )


def _cells(row: dict[str, Verdict]) -> list[dict[str, str]]:
    cells = []
    for name in PROPERTIES:
        verdict = row.get(name)
        if verdict is None:
            cells.append({"kind": "", "word": ""})
        elif verdict.holds:
            cells.append({"kind": "good", "word": "holds"})
        else:
            kind = "bad" if verdict.counts else ""
            cells.append({"kind": kind, "word": "no" if name == "O1" else "violated"})
    return cells


def _figure(verdict: Verdict, run: Run) -> dict[str, object]:
    columns = columns_of(run)
    middle = {name: _MARGIN + _BOX // 2 + at * (_BOX + _GAP) for at, name in enumerate(columns)}
    steps: list[dict[str, object]] = []
    top = 32
    for number, step in enumerate(run.steps, 1):
        words = [(word, "") for word in textwrap.wrap(step.text, 34)]
        if step.place.path:
            words.append((str(step.place), ' class="place"'))
        height = _LINE * len(words) + 8
        x = middle[step.column]
        steps.append(
            {
                "number": number,
                "x": x,
                "left": x - _BOX // 2,
                "top": top,
                "height": height,
                "line": top + _LINE,
                "mark": ' class="end"' if number == len(run.steps) else "",
                "texts": [
                    {"y": top + _LINE * (i + 1), "text": escape(word), "mark": mark}
                    for i, (word, mark) in enumerate(words)
                ],
            }
        )
        top += height + 6
    flag = ", flagged" if verdict.flagged else ""
    return {
        "caption": escape(
            f"{verdict.property} does not hold: {verdict.transition}{flag}: {run.cause}"
        ),
        "width": _MARGIN + len(columns) * (_BOX + _GAP),
        "height": top + 4,
        "box": _BOX,
        "columns": [{"x": middle[name], "name": escape(name)} for name in columns],
        "steps": steps,
    }
