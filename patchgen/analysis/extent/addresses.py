# SPDX-License-Identifier: GPL-2.0-only
"""Addresses as what they are made of: sums, choices of max() and min(), rounding."""

from __future__ import annotations

from patchgen.analysis.extent.bounds import Sum
from patchgen.analysis.values.subjects import constant_of
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, text


def choices(expr: Expr, choosing: str) -> tuple[Expr, ...]:
    """The values that ``max()`` ("highest") or ``min()`` chooses from; else ``expr`` itself."""
    expr = bare(expr)
    known = names("ranges", "arithmetic", choosing)
    if expr.kind == "call" and expr.name in known and len(expr.args) > 2:
        return tuple(part for arg in expr.args[-2:] for part in choices(arg, choosing))
    return (expr,)


def highest(expr: Expr, low: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The values of which an end is the lowest; table boundaries count from ``low``."""
    found: list[Expr] = []
    for one in choices(expr, "lowest"):
        size = load("ranges")["boundary"].get(one.name) if one.kind == "call" else None
        if size is None or len(one.args) < 3:
            found.append(one)
            continue
        step = Expr("name", size, (), one.span, one.line)
        found += (Expr("binary", "+", (begin, step), one.span, one.line) for begin in low)
        found += highest(one.args[2], low)
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


def once(exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Without those that read the same."""
    return tuple({text(expr): expr for expr in exprs}.values())
