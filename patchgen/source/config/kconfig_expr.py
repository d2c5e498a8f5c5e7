# SPDX-License-Identifier: GPL-2.0-only
"""Kconfig's expressions: text in, nested tuples out."""

from __future__ import annotations

import re

Expr = tuple["str | Expr", ...]
"""("sym", name), ("const", value), ("!", e), ("&&", a, b), ("||", a, b), (comparison, a, b)."""

LONGEST = 4000  # characters; the longest expression of 5.10 has 232
_MOST = 250  # parts of an expression, so that no nesting exhausts the stack
_NUMBER = re.compile(r"-?[0-9]+|0[xX][0-9a-fA-F]+")
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|&&|\|\||!=|<=|>=|[=<>!()]|[^\s()!=<>&|\"']+")


def parse_expr(text: str) -> Expr:
    """The expression as nested tuples; an unreadable one is the constant n."""
    tokens = _TOKEN.findall(text) if len(text) <= LONGEST else []
    if len(tokens) > _MOST:
        return ("const", "n")
    try:
        expr, rest = _either(tokens, 0)
    except (IndexError, RecursionError):
        return ("const", "n")
    return expr if rest == len(tokens) else ("const", "n")


def _either(tokens: list[str], index: int) -> tuple[Expr, int]:
    left, index = _both(tokens, index)
    while index < len(tokens) and tokens[index] == "||":
        right, index = _both(tokens, index + 1)
        left = ("||", left, right)
    return left, index


def _both(tokens: list[str], index: int) -> tuple[Expr, int]:
    left, index = _unary(tokens, index)
    while index < len(tokens) and tokens[index] == "&&":
        right, index = _unary(tokens, index + 1)
        left = ("&&", left, right)
    return left, index


def _unary(tokens: list[str], index: int) -> tuple[Expr, int]:
    if tokens[index] == "!":
        inner, index = _unary(tokens, index + 1)
        return ("!", inner), index
    if tokens[index] == "(":
        inner, index = _either(tokens, index + 1)
        if tokens[index] != ")":
            raise IndexError
        return inner, index + 1
    left = _atom(tokens[index])
    index += 1
    if index < len(tokens) and tokens[index] in ("=", "!=", "<", ">", "<=", ">="):
        return (tokens[index], left, _atom(tokens[index + 1])), index + 2
    return left, index


def _atom(token: str) -> Expr:
    if token[0] in "\"'":
        return ("const", token[1:-1])
    if token in ("y", "n", "m") or _NUMBER.fullmatch(token):
        return ("const", "y" if token == "m" else token)
    return ("sym", token)
