# SPDX-License-Identifier: GPL-2.0-only
"""The bits of a range's flags by value, and what the helper that tests one answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Odd, Path, Store, every
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.analysis.told.dispatch import BLOCKABLE, CONFIGURED, HEADER
from patchgen.kernel.knowledge import names
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.placed import Placed, expression
from patchgen.source.c.text import bare, root, text
from patchgen.source.c.walk import expressions, walk

#: include/vdso/bits.h, include/linux/const.h.
_BITS = names("paths", "dispatch", "bits")
_PREFIX = "MMU_NOTIFIER_"
_RANGE = "mmu_notifier_range"
_INIT = re.compile(r"mmu_notifier_range_init(_\w+)?")
_DEPTH = 8
_NOWHERE = (Span(0, 0), 0)


class Values:
    """Numbers by name: macros and enumerators of some files."""

    def __init__(self, read: Read, files: Iterable[str] = (HEADER,)) -> None:
        self._bodies = Bodies(read, files, CONFIGURED)
        self.enumerators: dict[str, tuple[Place, Expr | None, str]] = {}
        for path in self._bodies.paths:
            self.enumerators.update(_enumerators(self._bodies.tokens(path), path))

    def names(self) -> Iterator[tuple[str, Place]]:
        """Every name that stands for a number, or may do so."""
        for name in self._bodies.names():
            for macro in self._bodies.macros(name):
                if macro.params is None and macro.tokens.texts:
                    yield name, Place(macro.path, macro.line)
        for name, (place, _, _) in self.enumerators.items():
            yield name, place

    def number(self, expr: Expr | None, depth: int = 0) -> int | None:
        """What an expression is worth; None where that is not known."""
        if expr is None or depth > _DEPTH:
            return None
        expr = bare(expr)
        if expr.kind == "const":
            try:
                return int(expr.name.rstrip("uUlL"), 0)
            except ValueError:
                return None
        if expr.kind == "name":
            return self._named(expr.name, depth)
        if expr.kind == "call":
            return self._called(expr, depth)
        args = [self.number(arg, depth + 1) for arg in expr.args]
        known = [arg for arg in args if arg is not None]
        if len(known) != len(args) or expr.kind not in ("unary", "binary"):
            return None
        return _operated(expr.name, known)

    def _named(self, name: str, depth: int) -> int | None:
        macros = self._bodies.macros(name)
        if macros:
            found = {self.number(m.expression(), depth + 1) for m in macros if m.params is None}
            return found.pop() if len(found) == 1 else None
        if name in self.enumerators:
            _, given, before = self.enumerators[name]
            if given is not None:
                return self.number(given, depth + 1)
            if not before:
                return 0
            # Enumerators count up from their neighbour, however many there are.
            last = self._named(before, depth)
            return None if last is None else last + 1
        return None

    def _called(self, expr: Expr, depth: int) -> int | None:
        if self._bodies.macros(expr.name) or self._bodies.functions(expr.name):
            return None
        if expr.name in _BITS and len(expr.args) == 2:
            place = self.number(expr.args[1], depth + 1)
            return None if place is None or not 0 <= place < 64 else 1 << place
        return None


def _operated(op: str, known: list[int]) -> int | None:
    if len(known) == 1:
        return {"-": -known[0], "+": known[0], "~": ~known[0]}.get(op)
    left, right = known
    if op in ("<<", ">>") and not 0 <= right < 64:
        return None
    made: Mapping[str, int] = {
        "+": left + right, "-": left - right, "*": left * right, "|": left | right,
        "&": left & right, "^": left ^ right,
    }  # fmt: skip
    if op in ("<<", ">>"):
        return left << right if op == "<<" else left >> right
    return made.get(op)


def _enumerators(tokens: Tokens, path: str) -> Iterator[tuple[str, tuple[Place, Expr | None, str]]]:
    """Each enumerator of a file: where, its value as written or None, the one before it."""
    texts = tokens.texts
    for at, word in enumerate(texts):
        if word != "enum" or tokens.kinds[at] != "name":
            continue
        begin = at + 1 if texts[at + 1 : at + 2] == ["{"] else at + 2
        if texts[begin : begin + 1] != ["{"]:
            continue
        before, now = "", begin + 1
        while now < len(texts) and texts[now] != "}":
            name, first, given = texts[now], now, None
            while now < len(texts) and texts[now] not in (",", "}"):
                now += 1
            if texts[first + 1 : first + 2] == ["="]:
                span = slice(first + 2, now)
                where = Span(tokens.starts[first], tokens.ends[first])
                line = tokens.line(tokens.starts[first])
                given = expression(Placed(tokens.kinds[span], texts[span], where, line))
            yield name, (Place(path, tokens.line(tokens.starts[first])), given, before)
            before = name
            now += texts[now : now + 1] == [","]


def taken(functions: Iterable[Function], bit: int, flag: str, values: Values) -> Evidence | None:
    """Where ``bit`` of a range's flags is used for something else than ``flag``; None: free.

    By value, however it is spelled.  What has no known value may be it.
    """
    for name, place in values.names():
        if not name.startswith(_PREFIX) or name == flag:
            continue
        value = values.number(Expr("name", name, (), *_NOWHERE))
        if value is None or value & bit:
            why = "is that bit" if value is not None else "has a value that is not understood"
            return Evidence(place, f"{name} {why}")
    for function in functions:
        for used in _used(function):
            value = values.number(used)
            if bare(used).name != flag and (value is None or value & bit):
                return Evidence(Place(function.path, used.line), text(used))
    return None


def _used(function: Function) -> Iterator[Expr]:
    """What a function combines a range's flags with, or initialises them to."""
    ranges = {p.name for p in function.params if _RANGE in p.type.split()}
    for node in walk(function.body):
        if isinstance(node, Decl):
            ranges |= {v.name for v in node.variables if _RANGE in v.type.split()}
    given = {p.name for p in function.params} if _INIT.fullmatch(function.name) else set()
    for used in _combined(function, ranges):
        # An initialisation passes on what it is given; its callers are looked at.
        if bare(used).name not in given:
            yield used


def _combined(function: Function, ranges: set[str]) -> Iterator[Expr]:
    for expr in expressions(function.body):
        if expr.kind == "call" and _INIT.fullmatch(expr.name) and len(expr.args) >= 8:
            at = 2 if expr.name.endswith("_migrate") else 3
            yield from _operands(expr.args[at])
        if expr.kind in ("binary", "assign") and len(expr.args) == 2:
            for mine, other in (expr.args, expr.args[::-1]):
                place = bare(mine)
                if place.kind in ("arrow", "member") and place.name == "flags":
                    whole = bare(place.args[0])
                    if root(place) in ranges or whole.name.endswith("range"):
                        yield from _operands(other)


def _operands(expr: Expr) -> Iterator[Expr]:
    expr = bare(expr)
    if expr.kind == "binary" and expr.name in ("|", "&"):
        for arg in expr.args:
            yield from _operands(arg)
    elif expr.kind == "unary" and expr.name == "~":
        yield from _operands(expr.args[0])
    elif expr.kind in ("name", "const", "binary", "call"):
        yield expr


# -- the helper ---------------------------------------------------------------


def polarity(read: Read, helper: str, flag: str, values: Values) -> Evidence | None:
    """Why ``helper`` does not answer whether ``flag`` is set in a range; None: it does."""
    try:
        bodies = Bodies(read, (HEADER,), CONFIGURED)
        ways = paths(bodies, helper, ("$range",))
        defined = [Place(f.path, f.line) for f in bodies.functions(helper)]
        defined += [Place(m.path, m.line) for m in bodies.macros(helper)]
    except NotUnderstood as error:
        return error.evidence
    where = defined[0] if defined else Place(HEADER, 1)
    bit = values.number(Expr("name", flag, (), *_NOWHERE))
    if bit is None or bit <= 0 or bit & (bit - 1):
        return Evidence(where, f"{flag} is not one bit of a value that is understood")
    blockable = values.number(Expr("name", BLOCKABLE, (), *_NOWHERE))
    if blockable is None or bit & blockable:
        return Evidence(where, f"{flag} and {BLOCKABLE} are not seen to be two bits")
    for path in ways:
        reason = _answers(path, bit, values)
        if reason:
            return Evidence(where, f"{helper}(): {reason}")
    return None


def _answers(path: Path, bit: int, values: Values) -> str:
    """Why a way through the helper does not answer whether the bit is set, or ""."""
    for event in every(path.events):
        if isinstance(event, Store | Odd):
            return "it does more than answer"
    asked: bool | None = None
    for condition in path.conditions:
        if not _is_bit(condition.expr, bit, values):
            return f"it asks for {condition.text}"
        asked = condition.holds
    value = bare(path.value) if path.value is not None else None
    if value is None:
        return "it answers nothing"
    known = constant(value)
    if known is not None:
        if asked is None:
            return f"it always answers {text(value)}"
        return "" if known == asked else "it answers the opposite"
    turned, inner = False, value
    while True:
        if inner.kind == "unary" and inner.name == "!":
            turned, inner = not turned, bare(inner.args[0])
        elif inner.kind == "binary" and inner.name in ("!=", "=="):
            zero = [side for side in inner.args if constant(side) is False]
            rest = [side for side in inner.args if constant(side) is not False]
            same = [side for side in inner.args if values.number(side) == bit]
            if len(zero) == 1:
                turned, inner = turned != (inner.name == "=="), bare(rest[0])
            elif len(same) == 1:
                rest = [side for side in inner.args if side is not same[0]]
                turned, inner = turned != (inner.name == "!="), bare(rest[0])
            else:
                return f"it answers {text(value)}"
        else:
            break
    if not _is_bit(inner, bit, values):
        return f"it answers {text(value)}"
    return "it answers the opposite" if turned else ""


def _is_bit(expr: Expr, bit: int, values: Values) -> bool:
    """Whether an expression is ``range->flags`` masked with just the bit."""
    expr = bare(expr)
    if expr.kind != "binary" or expr.name != "&":
        return False
    for mine, other in (expr.args, expr.args[::-1]):
        if text(bare(mine)) == "$range->flags" and values.number(other) == bit:
            return True
    return False
