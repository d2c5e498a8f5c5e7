# SPDX-License-Identifier: GPL-2.0-only
"""Closed pipes, closed streams, full disks, a folder that is gone: no internal error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PATCHGEN = f"{sys.executable} -m patchgen"


def shell(line: str, folder: Path, before: str = "true") -> tuple[int, str, str]:
    """The exit status of the line, and what it printed; ``before`` runs before it."""
    line = line.replace("patchgen", PATCHGEN, 1)
    command = ["bash", "-c", f"set -o pipefail; {before}; {line}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "internal error" not in done.stderr + done.stdout, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "patchgen rules | true",
        "patchgen rules | head -1",
        "patchgen rules --json | head -c 20",
        "patchgen explain MN020 | head -1",
        "patchgen tree list --json | true",  # bytes, not text
        "patchgen --help | true",
        "patchgen lint mm/ksm.c | true",
        "patchgen lint -v mm/ksm.c 2>&1 | true",
    ],
)
def test_a_closed_pipe_is_silence_and_the_runs_own_status(mini, line):
    status, _, errors = shell(line, mini)
    assert (status, errors) == (0, "")


def test_findings_stay_findings_behind_a_closed_pipe(tree):
    (tree / "mm/odd.c").write_text("#include <linux/mmu_notifier.h>\nint f(\n")
    status, _, _ = shell("patchgen lint mm/odd.c 2>/dev/null | true", tree)
    assert status == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "<&- 2>&-"])
def test_closed_streams(mini, closed):
    assert shell(f"patchgen rules {closed}", mini)[0] == 0
    assert shell(f"patchgen lint mm/ksm.c {closed}", mini)[0] == 0
    assert shell(f"patchgen frobnicate {closed}", mini)[0] == 2
    status, _, errors = shell(f"patchgen verify - {closed}", mini)
    assert status == 2
    assert "2>" in closed or "stdin" in errors


def test_a_full_disk_is_one_line(mini):
    status, _, errors = shell("patchgen rules >/dev/full", mini)
    assert (status, errors) == (2, "patchgen: stdout: cannot be written: No space left on device\n")
    assert shell("patchgen frobnicate 2>/dev/full", mini)[0] == 2


def test_from_a_folder_that_is_gone(tmp_path):
    gone = tmp_path / "gone"
    for command in ("patchgen rules", "patchgen lint", "patchgen verify x", "patchgen tree list"):
        gone.mkdir()
        status, out, errors = shell(command, gone, before=f"rmdir {gone}")
        assert (status, out) == (2, "")
        assert errors.splitlines()[-1].startswith("patchgen: the current folder is gone")
        assert "Error" not in errors
