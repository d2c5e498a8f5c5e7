# SPDX-License-Identifier: GPL-2.0-only
"""The end of a range is taken as its last byte.

``range->end`` is the first address behind the range.  Interval trees and
comparisons with ``<=`` want the last address inside: ``range->end - 1``.
Otherwise the neighbour that starts where the range ends is hit as well.

Bad::

    node = interval_tree_iter_first(&d->objects, range->start, range->end);

Good::

    node = interval_tree_iter_first(&d->objects, range->start, range->end - 1);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.kernel.knowledge import names
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import WARNING, Context, Rule
from patchgen.source.c.text import bare, every, statements, subexpressions, text

RULE = Rule(
    "MN031",
    "inclusive-end",
    WARNING,
    "the exclusive end of a range is used as its last address",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Interval tree look-ups and comparisons in the callbacks and their helpers."""
    for handler in tree.callbacks():
        for function in tree.program.reachable([handler.function], 3):
            yield from _look_ups(tree, function)
            yield from _comparisons(tree, function)
            yield from _last(tree, function)


def _is_end(tree: Context, function: Function, expr: Expr) -> bool:
    """``range->end`` itself, or a local that is set to just that."""
    resolved = bare(tree.effects.naming(function).plain(expr))
    return resolved.kind in ("arrow", "member") and resolved.name == "end" and _is_range(
        tree, function, resolved.args[0]
    )  # fmt: skip


def _is_range(tree: Context, function: Function, expr: Expr) -> bool:
    expr = bare(expr)
    if expr.kind != "name":
        return False
    words = tree.effects.naming(function).types.get(expr.name, "").replace("*", " ").split()
    return bool(names("kvm", "interval", "ranges") & set(words))


def _look_ups(tree: Context, function: Function) -> Iterator[Finding]:
    for call in tree.program.calls(function):
        if not call.name.endswith(tuple(names("kvm", "interval", "endings"))) or not call.name:
            continue
        last = call.args[-1]
        if len(call.args) > 3 and _is_end(tree, function, last):
            message = f"{call.name}() wants the last address, {text(last)} is the one behind it"
            yield tree.finding(RULE, last, message, path=function.path, function=function.name)


def _comparisons(tree: Context, function: Function) -> Iterator[Finding]:
    for part in every(function.body):
        if part.kind != "binary" or part.name not in ("<=", ">="):
            continue
        inner, end = part.args if part.name == "<=" else (part.args[1], part.args[0])
        if not _is_end(tree, function, end) or _is_limit(inner):
            continue
        message = f"{text(part)} also holds for the address behind the range"
        yield tree.finding(RULE, part, message, path=function.path, function=function.name)


def _last(tree: Context, function: Function) -> Iterator[Finding]:
    """A variable called "last" that is made from the end without taking one off."""
    for name, value in _stores(function):
        if "last" not in name.split("_"):
            continue
        parts = list(subexpressions(value))
        reduced = any(p.kind == "binary" and p.name == "-" for p in parts)
        if not reduced and any(_is_end(tree, function, part) for part in parts):
            message = f"{name} is the address behind the range: {text(value)}"
            yield tree.finding(RULE, value, message, path=function.path, function=function.name)


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
