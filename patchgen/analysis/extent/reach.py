# SPDX-License-Identifier: GPL-2.0-only
"""How far the code of a function goes with its changes of page table entries.

A change in a loop over addresses reaches to the bound of the loop, a call as far as the
callee goes with the bounds that it is given, a page table walk as far as it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from weakref import WeakKeyDictionary

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.extent.bounds import Sum
from patchgen.analysis.sections.sites import role
from patchgen.analysis.values.local_values import Loop, Values
from patchgen.analysis.values.subjects import constant_of
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Decl, Expr, For, Function, MacroLoop, While
from patchgen.model.facts import OpsTable
from patchgen.source.c.text import bare, every, root, statements, subexpressions, substitute, text

_DEPTH = 10
_WALK_OPS = "mm_walk_ops"
#: Stands for an end that is as far away as the page is long that a walk is for.
_WHOLE_PAGE = "the end of its page"


class Reach(msgspec.Struct, frozen=True):
    """Entries may be changed from the highest of ``low`` up to the lowest of ``high``.

    ``loops`` are the loops that bring the changes so far.
    """

    low: tuple[Expr, ...]
    high: tuple[Expr, ...]
    loops: tuple[Loop, ...] = ()


def alters(call: Expr) -> bool:
    """Whether the call takes an entry away, or takes a permission from it."""
    name = call.name
    return (
        name in names("ranges", "alters", "functions")
        or name in names("ranges", "removes", "functions")
        or name in names("ranges", "unshares", "functions")
    )


def address_of(call: Expr) -> Expr | None:
    """The address that an altering call works at: by its value or by a pointer to it."""
    position = 2 if call.name not in names("ranges", "unshares", "functions") else 3
    if len(call.args) == 4:  # f(vma or mm, address, entry)
        position = 2
    if len(call.args) <= position:
        return None
    found = bare(call.args[position])
    return bare(found.args[0]) if found.kind == "unary" and found.name == "&" else found


@cache
def _walks() -> dict[str, tuple[tuple[str, ...], ...]]:
    return {
        entry["function"]: tuple(tuple(form) for form in entry["parameters"])
        for entry in load("ranges")["walk"]
    }


def walk_arguments(call: Expr) -> dict[str, Expr]:
    """The arguments of a page table walk by parameter; {} for other calls."""
    for form in _walks().get(call.name, ()):
        if len(form) == len(call.args) - 1:
            return dict(zip(form, call.args[1:], strict=True))
    return {}


def walk_callbacks(program: Program, function: Function, call: Expr) -> Iterator[Function]:
    """The functions that a page table walk calls, as far as they are at hand."""
    given = walk_arguments(call)
    table = root_of_address(given.get("ops") or given.get("walk"))
    if not table:
        return
    for name in dict.fromkeys((*_in_tables(program, function, table), *_in_local(function, table))):
        yield from program.named(name, function.path)[:1]


def root_of_address(expr: Expr | None) -> str:
    """The variable whose address an argument is, or ""."""
    if expr is None:
        return ""
    expr = bare(expr)
    return root(expr.args[0]) if expr.kind == "unary" and expr.name == "&" else ""


def _in_tables(program: Program, function: Function, name: str) -> Iterator[str]:
    for table in program.tables:
        if is_walk(table) and (table.name, table.path) == (name, function.path):
            yield from (entry.function for entry in table.entries if entry.function)


def is_walk(table: OpsTable) -> bool:
    """Whether a table holds the callbacks of a page table walk."""
    return table.struct == _WALK_OPS


def _in_local(function: Function, name: str) -> Iterator[str]:
    """Callbacks of a local struct mm_walk (up to 5.3), set where it is declared."""
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.name == name and variable.init is not None:
                for part in subexpressions(variable.init):
                    if part.kind == "field" and part.args and bare(part.args[0]).kind == "name":
                        yield bare(part.args[0]).name


class Reaches:
    """The reaches of a program's functions, each found once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._values: dict[int, Values] = {}
        self._own: dict[int, tuple[Reach, ...]] = {}
        self._alters: dict[int, bool] = {}
        self._walkers: dict[int, list[Function]] | None = None
        self._files: dict[str, dict[str, list[Expr]]] = {}

    def values(self, function: Function) -> Values:
        """The variables of a function."""
        found = self._values.get(id(function))
        if found is None:
            found = self._values[id(function)] = Values(function)
        return found

    def may_alter(self, function: Function, depth: int = 0) -> bool:
        """Whether the function, or what it calls, changes entries without a section."""
        found = self._alters.get(id(function))
        if found is None:
            self._alters[id(function)] = False
            calls = self.program.calls(function)
            found = not any(role(call) for call in calls) and (
                any(alters(call) for call in calls)
                or (
                    depth < _DEPTH
                    and any(
                        self.may_alter(callee, depth + 1)
                        for call in calls
                        for callee in self._callees(function, call)
                    )
                )
            )
            self._alters[id(function)] = found
        return found

    def walkers(self, callback: Function) -> list[Function]:
        """Functions that start a page table walk which calls ``callback``."""
        if self._walkers is None:
            self._walkers = {}
            for function in self.program.functions:
                for call in self.program.calls(function):
                    for called in walk_callbacks(self.program, function, call):
                        self._walkers.setdefault(id(called), []).append(function)
        return self._walkers.get(id(callback), [])

    def walk_alters(self, function: Function, call: Expr) -> bool:
        """Whether a callback of a page table walk changes entries.

        Under any configuration: options that no notifier depends on are not turned for it.
        """
        callbacks = tuple(walk_callbacks(self.program, function, call))
        if any(map(self.may_alter, callbacks)):
            return True
        whole = self._whole(function.path) if callbacks else {}
        seen: set[str] = set()
        todo = [callback.name for callback in callbacks]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                for called in whole.get(name, ()):
                    if alters(called):
                        return True
                    todo.append(called.name)
        return False

    def _whole(self, path: str) -> dict[str, list[Expr]]:
        """The calls of a file's functions by name, of all configurations."""
        if path not in self._files:
            found: dict[str, list[Expr]] = {}
            for function in self.program.whole(path):
                found.setdefault(function.name, []).extend(self.program.calls(function))
            self._files[path] = found
        return self._files[path]

    def _callees(self, function: Function, call: Expr) -> tuple[Function, ...]:
        if not call.name:
            return ()
        if call.name in _walks():
            return tuple(walk_callbacks(self.program, function, call))
        found = self.program.named(call.name, function.path)[:1]
        return tuple(callee for callee in found if callee is not function)

    def of_call(self, function: Function, call: Expr, depth: int = 0) -> tuple[Reach, ...]:
        """How far one call goes, the loops around it counted, in values at the call."""
        values = self.values(function)
        at = float(call.span.start)
        found: list[Reach] = []
        if alters(call):
            address = address_of(call)
            if address is not None:
                shown = values.at(address, at)
                found += self._rounds(function, call, Reach((shown,), (shown,)))
                found.append(Reach((shown,), (shown,)))
        elif call.name in _walks():
            given = walk_arguments(call)
            if given and self.walk_alters(function, call):
                start, end = given["start"], given["end"]
                low = _choices(values.at(start, at), "highest")
                found.append(Reach(low, _highest(values.at(end, at), low)))
        elif depth < _DEPTH and call.name:
            for callee in self._callees(function, call):
                given = {p.name: a for p, a in zip(callee.params, call.args[1:], strict=False)}
                for one in self.of(callee, depth + 1):
                    low = tuple(values.at(substitute(e, given), at) for e in one.low)
                    low = tuple(part for e in low for part in _choices(e, "highest"))
                    high = tuple(values.at(substitute(e, given), at) for e in one.high)
                    found.append(Reach(low, tuple(p for e in high for p in _highest(e, low))))
        return tuple(found) + tuple(
            wider for one in found for wider in self._widened(values, call, one)
        )

    def of(self, function: Function, depth: int = 0) -> tuple[Reach, ...]:
        """How far a function goes between addresses that its caller gives."""
        found = self._own.get(id(function))
        if found is None:
            self._own[id(function)] = ()
            known: dict[tuple[str, ...], Reach] = {}
            if self.may_alter(function):
                params = {param.name for param in function.params}
                for call in self.program.calls(function):
                    for one in self.of_call(function, call, depth):
                        inner = _in_terms_of(one, params)
                        if inner is not None:
                            shown = (*map(text, inner.low), "", *map(text, inner.high))
                            known.setdefault(shown, inner)
            found = self._own[id(function)] = tuple(known.values())
        return found

    # -- loops ------------------------------------------------------------------

    def _widened(self, values: Values, call: Expr, one: Reach) -> Iterator[Reach]:
        """The reach with the rounds of each loop around the call, inner loops first."""
        for loop in reversed(values.loops):
            if not loop.span.start < call.span.start < loop.span.end:
                continue
            wider = _all_rounds(values, loop, one)
            if wider is not None:
                yield wider
                one = wider

    def _rounds(self, function: Function, call: Expr, one: Reach) -> Iterator[Reach]:
        """Rounds of a walk of all entries that map a page, from its start address on."""
        values = self.values(function)
        for loop in values.loops:
            if not isinstance(loop, While) or call.span.start not in loop.body.span:
                continue
            for part in subexpressions(loop.test):
                if part.name not in names("ranges", "rounds", "functions") or len(part.args) < 2:
                    continue
                walk = bare(part.args[1])
                by_address = walk.kind == "unary" and walk.name == "&"
                name = root(walk.args[0] if by_address else walk)
                entry = values.at(call.args[-1], float(call.span.start))
                if not name or root(entry).partition("#")[0] != name:
                    continue
                start = _member(values, walk, name, by_address, loop)
                if start is not None:
                    whole = Expr("name", _WHOLE_PAGE, (), call.span, call.line)
                    yield Reach((start,), (whole,), (loop,))


def _member(values: Values, walk: Expr, name: str, by_address: bool, loop: Loop) -> Expr | None:
    """What the walk's member ``address`` holds when the loop begins."""
    at = float(loop.span.start)
    if not by_address:
        return values.at(Expr("arrow", "address", (walk,), walk.span, walk.line), at)
    for stmt in statements(values.function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.name == name and variable.init is not None:
                for field in variable.init.args:
                    if field.kind == "field" and field.name == "address" and field.args:
                        return values.at(field.args[0], float(variable.span.end))
    for part in every(values.function.body):
        places = load("ranges")["rounds"]["declare"].get(part.name) if part.kind == "call" else None
        if places and len(part.args) > max(places) + 1 and text(part.args[places[0] + 1]) == name:
            return values.at(part.args[places[1] + 1], float(part.span.start))
    return None


def _all_rounds(values: Values, loop: Loop, one: Reach) -> Reach | None:
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
            return Reach(_once(lows + one.low), _choices(end, "lowest"), (*one.loops, loop))
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
    return Reach(_once(lows + one.low), _once(highs), (*one.loops, loop))


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


# -- addresses ------------------------------------------------------------------


def _choices(expr: Expr, choosing: str) -> tuple[Expr, ...]:
    """The values that ``max()`` ("highest") or ``min()`` chooses from; else ``expr`` itself."""
    expr = bare(expr)
    known = names("ranges", "arithmetic", choosing)
    if expr.kind == "call" and expr.name in known and len(expr.args) > 2:
        return tuple(part for arg in expr.args[-2:] for part in _choices(arg, choosing))
    return (expr,)


def _highest(expr: Expr, low: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The values of which an end is the lowest; table boundaries count from ``low``."""
    found: list[Expr] = []
    for one in _choices(expr, "lowest"):
        size = load("ranges")["boundary"].get(one.name) if one.kind == "call" else None
        if size is None or len(one.args) < 3:
            found.append(one)
            continue
        step = Expr("name", size, (), one.span, one.line)
        found += (Expr("binary", "+", (begin, step), one.span, one.line) for begin in low)
        found += _highest(one.args[2], low)
    return tuple(found)


def linear(expr: Expr) -> Sum:
    """An address as a sum of terms and bytes; the whole page of ``x`` for ``x & mask``."""
    expr = bare(expr)
    if expr.kind == "name":
        size = load("ranges")["sizes"].get(expr.name)
        if size is not None:
            return Sum((), int(size))
        count = load("ranges")["counts"].get(expr.name)
        if count is not None:
            return Sum((), int(count))
    constant = constant_of(expr)
    if isinstance(constant, int):
        return Sum((), constant)
    if expr.kind == "binary" and len(expr.args) == 2:
        left, right = expr.args
        if expr.name in ("+", "-"):
            one, two = linear(left), linear(right)
            return one.minus(two) if expr.name == "-" else one.minus(Sum().minus(two))
        if expr.name == "*":
            one, two = linear(left), linear(right)
            number, other = (one.number, two) if one.number is not None else (two.number, one)
            if number is not None:
                terms = tuple((term, factor * number) for term, factor in other.terms if number)
                return Sum(terms, other.size * number)
        if expr.name == "<<" and text(right) == "PAGE_SHIFT":
            found = linear(left)
            page = int(load("ranges")["sizes"]["PAGE_SIZE"])
            return Sum(tuple((t, f * page) for t, f in found.terms), found.size * page)
        if expr.name == "&" and text(right).endswith("_MASK"):
            return linear(left)
    return Sum(((text(expr), 1),))


def is_known(expr: Expr) -> bool:
    """Whether an end is made of what can be told apart: parameters, members, sums."""
    expr = bare(expr)
    if expr.kind == "name":
        return "#" not in expr.name
    if expr.kind == "member":  # of a structure that something points to
        return is_known(expr.args[0]) and expr.args[0].kind != "name"
    if expr.kind == "arrow":
        return True
    if expr.kind == "binary":
        return expr.name in ("+", "-", "*", "<<", "&", "|") and all(map(is_known, expr.args))
    if expr.kind == "unary":
        return expr.name in ("-", "~") and is_known(expr.args[0])
    if expr.kind == "call":
        rounding = names("ranges", "arithmetic", "up") | names("ranges", "arithmetic", "down")
        return expr.name in rounding and all(map(is_known, expr.args[1:]))
    return expr.kind == "const"


def _in_terms_of(one: Reach, params: set[str]) -> Reach | None:
    """The reach in terms of parameters; None where a part of its end is not."""
    low = tuple(expr for expr in one.low if _only(expr, params))
    if not low or not all(_only(expr, params) for expr in one.high):
        return None
    return Reach(_once(low), _once(one.high))


def _only(expr: Expr, params: set[str]) -> bool:
    return all(
        part.name in params or part.name.isupper() or part.name == _WHOLE_PAGE
        for part in subexpressions(expr)
        if part.kind == "name"
    )


def _once(exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
    return tuple({text(expr): expr for expr in exprs}.values())


_known: WeakKeyDictionary[Program, Reaches] = WeakKeyDictionary()


def reaches_of(program: Program) -> Reaches:
    """The reaches of a program, shared by everyone who asks."""
    found = _known.get(program)
    if found is None:
        found = _known[program] = Reaches(program)
    return found
