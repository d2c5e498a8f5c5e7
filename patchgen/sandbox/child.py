# SPDX-License-Identifier: GPL-2.0-only
"""Child processes that never outlive the run, and how far they are.

A child dies with this process, even when that is killed with SIGKILL, so that no
orphan goes on writing into a half-made tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias

from patchgen.model.outcome import UserError
from patchgen.sandbox.follow import follower

Report: TypeAlias = Callable[[str, int, int], None]
"""``report(stage, done, total)``: bytes, or percent of 100; total 0 is unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """The report that says nothing."""


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without what redirects git or tar; messages in English."""
    drop = ("TAR_OPTIONS", "XZ_OPT", "XZ_DEFAULTS", "APT_CONFIG")
    kept = {
        key: value
        for key, value in os.environ.items()
        if key not in drop and (not key.startswith("GIT_") or key.startswith("GIT_SSL_"))
    }
    return kept | {"LC_ALL": "C", **extra}


@contextlib.contextmanager
def started(
    argv: Sequence[str | Path],
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep_fd: int = -1,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; whatever ends the block, the program and its group end too."""
    try:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=clean_environment() if env is None else env,
            cwd=cwd,
            pass_fds=(keep_fd,) if keep_fd >= 0 else (),
            process_group=0,
            preexec_fn=follower(),
        )
    except FileNotFoundError:
        raise UserError(f"this machine has no program {argv[0]}") from None
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            _close(pipe)


def run(
    argv: Sequence[str | Path],
    *,
    seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end: exit status and what it printed (both streams).

    Raises TimeoutError after ``seconds``; the program is gone by then.
    """
    with (
        tempfile.TemporaryFile() as output,
        started(argv, stdout=output, stderr=output, env=env, cwd=cwd) as process,
    ):
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"no answer within {seconds:.0f} s") from None
        return status, tail(output)


def tail(output: IO[bytes], size: int = 8192) -> str:
    """The last ``size`` bytes that were written to a file, as text."""
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - size))
    return output.read().decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
    process.wait()


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        return
