# SPDX-License-Identifier: GPL-2.0-only
"""Expressions followed to their values, in continuation style.

Evaluating builds the program from its end: each function here gets what to do with
the value and returns the node at which the expression begins.  A question that only the
running kernel answers becomes a test, and both answers are followed with what each
makes known, so that programs need no variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.extract.program import Builder
from patchgen.proof.extract.values import (
    Env,
    Known,
    Name,
    NonZero,
    Opaque,
    Record,
    Ref,
    binary,
    tags,
)
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import text

Then = Callable[[Known, Env], int]
Go = Callable[[Env], int]

#: Expressions and statements, beyond which a program is not followed.
MOST_EXPRESSIONS = 40_000

_PRESENT = (0, "#present")


class Frame:
    """One call: its number, its function, the depth of calls."""

    def __init__(self, number: int, function: Function, depth: int) -> None:
        self.number = number
        self.function = function
        self.depth = depth

    def place(self, line: int) -> Place:
        """A line of the function's file."""
        return Place(self.function.path, line)


class Evaluator:
    """Follows expressions."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        reader: Callable[[str, bool], Place | None] | None = None,
    ) -> None:
        """``reader`` tells where a member (or else a variable) of that name is read, if at all."""
        self.functions = functions
        self.macros = functions.macros if isinstance(functions, Definitions) else {}
        self.reader = reader
        self.beside: dict[str, None] = {}
        self.build = Builder()
        self.frames = 0
        self.followed = 0
        self.ranges = False
        #: The struct kvm that the handler is called for, as text; "" until it is known.
        self.guest = ""

    # Calls are in patchgen.proof.extract.calls, statements in patchgen.proof.extract.extract.
    def call(
        self, function: Function, values: Sequence[Known], env: Env, depth: int, then: Then
    ) -> int:
        """The node at which ``function`` begins when called with ``values``."""
        raise NotImplementedError

    def invoke(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """A call expression: its value, and what it does."""
        raise NotImplementedError

    def unknown(self, expr: Expr, frame: Frame, reason: str) -> int:
        """A node for what was not understood."""
        return self.build.unknown(frame.place(expr.line), reason)

    # ------------------------------------------------------------------ values

    def value(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """Evaluate ``expr`` and go on with its value."""
        self.followed += 1
        if self.followed > MOST_EXPRESSIONS:
            return self.unknown(expr, frame, "the program is too long to follow")
        kind = expr.kind
        hidden = expr.name in self.macros and expr.name != words.IS_NULL_FUNCTION
        if hidden and kind == "call" and all(map(_says_only, self.macros[expr.name])):
            # It may be empty, so that its arguments must do nothing either.
            said = Opaque(text(expr))
            evaluated = self.values(expr.args[1:], env, frame, lambda _, e: then(said, e))
            if evaluated == then(said, env):
                return evaluated
        if hidden and kind in ("arrow", "member", "call"):
            return self.unknown(expr, frame, f"{expr.name} is a macro: it is not followed")
        if kind in ("name", "const", "string", "type"):
            return then(self.leaf(expr, env, frame), env)
        if kind == "cast":
            return self.value(expr.args[0], env, frame, then)
        if kind == "call":
            return self.invoke(expr, env, frame, then)
        if kind in ("arrow", "member"):
            return self._member(expr, env, frame, then)
        if kind == "assign":
            return self.assign(expr, env, frame, then)
        if kind == "unary":
            return self._unary(expr, env, frame, then)
        if kind == "postfix":
            return self.step(expr, env, frame, then)
        if kind == "binary":
            return self._binary(expr, env, frame, then)
        if kind == "cond":
            test, yes, no = expr.args
            return self.truth(
                test,
                env,
                frame,
                lambda e: self.value(yes, e, frame, then),
                lambda e: self.value(no, e, frame, then),
            )
        if kind in ("init", "compound"):
            return self._record(expr, env, frame, then)
        if kind == "index":
            return self.values(
                expr.args,
                env,
                frame,
                lambda vs, e: then(Opaque(text(expr), tags(*vs) | {"memory"}), e),
            )
        if kind == "comma":
            return self.value(
                expr.args[0], env, frame, lambda _, e: self.value(expr.args[1], e, frame, then)
            )
        return self.unknown(expr, frame, f"an expression that is not understood: {kind}")

    def values(
        self,
        exprs: Sequence[Expr],
        env: Env,
        frame: Frame,
        then: Callable[[tuple[Known, ...], Env], int],
        done: tuple[Known, ...] = (),
    ) -> int:
        """Evaluate ``exprs`` from left to right."""
        if not exprs:
            return then(done, env)
        return self.value(
            exprs[0], env, frame, lambda v, e: self.values(exprs[1:], e, frame, then, (*done, v))
        )

    def truth(self, expr: Expr, env: Env, frame: Frame, yes: Go, no: Go) -> int:
        """Go on with ``yes`` or ``no``, whichever way the value of ``expr`` is true."""

        def decide(value: Known, after: Env) -> int:
            if isinstance(value, int):
                return yes(after) if value else no(after)
            if isinstance(value, Name | NonZero | Ref):
                return yes(after)
            then, otherwise = yes(after), no(after)
            # What makes no difference need not be understood.
            if then == otherwise:
                return then
            return self.unknown(expr, frame, f"a condition that is not understood: {text(expr)}")

        return self.value(expr, env, frame, decide)

    def ask(self, question: str, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """A question of the model: 1 for yes, 0 for no, each followed."""
        if question == "present" and _PRESENT in env:
            return then(env[_PRESENT], env)

        def told(answer: int) -> Env:
            return {**env, _PRESENT: answer} if question == "present" else env

        place = frame.place(expr.line)
        return self.build.test(question, place, then(1, told(1)), then(0, told(0)))

    def number(self, question: str, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """A question about a number or bits: what is above 0 need not be 1."""
        return self.ask(
            question, expr, env, frame, lambda v, e: then(NonZero(text(expr)) if v else 0, e)
        )

    def do(self, what: str, arg: str, expr: Expr, env: Env, frame: Frame, then: Go) -> int:
        """An operation of the vocabulary, and what it makes known of the page."""
        known = dict(env)
        if what in ("drop_spte", "clear_spte"):
            known[_PRESENT] = 0
        elif what == "set_spte":
            known[_PRESENT] = 1
        elif what in ("lock", "unlock") and arg == "mmu":
            known.pop(_PRESENT, None)
        return self.build.do(what, frame.place(expr.line), then(known), arg)

    def leaf(self, expr: Expr, env: Env, frame: Frame) -> Known:
        """The value of a name or a constant."""
        if expr.kind == "const":
            try:
                return int(expr.name.rstrip("uUlL"), 0)
            except ValueError:
                return Opaque(expr.name)
        name = expr.name
        if (frame.number, name) in env:
            return env[frame.number, name]
        if name in words.CONSTANTS:
            return words.CONSTANTS[name]
        if expr.kind == "name" and (name in self.functions or name == words.NULL_FUNCTION):
            return Name(name)
        return Opaque(name, frozenset({"writable"} if name in words.WRITE_MASKS else ()))

    def _record(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        fields = expr.args[0].args if expr.kind == "compound" else expr.args
        if any(field.kind != "field" for field in fields):
            return then(Opaque(text(expr)), env)

        def made(values: tuple[Known, ...], after: Env) -> int:
            record = Record(initialised=True)
            for field, value in zip(fields, values, strict=True):
                record = record.put(field.name, value)
            return then(record, after)

        return self.values([field.args[0] for field in fields], env, frame, made)

    # --------------------------------------------------------------- operators

    def _member(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        name = expr.name
        settled = words.SETTLED.get(text(expr))
        if settled is not None:
            return then(settled, env)
        if name in words.CONSTANTS:
            return then(words.CONSTANTS[name], env)
        if name in words.ASKS_FIELDS:
            return self.ask(words.ASKS_FIELDS[name], expr, env, frame, then)
        if name in words.STATE:
            question = words.STATE[name][0]
            if not question:
                return then(Opaque(text(expr)), env)
            return self.number(question, expr, env, frame, then)

        def of(base: Known, after: Env) -> int:
            if isinstance(base, Ref):
                base = after.get((base.frame, base.name), Record())
            if isinstance(base, Record):
                return then(base.get(name), after)
            return then(Opaque(text(expr), tags(base) | {"memory"}), after)

        return self.value(expr.args[0], env, frame, of)

    def _unary(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        operator, inner = expr.name, expr.args[0]
        if operator in ("++", "--"):
            return self.step(expr, env, frame, then)
        if operator == "!":
            return self.truth(inner, env, frame, lambda e: then(0, e), lambda e: then(1, e))
        if operator == "&":
            if inner.kind == "name":
                return then(Ref(frame.number, inner.name), env)
            return then(Opaque(text(expr)), env)

        def of(value: Known, after: Env) -> int:
            if operator == "*" and isinstance(value, Ref):
                return then(after.get((value.frame, value.name), Opaque(value.name)), after)
            if isinstance(value, int) and operator in "-~+":
                return then({"-": -value, "~": ~value, "+": value}[operator], after)
            return then(
                Opaque(f"{operator}{text(inner)}", _unary_tags(operator, tags(value))), after
            )

        return self.value(inner, env, frame, of)

    def _binary(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        operator, (left, right) = expr.name, expr.args
        settled = words.SETTLED.get(text(expr))
        if settled is None and operator in _OPPOSITE:
            opposite = Expr("binary", _OPPOSITE[operator], expr.args, expr.span, expr.line)
            other = words.SETTLED.get(text(opposite))
            settled = None if other is None else int(not other)
        if settled is not None:
            return then(settled, env)
        if operator in ("&&", "||"):

            def second(after: Env) -> int:
                return self.truth(right, after, frame, lambda e: then(1, e), lambda e: then(0, e))

            if operator == "&&":
                return self.truth(left, env, frame, second, lambda e: then(0, e))
            return self.truth(left, env, frame, lambda e: then(1, e), second)
        if operator == "&" and right.kind == "name" and left.name == "flags":
            question = words.FLAGS.get(right.name) or words.SLOT_FLAGS.get(right.name)
            if question:
                return self.number(question, expr, env, frame, then)
        return self.values(
            (left, right),
            env,
            frame,
            lambda vs, e: then(binary(operator, vs[0], vs[1], text(expr)), e),
        )

    def assign(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """An assignment; it is in :mod:`patchgen.proof.extract.store`."""
        raise NotImplementedError

    def step(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """``++`` and ``--``, likewise."""
        raise NotImplementedError


#: The comparison that answers the opposite.
_OPPOSITE = {"<": ">=", ">": "<="}

#: What a macro that does nothing but say something is made of.
_STATEMENTS = frozenset({"do", "while", "if", "else", "sizeof"})
_DOES_MORE = re.compile(r"[^=!<>]=[^=]|\+\+|--|\b(return|goto|break|continue|asm|__asm__)\b|##")


def _says_only(body: str) -> bool:
    """Whether a macro's body does nothing, but for messages."""
    called = set(re.findall(r"(\w+)\s*\(", body))
    return not _DOES_MORE.search(body) and called <= words.NOTHING | words.TRANSPARENT | _STATEMENTS


def _unary_tags(operator: str, held: frozenset[str]) -> frozenset[str]:
    """The tags of ``*x`` and ``~x``."""
    if operator == "*":
        return held - {"spte"} | {"memory"} | ({"old spte"} if "spte" in held else set())
    if operator == "~" and "writable" in held:
        return frozenset({"no write"})
    return held
