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
from typing import IO, NamedTuple, TypeAlias

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
    first: Callable[[], None] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; whatever ends the block, the program and its group end too.

    ``first`` is called in the child before the program (see :mod:`patchgen.sandbox.fence`).
    UserError: there is no such program.
    """
    follow = follower()

    def enter() -> None:
        follow()
        if first is not None:
            first()

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
            preexec_fn=enter,
        )
    except FileNotFoundError:
        raise UserError(f"this machine has no program {argv[0]}") from None
    try:
        yield process
    finally:
        if process.poll() is None or first is not None:
            # A stranger's program may be gone while what it started still runs.
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


class Answer(NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    out: bytes
    err: bytes


#: Most that is taken of what a program prints, in bytes.
_PRINTED = 256 << 20


def answer(
    argv: Sequence[str | Path],
    *,
    seconds: float,
    given: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    first: Callable[[], None] | None = None,
) -> Answer:
    """Run a program to its end on the bytes ``given``.

    Raises TimeoutError after ``seconds``; the program is gone by then.  UserError: there
    is no such program, or it printed more than is taken.
    """
    with contextlib.ExitStack() as opened:
        sent, out, err = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        sent.write(given)
        sent.seek(0)
        process = opened.enter_context(
            started(argv, stdin=sent, stdout=out, stderr=err, env=env, cwd=cwd, first=first)
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"no answer within {seconds:.0f} s") from None
        return Answer(status, _printed(out, argv[0]), _printed(err, argv[0]))


def _printed(output: IO[bytes], program: str | Path) -> bytes:
    output.seek(0)
    data = output.read(_PRINTED + 1)
    if len(data) > _PRINTED:
        raise UserError(f"printed more than {_PRINTED >> 20} MiB", str(program))
    return data


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
