# SPDX-License-Identifier: GPL-2.0-only
"""Work beside the work here: its answer, its errors, its end."""

import os
import signal
import time

import pytest

from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.background import Background


def test_it_runs_beside_and_gives_its_result():
    began = time.monotonic()
    works = [Background("sleep", lambda: time.sleep(0.6) or os.getpid()) for _ in range(4)]
    pids = {work.result() for work in works}
    assert len(pids) == 4 and os.getpid() not in pids
    assert time.monotonic() - began < 2.2  # one after the other takes 2.4 s


def test_an_error_of_it_is_raised_here():
    def fails() -> None:
        raise UserError("does not parse", "a.c:3")

    work = Background("it", fails)
    for _ in range(2):  # asked again, it says the same
        with pytest.raises(UserError, match="does not parse"):
            work.result()


def test_one_that_dies_is_a_failed_check():
    work = Background("lint", lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(CheckFailed, match="lint ended with status -9"):
        work.result()


def test_it_can_be_ended_at_any_time():
    began = time.monotonic()
    work = Background("sleep", lambda: time.sleep(60))
    work.stop()
    work.stop()
    assert time.monotonic() - began < 10
