# SPDX-License-Identifier: GPL-2.0-only
"""Calls that initialise, start and end notifier ranges, and what they name.

A range is known by the canonical text of the object: ``range`` for ``&range``,
``*range`` for a pointer ``range``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, text

INIT, START, NONBLOCK, END = "init", "start", "nonblock", "end"


class RangeInit(msgspec.Struct, frozen=True):
    """A call of an initialiser; ``arguments`` are by parameter, {} if none fits."""

    function: Function
    call: Expr
    arguments: dict[str, Expr]

    @property
    def place(self) -> Place:
        """Where the call stands."""
        return Place(self.function.path, self.call.line)


@cache
def initialisers() -> dict[str, tuple[tuple[str, ...], ...]]:
    """The parameter lists that each initialiser has had, by name."""
    return {
        entry["function"]: tuple(tuple(known) for known in entry["parameters"])
        for entry in load("ranges")["init"]
    }


def role(call: Expr) -> str:
    """Whether a call initialises, starts or ends a range; "" for others."""
    name = call.name
    if name in initialisers():
        return INIT
    if name in names("ranges", "section", "start"):
        return START
    if name in names("ranges", "section", "nonblock"):
        return NONBLOCK
    return END if name in names("ranges", "section", "end") else ""


def range_of(call: Expr) -> Expr | None:
    """The range object (not its address) that the call's first argument means."""
    if len(call.args) < 2:
        return None
    argument = bare(call.args[1])
    if argument.kind == "unary" and argument.name == "&":
        return bare(argument.args[0])
    return Expr("unary", "*", (argument,), argument.span, argument.line)


def name_of(call: Expr) -> str:
    """The range that a call is about, as written without the address taken; "" for none."""
    target = range_of(call)
    return text(target).lstrip("*") if target is not None else ""


def arguments(call: Expr) -> dict[str, Expr]:
    """An initialiser's arguments by parameter; {} if no known form fits.

    Where just the number of arguments is unknown, the bounds are still found.
    """
    given = call.args[1:]
    for form in initialisers()[call.name]:
        if len(form) == len(given):
            return dict(zip(form, given, strict=True))
    return {}


def inits(program: Program, skip: tuple[str, ...] = ()) -> Iterator[RangeInit]:
    """Every initialisation outside the files ``skip``, in source order."""
    for function in program.functions:
        if function.path in skip or function.name in initialisers():
            continue
        for call in program.calls(function):
            if call.name in initialisers():
                yield RangeInit(function, call, arguments(call))
