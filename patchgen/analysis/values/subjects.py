# SPDX-License-Identifier: GPL-2.0-only
"""Conditions as comparisons of a subject with a constant.

A subject is an expression without side effects, known by its canonical text, or
the result of one call (``f(x)@offset``), which lives until it is used.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from patchgen.analysis.values.value import Constant
from patchgen.kernel.knowledge import constants, load, names
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, root, subexpressions, text

_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>",
                         "==", "!=", "<", ">", "<=", ">="})  # fmt: skip
_MIRROR = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


class Operand(NamedTuple):
    """A value: the ``subject``'s number, or -1 and a ``constant``, or neither."""

    subject: int = -1
    constant: Constant | None = None


class Condition(NamedTuple):
    """``subject operator constant``, or its negation if ``negated``.

    ``subject`` -1 is a condition about which nothing can be remembered.
    """

    subject: int
    operator: str
    constant: Constant
    negated: bool


class Formula(NamedTuple):
    """``left operator right``, of subjects, constants and formulas."""

    operator: str
    left: Operand | Formula
    right: Operand | Formula


class Subject(NamedTuple):
    """What a subject's text mentions, for finding out when it changes.

    ``formula`` is how its value follows from others', ``pointer`` the variable that it is
    what points to; ``anew`` tells that it is another value each time it is read.
    """

    text: str
    names: frozenset[str]
    fields: frozenset[tuple[str, str]]
    derefs: bool
    calls: bool = False
    formula: Formula | None = None
    pointer: int = -1
    anew: bool = False
    expr: Expr | None = None


OPEN = Operand()
#: A value that the code at hand makes in a way that is not followed.
UNFOLLOWED = Formula("?", OPEN, OPEN)


#: A variable that a subject's text begins with, maybe behind one ``*``.
_START = re.compile(r"\*?([A-Za-z_]\w*)")


class Subjects:
    """The subjects of one function, numbered in order of appearance."""

    def __init__(self) -> None:
        self.all: list[Subject] = []
        self._by_text: dict[str, int] = {}
        self._starting: dict[str, list[int]] = {}
        self._operands: dict[int, tuple[Expr, Operand]] = {}
        #: What the constants that are addresses (``&x``) are of.
        self.addresses: dict[str, Expr] = {}

    def operand(self, expr: Expr) -> Operand:
        """The subject or constant that ``expr`` evaluates to."""
        found = self._operands.get(id(expr))
        if found is None:
            found = (expr, self._operand(expr))
            self._operands[id(expr)] = found
        return found[1]

    def _operand(self, expr: Expr) -> Operand:
        unsigned = expr.kind == "cast" and bool({"unsigned", "u32", "u64"} & {*expr.name.split()})
        expr = bare(expr)
        value = constant_of(expr)
        if unsigned and isinstance(value, int) and value < 0:
            return Operand(self._add(Subject(f"(unsigned)({value})", frozenset(), frozenset(),
                                             False, formula=UNFOLLOWED)))  # fmt: skip
        if value is not None:
            return Operand(constant=value)
        if expr.kind == "call":
            if expr.name in names("evaluation", "anew", "always"):
                return Operand(self._result(expr))
            if expr.name in names("evaluation", "transparent"):
                return self.operand(condition_argument(expr))
            if not is_pure(expr):
                return Operand(self._result(expr))
        elif expr.kind == "unary" and expr.name in ("++", "--"):
            return self.operand(expr.args[0])
        elif expr.kind == "unary" and expr.name == "&" and _is_object(expr.args[0]):
            shown = text(expr)
            self.addresses[shown] = expr
            return Operand(constant=shown)
        elif expr.kind == "assign":
            return self.operand(expr.args[0])
        elif expr.kind == "comma":
            return self.operand(expr.args[1])
        elif expr.kind == "stmtexpr" and expr.body:
            last = getattr(expr.body[-1], "expr", None)
            return self.operand(last) if last is not None else OPEN
        return Operand(self._pure(expr)) if is_pure(expr) else OPEN

    def find(self, wanted: str) -> int:
        """The number of the subject with this text, or -1."""
        return self._by_text.get(wanted, -1)

    def result(self, expr: Expr) -> int:
        """The subject that stands for the value of this call."""
        return self._result(expr)

    def _result(self, expr: Expr) -> int:
        shown = f"{text(expr)}@{expr.span.start}"
        return self._add(Subject(shown, frozenset(), frozenset(), False))

    def _pure(self, expr: Expr, shown: str = "") -> int:
        shown = shown or text(expr)
        found = self._by_text.get(shown)
        if found is not None:
            return found
        mentioned, fields, derefs, calls, anew = set(), set(), False, False, False
        changing = names("evaluation", "anew", "functions")
        for part in subexpressions(expr):
            if part.kind == "call":
                calls, anew = True, anew or part.name in changing
            if part.kind == "name":
                mentioned.add(part.name)
            elif part.kind in ("member", "arrow"):
                fields.add((_holder(part), part.name))
            if part.kind == "index" or (part.kind == "unary" and part.name == "*"):
                derefs = True
        known = Subject(shown, frozenset(mentioned), frozenset(fields), derefs, calls)
        pointer = -1
        if expr.kind == "unary" and expr.name == "*" and bare(expr.args[0]).kind == "name":
            pointer = self.operand(expr.args[0]).subject
        return self._add(
            known._replace(formula=self.formula(expr), pointer=pointer, anew=anew, expr=expr)
        )

    def formula(self, expr: Expr) -> Formula | None:
        """How an arithmetic expression's value follows from its parts', or None."""
        expr = bare(expr)
        if expr.kind == "unary" and expr.name in ("-", "~") and constant_of(expr) is None:
            inner = self._part(expr.args[0])
            if expr.name == "-":
                return Formula("-", Operand(constant=0), inner)
            return Formula("-", Operand(constant=-1), inner)  # ~x is -1 - x
        if expr.kind != "binary" or expr.name not in _ARITHMETIC:
            return None
        operator, left, right = expr.name, self._part(expr.args[0]), self._part(expr.args[1])
        if operator in (">", ">="):
            return Formula(_MIRROR[operator], right, left)
        if operator == "!=":
            return Formula("==", Formula("==", left, right), Operand(constant=0))
        return Formula(operator, left, right)

    def _part(self, expr: Expr) -> Operand | Formula:
        return self.formula(expr) or self.operand(expr)

    def _add(self, subject: Subject) -> int:
        number = self._by_text.setdefault(subject.text, len(self.all))
        if number == len(self.all):
            self.all.append(subject)
            start = _START.match(subject.text)
            if start is not None:
                self._starting.setdefault(start[1], []).append(number)
        return number

    def starting(self, variable: str) -> tuple[int, ...]:
        """The subjects that begin with this variable: ``v``, ``v->a``, ``v.a``, ``*v``."""
        return tuple(self._starting.get(variable, ()))

    def condition(self, expr: Expr) -> Condition:
        """``expr``, free of ``&& || ?:``, as a comparison."""
        expr = bare(expr)
        if expr.kind == "unary" and expr.name == "!":
            inner = self.condition(expr.args[0])
            return inner._replace(negated=not inner.negated)
        if expr.kind == "call":
            if expr.name in names("evaluation", "transparent"):
                return self.condition(condition_argument(expr))
            comparison = load("evaluation")["compare"].get(expr.name)
            if comparison is not None and len(expr.args) > 1:
                operator, number = comparison.split()
                return Condition(self.operand(expr.args[1]).subject, operator, int(number), False)
        if expr.kind == "binary" and expr.name in _MIRROR:
            return self._comparison(expr)
        return Condition(self.operand(expr).subject, "==", 0, True)

    def _comparison(self, expr: Expr) -> Condition:
        left, right = self.operand(expr.args[0]), self.operand(expr.args[1])
        operator = expr.name
        if right.constant is not None and left.constant is None:
            return _against(left.subject, operator, right.constant)
        if left.constant is not None and right.constant is None:
            return _against(right.subject, _MIRROR[operator], left.constant)
        if not is_pure(expr):
            return Condition(-1, "==", 0, True)
        args, asked, negated = expr.args, "<", operator in ("!=", ">=", "<=")
        if operator in ("==", "!="):
            asked = "=="
            args = (args[1], args[0]) if text(args[1]) < text(args[0]) else args
        elif operator in (">", "<="):
            args = (args[1], args[0])
        shown = f"{text(args[0])} {asked} {text(args[1])}"
        asking = Expr("binary", asked, args, expr.span, expr.line)
        return Condition(self._pure(asking, shown), "==", 0, not negated)


def _against(subject: int, operator: str, value: Constant) -> Condition:
    if operator in ("==", "!="):
        return Condition(subject, "==", value, operator == "!=")
    if not isinstance(value, int):
        return Condition(-1, "==", 0, True)
    if operator in ("<", ">="):
        return Condition(subject, "<", value, operator == ">=")
    return Condition(subject, "<=", value, operator == ">")


def _holder(access: Expr) -> str:
    """The variable whose own member this is, or ``*p`` through a pointer."""
    while access.kind == "member":
        access = access.args[0]
    return access.name if access.kind == "name" else f"*{root(access)}"


def _is_object(expr: Expr) -> bool:
    """Whether an lvalue names an object without calls or changes: a variable's member."""
    expr = bare(expr)
    while expr.kind in ("member", "arrow"):
        expr = bare(expr.args[0])
    return expr.kind == "name"


def holder(access: Expr) -> str:
    """For ``a.b.c``: a; for an access through a pointer p: ``*p``."""
    return _holder(access)


def condition_argument(expr: Expr) -> Expr:
    """The argument that decides what a transparent call evaluates to."""
    position = load("evaluation")["condition_argument"].get(expr.name, 0) + 1
    return expr.args[position] if position < len(expr.args) else Expr(
        "unknown", "", (), expr.span, expr.line
    )  # fmt: skip


def is_pure(expr: Expr) -> bool:
    """Whether evaluating it twice gives the same and changes nothing."""
    pure = names("evaluation", "pure", "functions")
    transparent = names("evaluation", "transparent")
    for part in subexpressions(expr):
        kind = part.kind
        if kind in ("assign", "postfix", "stmtexpr", "unknown"):
            return False
        if kind == "unary" and part.name in ("++", "--"):
            return False
        if kind == "call" and part.name not in pure and part.name not in transparent:
            return False
    return True


def constant_of(expr: Expr) -> Constant | None:
    """The constant that ``expr`` is: a number, an upper-case name, or None."""
    expr = bare(expr)
    if expr.kind == "const":
        return _number(expr.name)
    if expr.kind == "name":
        number = constants().get(expr.name)
        if number is not None:
            return number
        is_macro = expr.name.isupper() and len(expr.name) > 2
        return expr.name if is_macro else None
    if expr.kind == "unary" and expr.name == "-":
        inner = constant_of(expr.args[0])
        if isinstance(inner, int):
            return -inner
        return f"-{inner}" if isinstance(inner, str) and inner.startswith("E") else None
    if expr.kind == "call" and expr.name in ("ERR_PTR", "PTR_ERR") and len(expr.args) == 2:
        return constant_of(expr.args[1])
    return None


def _number(token: str) -> int | None:
    digits = token.rstrip("uUlL")
    try:
        if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXbB":
            return int(digits, 8)
        return int(digits, 0)
    except ValueError:
        return None


__all__ = [
    "OPEN",
    "Condition",
    "Operand",
    "Subject",
    "Subjects",
    "condition_argument",
    "constant_of",
    "holder",
    "is_pure",
    "root",
]
