# SPDX-License-Identifier: GPL-2.0-only
"""Whole processes timed from outside: medians of wall and CPU seconds, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """Medians over the runs; memory in MiB is the largest single process.

    ``ratio`` is the median of the walls, each divided by that of the other command's run
    just before it; 0 where there was none.
    """

    wall: float
    cpu: float
    memory: float
    runs: int
    ratio: float = 0.0


def measure(
    command: Sequence[str],
    runs: int,
    before: Callable[[], None] = lambda: None,
    env: dict[str, str] | None = None,
    allowed: tuple[int, ...] = (0,),
    beside: Sequence[str] = (),
) -> Figure:
    """Run a command some times; ``before`` is called ahead of each run, not timed.

    ``beside`` is a command to compare with, run once ahead of each run: a machine that is
    faster or slower for a while is so for both.
    """
    walls, cpus, peaks, ratios = [], [], [], []
    for _ in range(runs):
        other = measure(beside, 1).wall if beside else 0.0
        before()
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        walls.append(time.monotonic() - began)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in allowed:
            sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
        cpus.append(usage.ru_utime + usage.ru_stime)
        peaks.append(usage.ru_maxrss / 1024)
        ratios.append(walls[-1] / other if other else 0.0)
    middle = statistics.median
    return Figure(middle(walls), middle(cpus), max(peaks), runs, middle(ratios))


def bare_parse(root: Path, path: str, folder: Path) -> list[str]:
    """A command that parses one file with libclang in a fresh interpreter: P."""
    from patchgen.source.config.flags import parse_config

    config = parse_config(root, path)
    script = folder / f"bare-{path.replace('/', '_')}.py"
    script.write_text(
        "from clang import cindex\n"
        f"unit = cindex.Index.create().parse({str(root / path)!r}, args={list(config.args)!r})\n"
        "assert unit is not None\n"
    )
    return [sys.executable, str(script)]
