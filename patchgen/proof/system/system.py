# SPDX-License-Identifier: GPL-2.0-only
"""A transition system over small numbers: what is explored, and handed to Spin.

A state gives each variable a number.  A transition of a process is possible where its
guards hold, and then makes its updates, in order, in one step.  ``bad`` lists the
states that must not be reachable, each with the property that it breaks.
"""

from __future__ import annotations

from patchgen.model.base import Value
from patchgen.proof.extract.program import Node


class Variable(Value, frozen=True, array_like=True):
    """A variable of ``bits`` bits, ``initial`` at the start."""

    name: str
    bits: int
    initial: int


class Literal(Value, frozen=True, array_like=True, order=True):
    """``variable`` equals ``value``, or does not where ``negated``.

    Where ``other`` is a variable's name it stands in the place of ``value``.
    """

    variable: str
    value: int = 0
    negated: bool = False
    other: str = ""


class Update(Value, frozen=True, array_like=True):
    """A change of ``variable``: ``how`` is set, add (``value``), copy or or (``other``).

    "join" adds ``value``, or that of ``other``, to a set of numbers from 1 on, bit 0 for 1;
    0 adds nothing.  It comes behind a set of the same variable.
    """

    variable: str
    how: str
    value: int = 0
    other: str = ""


class Transition(Value, frozen=True, array_like=True):
    """One atomic step of ``process`` from location ``source`` to ``target``.

    ``steps`` are the program's nodes that it runs.  ``lock`` is the variable of the
    lock that it takes first, or "": its guards then include that the lock is free.
    """

    process: int
    source: int
    target: int
    guards: tuple[Literal, ...]
    updates: tuple[Update, ...]
    steps: tuple[Node, ...]
    lock: str = ""


class Process(Value, frozen=True):
    """A process: ``name`` for people, ``pc`` its location's variable ("" if it has one).

    ``holder`` is the number by which it holds locks, ``finished`` the location of its
    end (-1 if it runs for ever).
    """

    name: str
    pc: str
    holder: int
    finished: int
    locations: int


class Bad(Value, frozen=True, array_like=True):
    """States that break ``property``: those where all ``literals`` hold.

    ``cause`` is what a person is told; ``place`` the column that it happens in.
    """

    property: str
    cause: str
    column: str
    literals: tuple[Literal, ...]


class System(Value, frozen=True):
    """The whole system.  ``symmetric`` are two equal groups of variables, or none."""

    name: str
    variables: tuple[Variable, ...]
    processes: tuple[Process, ...]
    transitions: tuple[Transition, ...]
    bad: tuple[Bad, ...]
    symmetric: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
