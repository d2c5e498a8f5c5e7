# SPDX-License-Identifier: GPL-2.0-only
"""What of a function the judge of locks asks in each context, found once."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.engine.walk import graph_of
from patchgen.analysis.locks.visible import found_in_memory, mentioned, tested, visible
from patchgen.model.code import Function
from patchgen.source.c.text import bare, every, root


class Shape(NamedTuple):
    """One function.

    ``visible``, ``tested`` and ``found`` are what its callers see, what its tests ask of
    parameters and of memory (:mod:`.visible`), by text with their bits; ``set`` the variables that
    it sets, ``named`` those that calls' arguments start at, ``given`` references that it takes,
    as text.
    """

    visible: dict[str, int]
    tested: dict[str, int]
    found: dict[str, int]
    set: frozenset[str]
    named: frozenset[str]
    given: frozenset[str]


def shape_of(function: Function, asked: frozenset[str]) -> Shape:
    """The shape of a function of a program in which ``asked`` are asked for."""
    graph = graph_of(function)
    assigned = frozenset(
        root(part.args[0])
        for part in every(function.body)
        if part.kind in ("assign", "postfix") and bare(part.args[0]).kind == "name"
    )
    return Shape(
        visible(graph, asked),
        {} if function.result == "void" else tested(graph),
        found_in_memory(graph),
        assigned,
        *mentioned(function),
    )
