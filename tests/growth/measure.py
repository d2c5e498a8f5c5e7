# SPDX-License-Identifier: GPL-2.0-only
"""What a lint of one grown file costs: calls of functions (exact), or seconds and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from patchgen.analysis.engine import moves
from patchgen.model.base import Value
from patchgen.model.outcome import Done, Failed, UserError
from patchgen.pipeline.lint import lint_named, selection
from patchgen.pipeline.named import Named
from patchgen.rules.run import LintResult
from patchgen.source.c import text
from patchgen.source.clang import pool, surface
from patchgen.source.facts import store
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve

FILE = "mm/grown.c"


class Cost(Value, frozen=True):
    """Of a run in processes of its own: seconds of wall and processor, MiB, and the end.

    ``lost``: the file was not analysed, or not in full; ``said`` is the first line then.
    """

    wall: float
    cpu: float
    memory: float
    status: int
    said: str
    lost: bool = False


@contextmanager
def counted() -> Iterator[list[int]]:
    """Counts the calls of Python functions and of built-in ones within the block."""
    calls = [0]

    def count(frame: object, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            calls[0] += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def work(root: Path) -> tuple[int, LintResult]:
    """Calls that it takes to lint the file, the parsers' included, and what is found.

    The parsers work in this process, and unconfined, for that.
    """
    # What a run before kept would be dropped at some moment of this one, and made again.
    text._lists = text._Lists()
    moves._graphs.clear()
    state = TreeState(resolve(str(root)))
    kept = store.confine, surface.confine, pool.run
    store.confine = surface.confine = lambda places: None  # type: ignore[assignment]
    pool.run = _here  # type: ignore[assignment]
    try:
        with counted() as calls:
            result = lint_named(state, Named((FILE,)), selection((), ()))
    finally:
        store.confine, surface.confine, pool.run = kept  # type: ignore[assignment]
    return calls[0], result


def _here(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    workers: int = 0,
    limit: float = 0,
    prepare: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, Done[Any] | Failed]]:
    for number, task in enumerate(tasks):
        prepare()
        try:
            yield number, Done(function(task))
        except UserError as error:
            yield number, Failed(str(error))


def run(root: Path, cache: Path, seconds: float) -> Cost:
    """``patchgen lint`` of the file, by the operating system's figures."""
    words = [sys.executable, "-m", "patchgen", "lint", "--tree", str(root), FILE]
    environment = os.environ | {"PATCHGEN_CACHE": str(cache)}
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
        alarm = threading.Timer(seconds, process.kill)
        alarm.start()
        _, status, used = os.wait4(process.pid, 0)
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    lines = [line for line in said.splitlines() if line.startswith("patchgen: ")] or [""]
    return Cost(
        wall=time.monotonic() - began,
        cpu=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss / 1024,
        status=process.returncode,
        said=lines[0][:100],
        lost="not analysed" in said,
    )
