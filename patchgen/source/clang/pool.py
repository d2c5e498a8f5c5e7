# SPDX-License-Identifier: GPL-2.0-only
"""Worker processes that may die: a crash or a hang costs one task, not the run."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from patchgen.model.outcome import Done, Failed, UserError
from patchgen.sandbox.follow import die_with_parent, let_go, not_without, worked

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")

#: Seconds one task may take; the slowest kernel source takes 10 s on a slow machine.
TIME_LIMIT = 120.0
#: Seconds that a task may wait without working: for a FIFO that nobody writes, say.
PATIENCE = 5.0
#: What to do about a parser that is gone.
_CRASH = "libclang fails on this file; the others are analysed: name them to leave it out"
_SPENT = "the machine ran out of memory? Close something, or name fewer files"
_LOOK = 2.0  # seconds between two looks at a worker


class _Worker(Generic[T, R]):
    def __init__(self, function: Callable[[T], R], prepare: Callable[[], object]) -> None:
        import multiprocessing  # with sockets and pickle: a run that parses nothing needs none

        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        arguments = (function, theirs, prepare, os.getpid())
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | None = None
        self.deadline = 0.0
        self._worked = ""
        self._since = 0.0

    def give(self, number: int, task: T, limit: float) -> None:
        self.task = number
        self._since = time.monotonic()
        self.deadline = time.monotonic() + limit
        # If it died while idle, its connection says so when it is waited for.
        with contextlib.suppress(OSError):
            self.connection.send(task)

    def waits(self, now: float) -> bool:
        """Whether all threads sleep since :data:`PATIENCE`, and used no processor."""
        done = worked(self.process.pid)
        if done is None or done != self._worked:
            self._worked, self._since = done or "", now
        return now - self._since > PATIENCE

    def stop(self) -> str:
        """Kill it; how it ended, in words."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        code = self.process.exitcode or 0
        self.connection.close()
        if code >= 0:
            return f"the parser ended with status {code} ({_CRASH})"
        hint = _SPENT if -code in (signal.SIGKILL, signal.SIGXCPU) else _CRASH
        return f"the parser was ended by {signal.Signals(-code).name} ({hint})"


def _serve(
    function: Callable[[Any], Any],
    connection: Connection,
    prepare: Callable[[], object],
    parent: int,
) -> None:
    die_with_parent()
    not_without(parent)
    # A crash must not leave a core file or libclang's report on the user's terminal.
    let_go(connection.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    prepare()
    while True:
        try:
            task = connection.recv()
        except EOFError:
            os._exit(0)
        try:
            answer: Any = Done(function(task))
        except UserError as error:
            answer = Failed(str(error))
        except Exception as error:
            answer = Failed(f"internal error: {type(error).__name__}: {error}")
        connection.send(answer)


def run(
    function: Callable[[T], R],
    tasks: Iterable[T],
    workers: int = 0,
    limit: float = TIME_LIMIT,
    prepare: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, Done[R] | Failed]]:
    """``(number of the task, result)`` for every task, as they are finished.

    ``function`` must be importable by name; tasks and results are pickled.  Tasks are
    taken from the iterable one ahead of the workers, so that it may make them meanwhile.
    ``prepare`` is called once in each worker.  A task whose worker dies or takes more
    than ``limit`` seconds is Failed, with how.
    """
    pending = enumerate(tasks)
    crew: list[_Worker[T, R]] = []
    try:
        for number, task in itertools.islice(pending, workers or os.cpu_count() or 1):
            worker = _Worker(function, prepare)
            crew.append(worker)
            worker.give(number, task, limit)
        following = next(pending, None)
        while any(worker.task is not None for worker in crew):
            for worker, answer in _answers(crew, limit):
                number = worker.task if worker.task is not None else -1
                worker.task = None
                if isinstance(answer, str):
                    crew.remove(worker)
                    worker, answer = _Worker(function, prepare), Failed(answer)
                    crew.append(worker)
                if following is not None:
                    worker.give(*following, limit)
                    following = next(pending, None)
                yield number, answer
    finally:
        for worker in crew:
            worker.stop()


def _answers(
    crew: Sequence[_Worker[T, R]], limit: float
) -> list[tuple[_Worker[T, R], Done[R] | Failed | str]]:
    """Answers that are there; a string for a worker that died or took too long."""
    from multiprocessing.connection import wait

    busy = {worker.connection: worker for worker in crew if worker.task is not None}
    soonest = min(worker.deadline for worker in busy.values())
    ready = wait(list(busy), timeout=min(_LOOK, max(0.0, soonest - time.monotonic())))
    found: list[tuple[_Worker[T, R], Done[R] | Failed | str]] = []
    for connection in ready:
        worker = busy[connection]  # type: ignore[index]
        try:
            found.append((worker, worker.connection.recv()))
        except (EOFError, ConnectionResetError):
            found.append((worker, worker.stop()))
    now = time.monotonic()
    for worker in busy.values():
        if worker.connection in ready:
            continue
        if worker.deadline <= now:
            worker.stop()
            found.append((worker, f"the parser took more than {limit:.0f} s and was stopped"))
        elif worker.waits(now):
            worker.stop()
            what = "the parser waited for a file that gives nothing (a FIFO?), and was stopped"
            found.append((worker, what))
    return found
