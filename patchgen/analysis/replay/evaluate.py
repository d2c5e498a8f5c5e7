# SPDX-License-Identifier: GPL-2.0-only
"""Expressions of a frame as terms, behind what they do: calls, stores and steps are done."""

from __future__ import annotations

import ast
from collections.abc import Hashable

from patchgen.analysis.replay.declared import Declarations, element, field_of, is_array
from patchgen.analysis.replay.memory import (
    Global,
    Memory,
    Place,
    Subscript,
    Variable,
    address_of,
    place_at,
)
from patchgen.analysis.replay.terms import (
    COMPARED,
    COMPUTED,
    ONE,
    ZERO,
    Address,
    Number,
    Term,
    Unclear,
    Unknown,
    binary,
    chosen,
    converted,
    truth,
    unary,
)
from patchgen.analysis.values.subjects import condition_argument, constant_of
from patchgen.analysis.values.types import CHAR, INT, LONG, UNSIGNED, CType
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, text

_STEPS = {"++": "-", "--": "+"}
_ULONG = CType(64, False)
_ARITHMETIC = frozenset({"min", "max", "min_t", "max_t", "strlen", "strnlen"})


class Frame:
    """One call of a function on the path; ``results`` are those of the calls that it made."""

    def __init__(self, number: int, function: Function) -> None:
        self.number = number
        self.function = function
        self.results: dict[int, tuple[Expr, Term]] = {}


class Evaluator:
    """What expressions are worth, in the memory of one path."""

    def __init__(self, declarations: Declarations) -> None:
        self.declared = declarations
        self.memory = Memory(self._first)
        self.moment = 0
        self._read_anew = 0
        #: Macros that are being followed: one may stand in itself.
        self._opened: set[str] = set()
        self.path = ""

        #: Objects that pointers are known to lead to.
        self.leads_to: dict[Term, Place] = {}

    # -- places -----------------------------------------------------------

    def place_at(self, pointer: Term) -> Place:
        """What a pointer leads to."""
        return self.leads_to.get(pointer) or place_at(pointer)

    def place(self, expr: Expr, frame: Frame) -> Place | None:
        """The place that an lvalue is; None for one that is not understood."""
        expr = bare(expr)
        if expr.kind == "name":
            found = self.declared.variable(expr, frame.function)
            if found is None:
                return Place(Global(expr.name))
            return Place(Variable(frame.number, expr.name, found[0]))
        if expr.kind == "member":
            inner = self.place(expr.args[0], frame)
            return None if inner is None else inner.below(expr.name)
        if expr.kind == "arrow":
            return self.place_at(self.value(expr.args[0], frame)).below(expr.name)
        if expr.kind == "unary" and expr.name == "*":
            return self.place_at(self.value(expr.args[0], frame))
        if expr.kind == "index":
            return self._element(expr, frame)
        if expr.kind in ("postfix", "assign") or (expr.kind == "unary" and expr.name in _STEPS):
            return self.place(expr.args[0], frame)
        return None

    def _element(self, expr: Expr, frame: Frame) -> Place:
        index = converted(self.value(expr.args[1], frame), None)
        pointer = self.value(expr.args[0], frame)
        if isinstance(pointer, Address) and pointer.path:
            last = pointer.path[-1]
            if isinstance(last, Subscript):
                moved = binary("+", last.at, index)
                return Place(pointer.base, (*pointer.path[:-1], Subscript(moved)))
        at = self.place_at(pointer)
        return at if index == ZERO or _is_zero(index) else at.below(Subscript(index))

    # -- values -----------------------------------------------------------

    def value(self, expr: Expr, frame: Frame) -> Term:
        """What an expression is worth."""
        kind = expr.kind
        if kind == "const":
            return _constant(expr.name)
        if kind == "cast":
            inner = self.value(expr.args[0], frame)
            to = self.declared.named(expr.name, frame.function.path)
            return inner if to is None else converted(inner, to)
        if kind == "string":
            return Address(("string", expr.name), ())
        if kind in ("name", "member", "arrow", "index"):
            return self._read(expr, frame)
        if kind == "unary":
            return self._unary(expr, frame)
        if kind == "binary":
            return self._binary(expr, frame)
        if kind == "cond":
            test, then, orelse = (self.value(part, frame) for part in expr.args)
            return chosen(truth(test), then, orelse)
        if kind == "call":
            return self._call(expr, frame)
        return self._other(expr, frame)

    def _other(self, expr: Expr, frame: Frame) -> Term:
        kind = expr.kind
        if kind == "postfix":
            read = self.value(expr.args[0], frame)
            return binary(_STEPS[expr.name], read, ONE)  # the step is done
        if kind == "assign":
            return self._read(expr.args[0], frame)
        if kind == "comma":
            return self.value(expr.args[1], frame)
        if kind == "stmtexpr":
            last = getattr(expr.body[-1], "expr", None) if expr.body else None
            return self.value(last, frame) if last is not None else Unclear("no value")
        return Unknown(("expression", frame.number, id(expr), self.moment), loose=True)

    def _read(self, expr: Expr, frame: Frame) -> Term:
        constant = constant_of(expr)
        if isinstance(constant, int):
            return _fitting(constant)
        plain = bare(expr)
        named = self.declared.constant(plain, frame.function) if plain.kind == "name" else None
        if isinstance(named, int):
            return _fitting(named)
        if named is not None and plain.name not in self._opened:
            self._opened.add(plain.name)
            found = self.value(named, frame)
            self._opened.discard(plain.name)
            return found
        if isinstance(constant, str):
            return Unknown(("constant", constant), loose=True)
        written = self.declared.written(bare(expr), frame.function)
        place = self.place(expr, frame)
        if place is None:
            return Unknown(("expression", frame.number, id(expr), self.moment), loose=True)
        if is_array(written):
            return address_of(place.below(Subscript(ZERO)))
        return self.memory.load(place, self.declared.named(written, frame.function.path))

    def _unary(self, expr: Expr, frame: Frame) -> Term:
        operator, inner = expr.name, expr.args[0]
        constant = constant_of(expr)
        if isinstance(constant, int):
            return _fitting(constant)
        if operator == "&":
            place = self.place(inner, frame)
            if place is None:
                return Unknown(("address", text(inner), self.moment), loose=True)
            return address_of(place)
        if operator == "*" or operator in _STEPS:
            return self._read(expr if operator == "*" else inner, frame)
        if operator in ("-", "~", "!", "+"):
            return unary(operator, self.value(inner, frame))
        size = Unknown((operator, text(inner)), _ULONG)
        return chosen(size, size, Number(1, _ULONG))  # sizeof and the like: not zero

    def _binary(self, expr: Expr, frame: Frame) -> Term:
        left, right = (self.value(part, frame) for part in expr.args)
        if expr.name == "&&":
            return chosen(truth(left), truth(right), ZERO)
        if expr.name == "||":
            return chosen(truth(left), ONE, truth(right))
        if expr.name in COMPUTED or expr.name in COMPARED:
            return moved(expr.name, left, right) or binary(expr.name, left, right)
        return Unclear(f"operator {expr.name}")

    # -- calls ------------------------------------------------------------

    def _call(self, expr: Expr, frame: Frame) -> Term:
        found = frame.results.get(id(expr))
        if found is not None:
            return found[1]
        if expr.name in names("evaluation", "transparent"):
            argument = condition_argument(expr)
            inner = self.value(argument, frame)
            place = self.place(argument, frame)
            if expr.name not in names("evaluation", "anew", "always") or place is None:
                return inner
            self._read_anew += 1
            own = isinstance(place.base, Variable)
            return inner if own else Unknown(("anew", self._read_anew), inner.type)
        compared = load("evaluation")["compare"].get(expr.name)
        if compared is not None and len(expr.args) > 1:
            operator, number = compared.split()
            inner = self.value(expr.args[1], frame)
            return binary(operator, converted(inner, None), Number(int(number)))
        return Unknown(("call", frame.number, id(expr), self.moment), loose=True)

    def computed(self, expr: Expr, frame: Frame) -> Term | None:
        """What a call is worth that is arithmetic on its arguments; None for others."""
        if expr.name not in _ARITHMETIC:
            return None
        return _computed(expr, tuple(self.value(part, frame) for part in expr.args[1:]))

    def called(self, expr: Expr, frame: Frame) -> Term:
        """What a call of a function without effects is worth."""
        args = tuple(self.value(part, frame) for part in expr.args[1:])
        written = self.declared.written(expr, frame.function)
        kind = self.declared.named(written, frame.function.path)
        key: Hashable = (expr.name, args, self.moment)
        if expr.name == "container_of" and len(expr.args) > 3:
            member = bare(expr.args[3]).name
            if isinstance(args[0], Address) and args[0].path[-1:] == (member,):
                return address_of(Place(args[0].base, args[0].path[:-1]))
            key = (expr.name, args[0], text(expr.args[2]), member)
        return Unknown(key, kind)

    # -- what there is before ----------------------------------------------

    def _first(self, place: Place, kind: CType | None) -> Term | None:
        """What a variable at file scope is initialised to."""
        if not isinstance(place.base, Global):
            return None
        init = self.declared.initial(place.base.name, self.path)
        for part in place.path:
            if init is None or not isinstance(part, str):
                return None
            if init.kind == "const":
                break  # all of it is zero
            if init.kind == "init":
                positional = [one for one in init.args if one.kind != "field"]
                found = field_of(init, part)
                if found is None:
                    return None if positional else Number(0, kind)
                init = found
        if init is None or init.kind == "init":
            return None
        constant = constant_of(init)
        if isinstance(constant, int):
            return converted(_fitting(constant), kind)
        target = bare(init.args[0]) if init.kind == "unary" and init.name == "&" else bare(init)
        return Address(Global(target.name), ()) if target.kind == "name" else None


def moved(operator: str, left: Term, right: Term) -> Term | None:
    """An element's address and a number: another element's address; None for others."""
    if operator in ("+", "-") and isinstance(left, Address) and left.path:
        last = left.path[-1]
        if isinstance(last, Subscript):
            index = binary(operator, last.at, converted(right, None))
            return Address(left.base, (*left.path[:-1], Subscript(index)))
    return None


def _is_zero(term: Term) -> bool:
    return isinstance(term, Number) and term.value == 0


def _constant(token: str) -> Term:
    """A number or a character as it is written."""
    if token.startswith("'"):
        try:
            return Number(ord(ast.literal_eval(token)), INT)
        except (ValueError, SyntaxError, TypeError):
            return Unclear(token)
    digits = token.rstrip("uUlL")
    suffix = token[len(digits) :].lower()
    try:
        octal = len(digits) > 1 and digits[0] == "0" and digits[1] not in "xXbB"
        value = int(digits, 8) if octal else int(digits, 0)
    except ValueError:
        return Unclear(f"{token} is no number that is followed")
    if "u" in suffix:
        return Number(value, _ULONG if "l" in suffix or value >> 32 else UNSIGNED)
    if "l" in suffix or value > INT.bounds[1]:
        wide = LONG if value <= LONG.bounds[1] else _ULONG
        short = digits[:2].lower() in ("0x", "0b") or octal
        return Number(value, UNSIGNED if short and "l" not in suffix and not value >> 32 else wide)
    return Number(value, INT)


def _fitting(value: int) -> Term:
    low, high = INT.bounds
    if low <= value <= high:
        return Number(value, INT)
    return Number(value, LONG if value <= LONG.bounds[1] else _ULONG)


def _computed(expr: Expr, args: tuple[Term, ...]) -> Term | None:
    """What is computed by functions that C or the kernel's headers define by arithmetic.

    include/linux/minmax.h, string.h.
    """
    name = expr.name
    if name in ("min", "max") and len(args) == 2:
        return chosen(binary("<" if name == "min" else ">", *args), *args)
    if name in ("min_t", "max_t") and len(args) == 3:
        return chosen(binary("<" if name == "min_t" else ">", *args[1:]), *args[1:])
    if name in ("strlen", "strnlen") and args and expr.args[1].kind == "string":
        try:
            length = len(ast.literal_eval(f"({expr.args[1].name})"))
        except (ValueError, SyntaxError):
            return Unclear("a string's length")
        known = Number(length, _ULONG)
        return known if len(args) == 1 else chosen(binary("<", args[1], known), args[1], known)
    return None


__all__ = ["CHAR", "Evaluator", "Frame", "element"]
