# SPDX-License-Identifier: GPL-2.0-only
"""Workers, and what else a run starts, end with it, in whatever order things happen."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

#: A run that starts one thing, prints its process id, and is killed the moment after.
#: {late} delays what the child does first, as a loaded machine would.
RUN = """
import os, signal, subprocess, sys, time
from patchgen.sandbox import child, follow
from patchgen.source.clang import pool
from patchgen.pipeline import background
from patchgen.sandbox import process
late = {late}
if late:
    real = follow.die_with_parent
    slow = lambda: (time.sleep(late), real())
    follow.die_with_parent = pool.die_with_parent = background.die_with_parent = slow
def begin():
    {begin}
pid = begin()
print(pid, flush=True)
{wait}
os.kill(os.getpid(), signal.SIGKILL)
"""
BEGIN = {
    "worker": "return pool._Worker(time.sleep, lambda: None).process.pid",
    "busy worker": "w = pool._Worker(time.sleep, lambda: None); w.give(1, 60, 60)\n"
    "    return w.process.pid",
    "preparing worker": "return pool._Worker(print, lambda: time.sleep(60)).process.pid",
    "background": "return background.Background('x', lambda: time.sleep(60))._process.pid",
}


def left(pid, seconds):
    """Whether a process is still there (and no zombie) after some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text()
            if state.rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(("late", "wait"), [(0, ""), (0.3, ""), (0.3, "time.sleep(0.1)")])
@pytest.mark.parametrize("begin", BEGIN)
def test_nothing_outlives_a_run_that_is_killed(begin, late, wait):
    code = RUN.format(late=late, begin=BEGIN[begin], wait=wait)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as run:
        pid = int(run.stdout.readline())
        assert run.wait() == -signal.SIGKILL
        try:
            assert not left(pid, 5)
            assert run.stdout.read() == b""  # nobody holds it open
        finally:
            if left(pid, 0.01):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "begin",
    [
        "process.running(['sleep', '60'])",
        "child.started(['sleep', '60'])",
    ],
)
def test_a_program_ends_with_the_run_that_is_killed(begin):
    code = RUN.format(late=0, begin=f"return {begin}.__enter__().pid", wait="time.sleep(0.2)")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as run:
        pid = int(run.stdout.readline())
        run.wait()
        assert not left(pid, 5)


def descriptors(_):
    """Where each descriptor of this process leads, but the one that is used to look."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:
            continue
    return found


def test_a_worker_holds_its_pipe_and_no_other_descriptor(tmp_path):
    from patchgen.model.outcome import Done
    from patchgen.source.clang import pool

    with (tmp_path / "held").open("w"), (tmp_path / "held too").open("w"):
        answers = [answer for _, answer in pool.run(descriptors, [0, 1, 2], 2)]
    for answer in answers:
        assert isinstance(answer, Done)
        led = [to for to in answer.value.values() if to != "/dev/null" and "/proc/" not in to]
        assert len(led) == 1 and led[0].startswith("socket:"), answer.value


def test_work_beside_holds_its_pipe_and_no_other_descriptor(tmp_path):
    from patchgen.pipeline.background import Background

    with (tmp_path / "held").open("w"):
        found = Background("it", lambda: descriptors(0)).result()
    led = [to for to in found.values() if to != "/dev/null" and "/proc/" not in to]
    assert len(led) == 1 and led[0].startswith("pipe:"), found
