# SPDX-License-Identifier: GPL-2.0-only
"""Counters that a start callback raises and its end lowers."""

from __future__ import annotations

from collections.abc import Iterable

from patchgen.analysis.values.subjects import constant_of
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, every

_ATOMICS = {"atomic_inc": 1, "atomic_dec": -1, "atomic_inc_return": 1, "atomic_dec_return": -1,
            "atomic64_inc": 1, "atomic64_dec": -1, "atomic_long_inc": 1, "atomic_long_dec": -1,
            "atomic_dec_and_test": -1}  # fmt: skip


def change(expr: Expr) -> int:
    """By how much a counter changes: ``++ --``, ``+= 1``, atomic_inc(); else 0."""
    if expr.kind in ("postfix", "unary") and expr.name in ("++", "--"):
        return 1 if expr.name == "++" else -1
    if expr.kind == "assign" and expr.name in ("+=", "-="):
        by = constant_of(expr.args[1])
        if isinstance(by, int):
            return by if expr.name == "+=" else -by
    if expr.kind == "call" and len(expr.args) > 1:
        return _ATOMICS.get(expr.name, 0)
    return 0


def paired_counters(starts: Iterable[Function], ends: Iterable[Function]) -> frozenset[str]:
    """Members that a start callback's code raises and an end's lowers."""
    raised = {name for function in starts for name, by in _changes(function) if by > 0}
    return frozenset(
        name for function in ends for name, by in _changes(function) if by < 0 and name in raised
    )


def _changes(function: Function) -> Iterable[tuple[str, int]]:
    for part in every(function.body):
        by = change(part)
        if by:
            left = bare(part.args[1] if part.kind == "call" else part.args[0])
            if left.kind == "unary" and left.name == "&":
                left = bare(left.args[0])
            if left.kind in ("arrow", "member"):
                yield left.name, by
