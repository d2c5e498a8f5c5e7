# SPDX-License-Identifier: GPL-2.0-only
"""Runs of the program under caps, and what is wrong about how one ended.

The program is imported once; each run is a fork of that, in a session, a cache and a folder
for temporary files of its own.  This process is the reaper of what a run leaves behind.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import patchgen.__main__ as program
import patchgen.cli as cli

#: A word in files that no run may read: it must not be printed.
SECRET = "a_word_nobody_may_see"
STATUSES = (0, 1, 2, 3, 130)
#: Caps of one run: seconds of wall and of the processor, MiB of its largest process.
WALL, CPU, MEMORY = 240.0, 90.0, 2500.0
_PR_SET_CHILD_SUBREAPER = 36
#: What moves a terminal's cursor, hides text or turns it around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_BROKEN = re.compile(r"internal error|Traceback \(most recent|Exception ignored|Fatal Python")


class Run(NamedTuple):
    """How a run ended: its status (negative: a signal), what it printed, what it cost."""

    status: int
    out: str
    err: str
    wall: float
    cpu: float
    memory: float
    left: tuple[str, ...]
    late: bool


def prepare() -> None:
    """Import all commands, and become the reaper of orphans."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in cli.COMMANDS:
        cli.group.get_command(None, name)  # type: ignore[arg-type]


def run(
    words: Sequence[str | bytes],
    place: Path,
    *,
    cache: Path | None = None,
    cwd: Path | None = None,
    more: Mapping[str, str] | None = None,
    given: bytes = b"",
    during: Callable[[int], None] | None = None,
) -> Run:
    """``patchgen WORDS`` below ``place``; ``during`` is called with its process id."""
    temporary = place / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(place), "TMPDIR": str(temporary),
        "PATCHGEN_CACHE": str(cache or place / "cache"), "LC_ALL": "C.UTF-8", **(more or {}),
    }  # fmt: skip
    streams = [place / name for name in ("stdin", "stdout", "stderr")]
    for stream, data in zip(streams, (given, b"", b""), strict=True):
        stream.write_bytes(data)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(words, environment, cwd or place, streams)
    if during is not None:
        during(pid)
    status, late, usage = _wait(pid, began)
    wall = time.monotonic() - began
    left = tuple(sorted(entry.name for entry in temporary.iterdir()))
    workers = _orphans(2.0)
    out, err = (stream.read_bytes().decode(errors="surrogateescape") for stream in streams[1:])
    return Run(
        status, out, err, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
        left + workers, late,
    )  # fmt: skip


def _become(
    words: Sequence[str | bytes], environment: Mapping[str, str], cwd: Path, streams: Sequence[Path]
) -> None:
    """Be the program, as a shell would have started it."""
    status = 70
    try:
        os.setsid()
        os.chdir(cwd)
        for number, stream in enumerate(streams):
            mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            handle = os.open(stream, mode, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        os.environ.clear()
        os.environ.update(environment)
        resource.setrlimit(resource.RLIMIT_CPU, (int(CPU) + 30, int(CPU) + 60))
        sys.argv = ["patchgen", *map(os.fsdecode, words)]
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        try:
            program.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        atexit._run_exitfuncs()
        for stream_ in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream_.flush()
    except BaseException as error:
        os.write(2, f"Traceback (most recent call last): {type(error).__name__}: {error}".encode())
    finally:
        os._exit(status)


def _wait(pid: int, began: float) -> tuple[int, bool, resource.struct_rusage]:
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], max(0.0, began + WALL - time.monotonic()))
    finally:
        os.close(handle)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), not ended, usage


def _orphans(seconds: float) -> tuple[str, ...]:
    """Processes that outlived a run, and its end by ``seconds``; they are ended here."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return ()
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    left = []
    for task in Path("/proc/self/task").iterdir():
        for pid in map(int, (task / "children").read_text().split()):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:3]
                left.append(f"process {pid}: {b' '.join(words).decode(errors='replace')}")
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    return tuple(left)


def faults(run: Run, *, escapes: bool = True) -> list[str]:
    """What no run may do, and this one did."""
    said = run.out + run.err
    found = []
    if run.status not in STATUSES:
        found.append(f"exit status {run.status}: {_last(run.err)}")
    if broken := _BROKEN.search(said):
        found.append(f"broken: {said[broken.start() :].splitlines()[0][:200]}")
    if run.late:
        found.append(f"no end within {WALL:.0f} s")
    if run.cpu > CPU:
        found.append(f"{run.cpu:.0f} s of the processor")
    if run.memory > MEMORY:
        found.append(f"{run.memory:.0f} MiB of memory")
    if SECRET in said:
        found.append("a word of a file outside")
    if escapes and (control := _CONTROL.search(said)):
        found.append(f"a control character: {said[: control.end()].splitlines()[-1][-80:]!a}")
    if run.status == 2 and not run.err.strip():
        found.append("exit status 2 without a word")
    found += [f"left behind: {name}" for name in run.left]
    return found


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "nothing said"
