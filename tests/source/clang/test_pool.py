# SPDX-License-Identifier: GPL-2.0-only
"""Workers that crash, hang or raise cost their own task and no other."""

import faulthandler
import os
import signal
import time

import pytest

from patchgen.model.outcome import Done, Failed, UserError
from patchgen.source.clang import pool


def act(task):
    kind, number = task
    if kind == "crash":
        faulthandler.disable()  # pytest would print a dump
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        time.sleep(600)
    if kind == "spin":
        while True:
            pass
    if kind == "exit":
        os._exit(3)
    if kind == "user":
        raise UserError("no such thing", "a.c")
    if kind == "raise":
        raise ValueError("odd")
    return number * 2


def answers(kinds, workers=2, limit=60.0):
    tasks = [(kind, number) for number, kind in enumerate(kinds)]
    found = list(pool.run(act, tasks, workers, limit))
    assert sorted(number for number, _ in found) == list(range(len(kinds)))
    return dict(found)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("crash", "SIGSEGV (libclang fails on this file; the others are analysed: name them"),
        ("kill", "SIGKILL (the machine ran out of memory?"),
        ("exit", "status 3 (libclang fails on this file"),
        ("user", "a.c: no such thing"),
        ("raise", "internal error: ValueError: odd"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_task_costs_one_line(kind, said, workers):
    kinds = ["good", kind, "good", kind, "good", "good"]
    found = answers(kinds, workers)
    for number, name in enumerate(kinds):
        if name == "good":
            assert found[number] == Done(number * 2)
        else:
            assert isinstance(found[number], Failed)
            assert said in found[number].error


def test_a_task_that_hangs_is_stopped_at_its_limit():
    began = time.monotonic()
    found = answers(["hang", "good", "good", "good"], limit=1.0)
    assert time.monotonic() - began < 20
    assert "took more than 1 s" in found[0].error
    assert [found[n] for n in (1, 2, 3)] == [Done(2), Done(4), Done(6)]


def test_a_task_that_waits_for_nothing_is_stopped_before_its_limit(monkeypatch):
    monkeypatch.setattr(pool, "PATIENCE", 1.0)
    monkeypatch.setattr(pool, "_LOOK", 0.2)
    began = time.monotonic()
    found = answers(["hang", "good", "spin", "good"], limit=4.0)
    assert time.monotonic() - began < 30
    assert "waited for a file that gives nothing" in found[0].error
    assert "took more than 4 s" in found[2].error
    assert [found[n] for n in (1, 3)] == [Done(2), Done(6)]


def test_all_bad_tasks_end_too():
    found = answers(["crash"] * 5)
    assert all(isinstance(answer, Failed) for answer in found.values())


def test_no_tasks_no_workers():
    assert list(pool.run(act, [])) == []


def test_workers_are_gone_when_the_caller_stops_early():
    import multiprocessing

    run = pool.run(act, [("good", 1), ("hang", 2)], 2)
    assert next(run) == (0, Done(2))
    run.close()
    assert not multiprocessing.active_children()
