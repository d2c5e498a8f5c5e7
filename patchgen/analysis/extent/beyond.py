# SPDX-License-Identifier: GPL-2.0-only
"""Whether the code of a section goes further than the range that it announced.

Only for ranges of a fixed length, or of a known difference to where the changes end: a
range that ends at a variable of its own may well cover them.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.extent.addresses import is_known, linear
from patchgen.analysis.extent.bounds import Sum, bounds_of
from patchgen.analysis.extent.reach import Reached, reaches_of
from patchgen.analysis.extent.rounds import Reach
from patchgen.analysis.extent.walks import is_walk
from patchgen.analysis.sections.ranges import Ranges
from patchgen.analysis.sections.sites import END, INIT, arguments, range_of, role
from patchgen.analysis.values.local_values import Loop, unnamed
from patchgen.analysis.values.subjects import constant_of
from patchgen.kernel.knowledge import load
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, every, name, statements, subexpressions, text

#: Ranges from here on are whole address spaces: 0 to -1UL (fs/proc/task_mmu.c).
_WHOLE = 1 << 62
_ADDRESSES = 1 << 64


class Beyond:
    """The calls of one function, held against the ranges that it initialises."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.ranges = ranges
        self.program = ranges.program
        self.function = function
        self.reaches = reaches_of(self.program)
        self.values = self.reaches.values(function)
        self._of: dict[int, Reached] = {}
        self._said: dict[tuple[int, str, int], str] = {}

    def of(self, call: Expr) -> Reached:
        """How far a call goes, without those that stay at one entry."""
        found = self._of.get(call.span.start)
        if found is None:
            all_of_it = self.reaches.of_call(self.function, call)
            far = tuple(one for one in all_of_it.reaches if one.low != one.high)
            found = self._of[call.span.start] = Reached(far, all_of_it.open)
        return found

    def message(self, call: Expr, key: str, init: Expr) -> str:
        """How the call leaves the range ``key`` of ``init``; "" where it does not."""
        asked = (call.span.start, key, init.span.start)
        if asked not in self._said:
            self._said[asked] = self._message(call, key, init)
        return self._said[asked]

    def _message(self, call: Expr, key: str, init: Expr) -> str:
        given = arguments(init)
        if "start" not in given:
            return ""
        at = float(init.span.start)
        start, end = self.values.at(given["start"], at), self.values.at(given["end"], at)
        for one in self.of(call).reaches:
            if any(self._per_round(loop) for loop in one.loops):
                continue
            high = self._past(one, key, start, end, call.span.start)
            if high is not None:
                shown = unnamed(text(high))
                return (
                    f"{call.name}() goes from {unnamed(text(start))} to {shown}, "
                    f"and the range ends at {text(given['end'])}"
                )
        return ""

    def before_walk(self) -> Iterator[tuple[Expr, str]]:
        """Initialisations that announce less of a walk than their callback is told of.

        Where it leaves the section open for the walk's other callbacks, which change entries.
        """
        calls = self.program.calls(self.function)
        if any(role(call) == END for call in calls):
            return
        for low, high in self._told():
            for init in calls:
                target = range_of(init) if role(init) == INIT else None
                given = arguments(init) if target is not None else {}
                if target is None or "start" not in given:
                    continue
                at = float(init.span.start)
                start, end = self.values.at(given["start"], at), self.values.at(given["end"], at)
                key = self.ranges.naming(self.function).key(target)
                if self._past(Reach((low,), (high,)), key, start, end, init.span.start) is not None:
                    walk = f"the walk goes from {text(low)} to {text(high)}"
                    yield init, f"{walk}, and the range ends at {text(given['end'])}"

    def _told(self) -> Iterator[tuple[Expr, Expr]]:
        """The part of a walk that the function is told of, as the walk's callback."""
        params = self.function.params
        for table in self.program.tables:
            if not is_walk(table) or table.path != self.function.path:
                continue
            others = [
                function
                for entry in table.entries
                if entry.function and entry.function != self.function.name
                for function in self.program.named(entry.function, table.path)
            ]
            for member, places in load("ranges")["before_entries"].items():
                told = table.function(member) == self.function.name and len(params) > max(places)
                if told and any(map(self.reaches.may_alter, others)):
                    low, high = (name(params[place].name) for place in places)
                    yield low, high

    def _past(self, one: Reach, key: str, start: Expr, end: Expr, at: int) -> Expr | None:
        """The end of the reach, if that is certainly, or for all that is known, too far."""
        members = {f"{key}.start": start, f"{key}.end": end}
        if key.startswith("*"):
            members = {f"{key[1:]}->start": start, f"{key[1:]}->end": end}
        first = linear(start)
        length = linear(end).minus(first).number
        if length is not None and (length <= 0 or length >= _WHOLE):
            return None
        lows = (linear(_replaced(low, members)) for low in one.low)
        if not any(low.minus(first).number is not None for low in lows):
            return None
        highs = [_replaced(high, members) for high in one.high]
        if not all(self._too_far(high, first, linear(end), length, at) for high in highs):
            return None
        return highs[-1]

    def _too_far(self, high: Expr, start: Sum, end: Sum, length: int | None, at: int) -> bool:
        reached = linear(high)
        beyond = _unsigned(reached).minus(end).number
        if beyond is not None:
            return beyond > 0
        if length is None or not is_known(high):
            return False
        if self._tested(high) or self._assigned(high, at):
            return False
        return not self._given_so(reached.minus(start), length)

    def _assigned(self, high: Expr, at: int) -> bool:
        """Whether the function sets a member that the end is made of, above an offset."""
        members = {part.name for part in subexpressions(high) if _is_member(part)}
        assigns = (p for p in every(self.function.body) if p.kind == "assign")
        stored = (bare(p.args[0]) for p in assigns if p.span.start < at)
        return any(_is_member(left) and left.name in members for left in stored)

    def _tested(self, high: Expr) -> bool:
        """Whether a condition holds something of the end against a number of bytes."""
        used = {text(part) for part in subexpressions(high) if not part.args or _is_member(part)}
        used = {one for one in used if not one.isupper() and not one.isdigit()}
        for stmt in statements(self.function.body):
            test = getattr(stmt, "test", None)
            for part in subexpressions(test) if test is not None else ():
                if part.kind == "binary" and part.name in ("<", "<=", ">", ">=", "==", "!="):
                    compared = list(_outside_calls(part))
                    if {text(one) for one in compared} & used and any(map(_is_size, compared)):
                        return True
        return False

    def _given_so(self, length: Sum, announced: int) -> bool:
        """Whether all callers give bounds that are no further apart than announced."""
        params = [param.name for param in self.function.params]
        if not length.terms or not all(term in params for term, _ in length.terms):
            return False
        found = []
        for caller in self.ranges.all_callers(self.function):
            sums = bounds_of(caller)
            for call in self.program.calls(caller):
                if call.name == self.function.name and len(call.args) > len(params):
                    total = Sum((), length.size)
                    for term, factor in length.terms:
                        part = sums.sum(call.args[params.index(term) + 1])
                        for _ in range(abs(factor)):
                            total = total.minus(part if factor < 0 else Sum().minus(part))
                    found.append(total.number is not None and total.number <= announced)
        return bool(found) and all(found)

    def _per_round(self, loop: Loop) -> bool:
        """Whether a section is opened and closed in each round of a loop."""
        roles = {role(part) for part in every(loop.body) if part.kind == "call"}
        return END in roles and bool(roles - {END, ""})


def _unsigned(found: Sum) -> Sum:
    """An absolute address as the unsigned number it is: -1 is the last one."""
    if found.terms or found.size >= 0:
        return found
    return Sum((), found.size + _ADDRESSES)


def _is_member(expr: Expr) -> bool:
    return expr.kind in ("member", "arrow")


def _outside_calls(expr: Expr) -> Iterator[Expr]:
    """The parts of an expression, arguments of calls left out."""
    yield expr
    for part in expr.args if expr.kind != "call" else ():
        yield from _outside_calls(part)


def _is_size(expr: Expr) -> bool:
    expr = bare(expr)
    number = constant_of(expr)
    if isinstance(number, int):
        return number > 0
    return expr.kind == "name" and expr.name.endswith(("_SIZE", "_NR"))


def _replaced(expr: Expr, members: dict[str, Expr]) -> Expr:
    if _is_member(expr):
        return members.get(text(expr), expr)
    if not expr.args:
        return expr
    args = tuple(_replaced(arg, members) for arg in expr.args)
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)
