# SPDX-License-Identifier: GPL-2.0-only
"""The end of a range is taken as its last byte.

``range->end``, and the ``end`` of callbacks that get (start, end), is the first address
behind the range.  Interval trees and comparisons with ``<=`` want the last address
inside: ``range->end - 1``.  Otherwise the neighbour that starts where the range ends is
hit as well.  The size is ``end - start``, with no one added.

Bad::

    node = interval_tree_iter_first(&d->objects, range->start, range->end);
    flush(d, start, end - start + 1);

Good::

    node = interval_tree_iter_first(&d->objects, range->start, range->end - 1);
    flush(d, start, end - start);
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from patchgen.analysis.values.naming import Naming
from patchgen.kernel.knowledge import names
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import WARNING, Context, Handler, Rule
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text

RULE = Rule(
    "MN031",
    "inclusive-end",
    WARNING,
    "the exclusive end of a range is used as its last address",
)


#: Callbacks with the parameters (mn, mm, start, end): include/linux/mmu_notifier.h.
_BOUNDS = (
    "invalidate_range", "arch_invalidate_secondary_tlbs", "clear_flush_young", "clear_young",
)  # fmt: skip
_START, _END, _DEPTH = 2, 3, 3


class _Ends(NamedTuple):
    """A function that gets a range, and its parameters that are its bounds, never set anew."""

    function: Function
    naming: Naming
    starts: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()

    def is_end(self, expr: Expr) -> bool:
        """``range->end`` or an end that was passed, or a local that is set to just that."""
        return self._is(expr, "end", self.ends)

    def is_start(self, expr: Expr) -> bool:
        """As :meth:`is_end`, of the start."""
        return self._is(expr, "start", self.starts)

    def _is(self, expr: Expr, member: str, passed: frozenset[str]) -> bool:
        resolved = bare(self.naming.plain(expr))
        if resolved.kind == "name":
            return resolved.name in passed
        if resolved.kind not in ("arrow", "member") or resolved.name != member:
            return False
        base = bare(resolved.args[0])
        if base.kind != "name":
            return False
        words = self.naming.types.get(base.name, "").replace("*", " ").split()
        return bool(names("kvm", "interval", "ranges") & set(words))


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Interval tree look-ups, comparisons and sizes in the callbacks and their helpers."""
    for handler in tree.callbacks():
        for at in _reached(tree, handler):
            yield from _look_ups(tree, at)
            yield from _comparisons(tree, at)
            yield from _last(tree, at)
            yield from _sizes(tree, at)


def _reached(tree: Context, handler: Handler) -> Iterator[_Ends]:
    """A callback and what it reaches, with the bounds that each is handed."""
    function = handler.function
    start: frozenset[str] = frozenset()
    end: frozenset[str] = frozenset()
    if handler.entry.member in _BOUNDS and len(function.params) > _END:
        kept = _kept(function)
        start = frozenset({function.params[_START].name}) & kept
        end = frozenset({function.params[_END].name}) & kept
    layer = [_Ends(function, tree.effects.naming(function), start, end)]
    seen: set[tuple[int, frozenset[str], frozenset[str]]] = set()
    for _ in range(_DEPTH + 1):
        following: list[_Ends] = []
        for at in layer:
            if (id(at.function), at.starts, at.ends) not in seen:
                seen.add((id(at.function), at.starts, at.ends))
                yield at
                following.extend(_called(tree, at))
        layer = following


def _called(tree: Context, at: _Ends) -> Iterator[_Ends]:
    for call in tree.program.calls(at.function):
        if not tree.program.is_sure(call, at.function):
            continue
        for callee in tree.program.targets(call, at.function):
            given = [(p.name, a) for p, a in zip(callee.params, call.args[1:], strict=False)]
            kept = _kept(callee)
            yield _Ends(
                callee,
                tree.effects.naming(callee),
                frozenset(name for name, arg in given if at.is_start(arg)) & kept,
                frozenset(name for name, arg in given if at.is_end(arg)) & kept,
            )


def _kept(function: Function) -> frozenset[str]:
    """Parameters that hold to the end what was passed: never set, and no address taken."""
    set_ = {
        root(part.args[0])
        for part in every(function.body)
        if part.kind in ("assign", "postfix")
        or (part.kind == "unary" and part.name in ("++", "--", "&"))
    }
    return frozenset(param.name for param in function.params) - set_


def _look_ups(tree: Context, at: _Ends) -> Iterator[Finding]:
    for call in tree.program.calls(at.function):
        if not call.name.endswith(tuple(names("kvm", "interval", "endings"))) or not call.name:
            continue
        last = call.args[-1]
        if len(call.args) > 3 and at.is_end(last):
            message = f"{call.name}() wants the last address, {text(last)} is the one behind it"
            yield tree.finding(
                RULE, last, message, path=at.function.path, function=at.function.name
            )


def _comparisons(tree: Context, at: _Ends) -> Iterator[Finding]:
    for part in every(at.function.body):
        if part.kind != "binary" or part.name not in ("<=", ">="):
            continue
        inner, end = part.args if part.name == "<=" else (part.args[1], part.args[0])
        if not at.is_end(end) or _is_limit(inner) or at.is_start(inner):
            continue
        message = f"{text(part)} also holds for the address behind the range"
        yield tree.finding(RULE, part, message, path=at.function.path, function=at.function.name)


def _last(tree: Context, at: _Ends) -> Iterator[Finding]:
    """A variable called "last" that is made from the end without taking one off."""
    for name, value in _stores(at.function):
        if "last" not in name.split("_"):
            continue
        parts = list(subexpressions(value))
        reduced = any(p.kind == "binary" and p.name == "-" for p in parts)
        if not reduced and any(at.is_end(part) for part in parts):
            message = f"{name} is the address behind the range: {text(value)}"
            yield tree.finding(
                RULE, value, message, path=at.function.path, function=at.function.name
            )


def _sizes(tree: Context, at: _Ends) -> Iterator[Finding]:
    """One added to the distance from any address to the end."""
    for part in every(at.function.body):
        if _with_one(at, part):
            message = f"{text(part)} counts the address behind the range"
            yield tree.finding(
                RULE, part, message, path=at.function.path, function=at.function.name
            )


def _with_one(at: _Ends, part: Expr) -> bool:
    """``end - x + 1`` or ``end + 1 - x``."""
    if part.kind != "binary" or part.name not in ("+", "-"):
        return False
    other = {"+": "-", "-": "+"}[part.name]
    for one, rest in (part.args, part.args[::-1]):
        inner = bare(rest)
        if inner.kind != "binary" or inner.name != other:
            continue
        if part.name == "+" and _is_one(one) and at.is_end(inner.args[0]):
            return True
        pair = (inner.args, inner.args[::-1])
        if part.args[0] is rest and any(at.is_end(e) and _is_one(o) for e, o in pair):
            return part.name == "-"
    return False


def _is_one(expr: Expr) -> bool:
    return bare(expr).kind == "const" and bare(expr).name.rstrip("uUlL") == "1"


def _stores(function: Function) -> Iterator[tuple[str, Expr]]:
    for stmt in statements(function.body):
        if isinstance(stmt, Decl):
            for variable in stmt.variables:
                if variable.init is not None:
                    yield variable.name, variable.init
    for part in every(function.body):
        if part.kind == "assign" and part.name == "=" and bare(part.args[0]).kind == "name":
            yield bare(part.args[0]).name, part.args[1]


def _is_limit(expr: Expr) -> bool:
    """Ends compare with ends: ``end <= range->end`` says "inside"."""
    shown = text(expr).lower()
    return any(word in shown for word in ("end", "last", "limit", "+"))
