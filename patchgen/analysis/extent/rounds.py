# SPDX-License-Identifier: GPL-2.0-only
"""How far changes go, and how far they go over all rounds of a loop."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from patchgen.analysis.extent.addresses import choices, linear, once
from patchgen.analysis.extent.bounds import Sum
from patchgen.analysis.values.local_values import Loop, Values
from patchgen.model.code import Expr, For, MacroLoop
from patchgen.source.c.text import bare, subexpressions, substitute


class Reach(msgspec.Struct, frozen=True):
    """Entries may be changed from the highest of ``low`` up to the lowest of ``high``.

    ``loops`` are the loops that bring the changes so far.
    """

    low: tuple[Expr, ...]
    high: tuple[Expr, ...]
    loops: tuple[Loop, ...] = ()


def all_rounds(values: Values, loop: Loop, one: Reach) -> Reach | None:
    """``one`` over all rounds of a loop that moves its start; None for another loop."""
    if isinstance(loop, MacroLoop) or loop.test is None:
        return None
    mark = f"#{loop.span.start * 2}"
    moving = {
        part.name
        for low in one.low
        for part in subexpressions(low)
        if part.kind == "name" and part.name.endswith(mark)
    }
    if not moving:
        return None
    begin = float(loop.span.start)
    first = {name: values.at(_plain(name, loop), begin) for name in moving}
    for variable, bound in _bounds(loop.test):
        if any(
            values.changes(part.name, loop.span)
            for part in subexpressions(bound)
            if part.kind == "name"
        ):
            continue
        end = values.at(bound, begin)
        own = Sum(((f"{variable}{mark}", 1),))
        if any(linear(low).minus(own).number is not None for low in one.low):
            lows = tuple(substitute(low, first) for low in one.low)
            return Reach(once(lows + one.low), choices(end, "lowest"), (*one.loops, loop))
        if not isinstance(loop, For):
            continue
        step = _steps(loop)
        if variable in step and step[variable] == 1:
            return _counted(one, loop, variable, end, first, step, mark)
    return None


def _counted(
    one: Reach, loop: For, counter: str, end: Expr, first: dict[str, Expr],
    step: dict[str, int], mark: str,
) -> Reach | None:  # fmt: skip
    """Over the rounds of ``for (i = 0; i < end; i++, x += step)``."""
    last: dict[str, Expr] = {}
    for name, begin in first.items():
        plain = name.removesuffix(mark)
        if plain == counter:
            last[name] = end
        elif plain in step:
            number = Expr("const", str(step[plain]), (), loop.span, loop.line)
            rounds = Expr("binary", "*", (end, number), loop.span, loop.line)
            last[name] = Expr("binary", "+", (begin, rounds), loop.span, loop.line)
        else:
            return None
    lows = tuple(substitute(low, first) for low in one.low)
    highs = tuple(substitute(high, last) for high in one.high)
    return Reach(once(lows + one.low), once(highs), (*one.loops, loop))


def _plain(name: str, loop: Loop) -> Expr:
    return Expr("name", name.partition("#")[0], (), loop.span, loop.line)


def _bounds(test: Expr) -> Iterator[tuple[str, Expr]]:
    """(variable, bound) of ``x < bound`` or ``x != bound``, as far as a test asks that."""
    test = bare(test)
    if test.kind == "comma":
        yield from _bounds(test.args[1])
    elif test.kind == "binary" and test.name == "&&":
        for part in test.args:
            yield from _bounds(part)
    elif test.kind == "binary" and test.name in ("<", "!=", ">"):
        left, right = (bare(arg) for arg in test.args)
        if test.name == ">":
            left, right = right, left
        if left.kind == "name":
            yield left.name, right


def _steps(loop: For) -> dict[str, int]:
    """What a ``for`` adds to its variables after a round, where that is a number."""
    found: dict[str, int] = {}
    for part in subexpressions(loop.step) if loop.step is not None else ():
        if part.kind == "postfix" or (part.kind == "unary" and part.name == "++"):
            if part.name == "++" and bare(part.args[0]).kind == "name":
                found[bare(part.args[0]).name] = 1
        elif part.kind == "assign" and part.name == "+=" and bare(part.args[0]).kind == "name":
            by = linear(part.args[1]).number
            if by is not None:
                found[bare(part.args[0]).name] = by
    return found
