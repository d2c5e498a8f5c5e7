# SPDX-License-Identifier: GPL-2.0-only
"""A client of the walk: what it is told, what it answers, where it stands."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import Graph
from patchgen.analysis.engine.known import (
    HARD,
    SHARED,
    Facts,
    fact_of,
    lookup,
)
from patchgen.analysis.values import value as values
from patchgen.analysis.values.subjects import Operand
from patchgen.analysis.values.value import Known
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step

S = TypeVar("S", bound=Hashable)

#: A path: (earlier path, event, steps inside a callee or None where there is nothing to
#: show, the callee's own way), or None at the start.
Path: TypeAlias = "tuple[Any, Event, tuple[Step, ...] | None, Trail | None] | None"


class Trail(NamedTuple):
    """A way through a function, for going it again: all branches, and ways of callees.

    ``last`` is the event at which it stops, None for a way out; ``inner`` how it goes on in
    the function that ``last`` calls.
    """

    function: Function
    path: Path
    last: Event | None = None
    inner: Trail | None = None


class Clobber(msgspec.Struct, frozen=True):
    """What a call may do to memory: sets ``members``, and how much more.

    ``level`` is HARD for nothing, UNSEEN where it has code that is not at hand, SHARED where
    others run meanwhile (see :mod:`patchgen.analysis.engine.known`).
    """

    level: int
    #: Whether code at hand writes where the call's arguments point.
    given: bool = False
    members: frozenset[str] = frozenset()


class Outcome(msgspec.Struct, Generic[S], frozen=True):
    """One way in which an event ends: the checker's state, and more.

    ``value`` narrows what the call evaluates to (``ZERO`` for a trylock that
    failed); ``steps`` are inserted into the witness, such as a callee's.
    """

    state: S
    value: Known | None = None
    steps: tuple[Step, ...] = ()
    #: What holds afterwards, by the text of a subject.
    facts: tuple[tuple[str, Known], ...] = ()
    #: What held before as well, and what the call's value is equal to.
    also: tuple[tuple[str, Known], ...] = ()
    equals: str = ""
    #: The callee's way, where one was entered.
    trail: Trail | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing but the state, and the steps to it."""
        return self.value is None and not (self.facts or self.also or self.equals)


class Here:
    """Where the walk stands: facts and the path so far.  Valid in the callback."""

    __slots__ = ("_facts", "_graph", "_path")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._facts: Facts = ()
        self._path: Path = None

    @property
    def function(self) -> Function:
        """The function that is walked."""
        return self._graph.function

    def value(self, expr: Expr) -> Known:
        """What is known of the value of ``expr`` before the event takes effect.

        Only expressions that the function asks for later are remembered; name
        others in ``Checker.keeps``.
        """
        return self.of(self._graph.operand(expr))

    def of(self, operand: Operand) -> Known:
        """What is known of an operand."""
        if operand.constant is not None:
            return values.constant(operand.constant)
        return lookup(self._graph, self._facts, operand.subject)

    def is_soft(self, bit: int) -> bool:
        """Whether other code may have changed what a tracked subject reads."""
        fact = fact_of(self._facts, bit)
        return fact is not None and fact[2] != HARD

    def address(self, pointer: Expr) -> Expr | None:
        """What the address that a variable holds is of (``&x``), if that is known."""
        return self._graph.subjects.addresses.get(self.value(pointer).symbol)

    def truth(self, condition: str) -> bool | None:
        """Whether the expression with this canonical text is non-zero, if known."""
        subject = self._graph.subjects.find(condition)
        bit = self._graph.bit_of.get(subject, -1)
        return values.truth(lookup(self._graph, self._facts, bit))

    def events(self) -> tuple[Event, ...]:
        """The recorded events of the path, oldest first."""
        found, path = [], self._path
        while path is not None:
            if path[2] is not None:
                found.append(path[1])
            path = path[0]
        return tuple(reversed(found))

    def trail(self, last: Event | None = None, inner: Trail | None = None) -> Trail:
        """The way so far, see :class:`Trail`."""
        return Trail(self.function, self._path, last, inner)

    def steps(self, last: Event | None = None, note: str = "") -> tuple[Step, ...]:
        """The witness so far: branches and changes of state, in order.

        ``last`` is added at the end unless it is there already, as ``note`` if
        one is given.  Of a very long way the middle is left out, and that is said.
        """
        steps: list[Step] = []
        for event, inner in _shown(self._path):
            if event is last:
                continue
            steps.append(Step(event.place, event.describe()))
            steps.extend(inner)
        if last is not None:
            steps.append(Step(last.place, note or last.describe()))
        return tuple(steps)


#: Steps that are shown of either end of a way: each of n findings may have n.
_END = 64


def _shown(path: Path) -> list[tuple[Event, tuple[Step, ...]]]:
    """What is shown of a path, oldest first, with what its callees did."""
    late, path = _latest(path, _END)
    count, rest = 0, path
    while rest is not None:  # no call in here: ways are as long as their function
        if rest[2] is not None:
            count += 1
        rest = rest[0]
    skipped = left = max(0, count - _END)
    while path is not None and left:
        if path[2] is not None:
            left -= 1
            event = path[1]
        path = path[0]
    early, _ = _latest(path, _END)
    if skipped > 1:
        early.insert(
            0, (event, (Step(event.place, f"({skipped - 1} steps before this are not shown)"),))
        )
    return [*reversed(early), *reversed(late)]


def _latest(path: Path, most: int) -> tuple[list[tuple[Event, tuple[Step, ...]]], Path]:
    """At most so many events that are shown, newest first, and the path before these."""
    found: list[tuple[Event, tuple[Step, ...]]] = []
    while path is not None and len(found) < most:
        if path[2] is not None:
            found.append((path[1], path[2]))
        path = path[0]
    return found, path


class Checker(Generic[S]):
    """A client of :func:`walk`; ``S`` is hashable, and no plain tuple.

    ``kinds`` are the events it wants, ``watches`` narrows them further and is
    asked once a node.  ``keeps`` names conditions by canonical text that shall
    be remembered although the function does not ask for them again.
    """

    kinds: frozenset[str] = frozenset({"call", "assign", "decl", "deref", "branch", "return",
                                       "asm", "unknown"})  # fmt: skip

    #: Whether memory that other code may change is taken to change; see :meth:`clobbers`.
    strict = False

    def initial(self, function: Function) -> S:
        """The state on entry."""
        raise NotImplementedError

    def clobbers(self, event: Event) -> Clobber:
        """What a call may change, for one that is ``strict``; asked once a node."""
        return Clobber(SHARED)

    def doubtful(self, state: S, event: Event) -> S:
        """The state where a path goes on only if memory that others may write has changed."""
        return state

    def unfollowed(self, state: S, event: Event) -> S:
        """The state where the code at hand decides a test in a way that is not followed."""
        return self.doubtful(state, event)

    def watches(self, event: Event) -> bool:
        """Whether the checker wants this event (of a wanted kind)."""
        return True

    def keeps(self, condition: str) -> bool:
        """Whether facts on this canonical text must outlive their last use."""
        return False

    def event(
        self, state: S, event: Event, here: Here
    ) -> S | Outcome[S] | tuple[S | Outcome[S], ...]:
        """The state after the event; several to split, ``()`` to end the path."""
        return state

    def at_exit(self, state: S, event: Event, here: Here) -> None:
        """The path leaves the function; ``here.value(event.expr)`` is returned."""


class WalkResult(msgspec.Struct, frozen=True):
    """What a walk covered.

    ``visited`` counts the steps.  ``bounded`` is "" when every path was covered,
    else a sentence on where the walk gave up.  ``unknown`` are the statements on
    the way that the parser did not understand.  ``blurred`` is the first place where
    more than CROWD sets of facts met and were forgotten: all paths are covered, and
    some of those walked may be infeasible.
    """

    visited: int
    bounded: str = ""
    unknown: tuple[Event, ...] = ()
    blurred: str = ""

    @property
    def complete(self) -> bool:
        """Whether the silence of the checker means anything."""
        return not self.bounded and not self.unknown
