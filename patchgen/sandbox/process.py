# SPDX-License-Identifier: GPL-2.0-only
"""Running make, gcc and QEMU: a clean environment, and nothing left behind.

Each child leads a process group of its own.  Whatever ends the wait for it (its
end, an exception, Ctrl-C, SIGTERM) ends the whole group: make with its compilers.  Where
the run itself is killed, the leader is, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from patchgen.sandbox.follow import follower

_GRACE = 5.0  # seconds between SIGTERM and SIGKILL


def environment() -> dict[str, str]:
    """What a child gets to see: no make flags, no compiler settings of the caller.

    The KBUILD_ variables make the kernel's version line the same in every build.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "LC_ALL": "C",
        "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
        "KBUILD_BUILD_USER": "patchgen",
        "KBUILD_BUILD_HOST": "patchgen",
        "KBUILD_BUILD_VERSION": "1",
    }


@contextlib.contextmanager
def running(
    command: list[str],
    cwd: Path | None = None,
    stdout: IO[bytes] | int = subprocess.PIPE,
    stderr: IO[bytes] | int = subprocess.STDOUT,
    more: Mapping[str, str] | None = None,
    first: Callable[[], None] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``command``, stderr joined to ``stdout`` by default; its group ends with the block.

    ``more`` are further environment variables, ``first`` is called in the child before
    the command (see :mod:`patchgen.sandbox.fence`).
    """
    follow = follower()

    def enter() -> None:
        follow()
        if first is not None:
            first()

    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**environment(), **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=enter,
    )
    try:
        yield process
    finally:
        _end(process)
        if process.stdout is not None:
            process.stdout.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    # The leader may be gone while members of its group still run.
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def output(command: list[str], cwd: Path | None = None) -> tuple[int, str]:
    """Run to the end; (exit status, stdout and stderr joined)."""
    with running(command, cwd) as process:
        text = process.communicate()[0]
    return process.returncode, text.decode(errors="replace")
