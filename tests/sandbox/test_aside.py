# SPDX-License-Identifier: GPL-2.0-only
"""Folders for temporary files: a killed run's are gone after the next, a living one's are not."""

import os
import signal
import subprocess
import sys
import time

import pytest

from patchgen.model.outcome import UserError
from patchgen.sandbox import aside
from patchgen.sandbox.aside import Aside

HOLD = (
    "import sys, time; from patchgen.sandbox.aside import Aside; one = Aside();"
    "print(one.path, flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    aside.sweep.cache_clear()
    return tmp_path


def test_a_killed_runs_folder_is_removed_and_a_living_ones_is_not(temporary):
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) as other:
        held = temporary / other.stdout.readline().strip()
        (held / "deep").mkdir()
        with Aside() as mine:
            assert held.is_dir() and mine.is_dir()
        assert not mine.exists()
        other.send_signal(signal.SIGKILL)
    assert held.is_dir()
    aside.sweep.cache_clear()
    with Aside() as mine:
        assert not held.exists() and mine.is_dir()
    assert list(temporary.iterdir()) == []


def test_nothing_else_is_removed(temporary):
    """What is not ours, or open to others, or no folder, or only called like it."""
    (temporary / "patchgen-run-others").mkdir(0o777)
    (temporary / "patchgen-run-others").chmod(0o777)
    (temporary / "patchgen-run-file").touch()
    (temporary / "patchgen-run-link").symlink_to("patchgen-elsewhere")
    (temporary / "patchgen-elsewhere").mkdir(0o700)
    (temporary / ".patchgen-run-young").mkdir(0o700)
    (temporary / ".patchgen-run-old").mkdir(0o700)
    os.utime(temporary / ".patchgen-run-old", (0, 0))
    before = {path.name for path in temporary.iterdir()}
    with Aside():
        pass
    assert {path.name for path in temporary.iterdir()} == before - {".patchgen-run-old"}


def test_a_fork_keeps_nothing_locked(temporary):
    """A worker that gave up the run's descriptors does not hold its folder."""
    from patchgen.sandbox.follow import let_go

    one = Aside()
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        let_go(reader)
        os.read(reader, 1)
        os._exit(0)
    path = one.path
    os.close(one._lock)
    deadline = time.monotonic() + 30  # the fork gives up what it has when it gets to run
    while path.exists() and time.monotonic() < deadline:
        aside.sweep.cache_clear()
        aside.sweep(temporary)
        time.sleep(0.01)
    os.close(writer)
    os.waitpid(pid, 0)
    assert not path.exists()


def test_no_place_for_one_is_one_line(temporary, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", str(temporary))

    monkeypatch.setattr(aside.tempfile, "mkdtemp", full)
    with pytest.raises(UserError, match=r"No space left on device \(free some, or set TMPDIR"):
        Aside()
