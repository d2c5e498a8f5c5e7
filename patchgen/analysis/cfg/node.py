# SPDX-License-Identifier: GPL-2.0-only
"""A node of the control-flow graph."""

from __future__ import annotations

from typing import TypeAlias

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.values.subjects import (
    Condition,
    Formula,
    Operand,
)
from patchgen.analysis.values.value import Constant, Known
from patchgen.model.code import Expr

PASS, STEP, FORK, CHOICE, SWITCH, LEAVE, STOP = range(7)

#: ``subject = operand``, or it is ``Known`` from now on, or what a formula gives.
Setting: TypeAlias = tuple[int, Operand | Known | Formula]


class Node:
    """One step: a pass-through, an event, a two-way fork, a switch or an end."""

    __slots__ = (
        "aliased", "cases", "condition", "event", "far", "head", "join", "keep", "keeps", "kill",
        "kills", "live", "loops", "next", "no", "pointer", "result", "sets", "shape", "writes",
    )  # fmt: skip

    def __init__(self, shape: int, next_: int = -1) -> None:
        self.shape = shape
        self.next = next_
        self.event: Event | None = None
        self.no: tuple[Event, int] | None = None
        self.condition: Condition | None = None
        self.cases: tuple[tuple[Constant | None, Event, int], ...] = ()
        self.kills: tuple[Expr, ...] = ()
        self.sets: tuple[Setting, ...] = ()
        self.result = -1
        #: Subjects that change, and those that change if what is written is theirs, too.
        self.kill = 0
        self.aliased = 0
        #: What a pointer of which nothing is known may lead to, too.
        self.far = 0
        #: The variable through which is written (``*p = x``), or -1.
        self.pointer = -1
        self.loops: tuple[Expr, ...] = ()
        #: ``x |= M``: text of x, True, M's number; ``x &= ~M`` has False.
        self.keeps: tuple[str, bool, Constant | None] | None = None
        #: Facts on ``x & N`` that such a store leaves: all, those that are (not) zero, and
        #: those that it most likely leaves.
        self.keep: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] = ((), (), ())
        self.head = False
        self.live = -1
        self.join = False
        self.writes = False

    def targets(self) -> list[int]:
        """Numbers of the nodes that may follow."""
        if self.shape == SWITCH:
            return [target for _, _, target in self.cases]
        found = [self.next] if self.next >= 0 else []
        if self.no is not None:
            found.append(self.no[1])
        return found
