# SPDX-License-Identifier: GPL-2.0-only
"""Work in a process of its own, beside the work here."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from patchgen.model.outcome import CheckFailed
from patchgen.sandbox.follow import die_with_parent, let_go, not_without

R = TypeVar("R")


class Background(Generic[R]):
    """``function()``, begun at once in a fork of this process.

    It sees the values of this moment; what it stores in the cache stays, all else that
    it changes is lost.  Its result must be picklable.  ``patient``: it leaves the
    processors to whatever else wants them.
    """

    def __init__(self, what: str, function: Callable[[], R], patient: bool = False) -> None:
        context = multiprocessing.get_context("fork")
        self._what = what
        self._answer, theirs = context.Pipe(duplex=False)
        # No daemon in the sense of multiprocessing: it may have parse workers of its own.
        arguments = (function, theirs, patient, os.getpid())
        self._process = context.Process(target=_serve, args=arguments)
        self._process.start()
        theirs.close()
        self._received: list[Any] = []

    def wait(self) -> None:
        """Wait until it is done.  CheckFailed where its process died."""
        if not self._received:
            try:
                self._received.append(self._answer.recv())
            except EOFError:
                self._process.join()
                status = self._process.exitcode
                raise CheckFailed(f"{self._what} ended with status {status}") from None
            finally:
                self.stop()

    def result(self) -> R:
        """What ``function`` returned, or the exception that it raised, raised here."""
        self.wait()
        (answer,) = self._received
        if isinstance(answer, Exception):
            raise answer
        found: R = answer
        return found

    def stop(self) -> None:
        """End it, whatever it does; nothing where it is done."""
        self._process.kill()
        self._process.join()
        self._answer.close()


_PATIENT = 10  # added to the nice value


def _serve(function: Callable[[], Any], answer: Connection, patient: bool, parent: int) -> None:
    die_with_parent()
    not_without(parent)
    let_go(answer.fileno())
    if patient:
        os.nice(_PATIENT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        answer.send(function())
    except Exception as error:
        answer.send(error)
