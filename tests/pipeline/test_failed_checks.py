# SPDX-License-Identifier: GPL-2.0-only
"""A patch that fails its checks: what is said of it."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from patchgen.model.outcome import CheckFailed
from patchgen.pipeline.check import require

SHOWN = """
import sys
from patchgen import cli
from patchgen.model.outcome import CheckFailed

def fail(argv):
    raise CheckFailed("failed", evidence=("a.c:1: one", "b.c:2: a\\nname"))

cli._run = fail
cli.main([])
"""


def test_each_fault_is_evidence_of_its_own() -> None:
    faults = tuple(f"a.c:{line}: wrong" for line in range(1, 13))
    check = cast("Any", SimpleNamespace(faults=faults, undecided=("b.c:1: open",), subject="mm: x"))
    with pytest.raises(CheckFailed) as failed:
        require((check,))
    assert str(failed.value) == "patch 1/1 (mm: x) failed its checks"
    assert failed.value.evidence == faults[:10]


def test_evidence_is_shown_line_by_line_and_begins_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], capture_output=True, text=True, check=False
    )
    shown = ["patchgen: failed", "    a.c:1: one", "    b.c:2: a\\nname"]
    assert (done.returncode, done.stderr.splitlines()) == (1, shown)
