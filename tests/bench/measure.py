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
    """Medians over the runs; memory in MiB is the largest single process."""

    wall: float
    cpu: float
    memory: float
    runs: int


def measure(
    command: Sequence[str],
    runs: int,
    before: Callable[[], None] = lambda: None,
    env: dict[str, str] | None = None,
    allowed: tuple[int, ...] = (0,),
) -> Figure:
    """Run a command some times; ``before`` is called ahead of each run, not timed."""
    walls, cpus, peaks = [], [], []
    for _ in range(runs):
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
    return Figure(statistics.median(walls), statistics.median(cpus), max(peaks), runs)


def bare_parse(root: Path, path: str, folder: Path) -> list[str]:
    """A command that parses one file with libclang in a fresh interpreter: P."""
    from patchgen.tree.flags import parse_config

    config = parse_config(root, path)
    script = folder / f"bare-{path.replace('/', '_')}.py"
    script.write_text(
        "from clang import cindex\n"
        f"unit = cindex.Index.create().parse({str(root / path)!r}, args={list(config.args)!r})\n"
        "assert unit is not None\n"
    )
    return [sys.executable, str(script)]
