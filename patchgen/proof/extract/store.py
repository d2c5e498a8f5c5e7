# SPDX-License-Identifier: GPL-2.0-only
"""Stores: to the state of the model, to locals, and to what the model leaves out.

A store to a member that the model does not have changes nothing of it where nobody reads that
member: statistics, and what a patch sets for another architecture.  Who reads is looked up.
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.model.code import Decl, Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.extract.evaluate import Evaluator, Frame, Then
from patchgen.proof.extract.values import Env, Known, Opaque, Record, Ref, binary
from patchgen.source.c.text import bare, statements, text

#: Structs of KVM's own, members of which may be left out (include/linux/kvm_host.h).
_OWNERS = ("struct kvm *", "struct kvm_vcpu *")

#: Members that the model has a meaning for, whatever struct they are in.
_MODELLED = (
    words.STATE.keys()
    | words.RANGE_FIELDS
    | words.LOCK_FIELDS.keys()
    | words.ASKS_FIELDS.keys()
    | words.CONSTANTS.keys()
    | {"flags"}
)


class Stores(Evaluator):
    """Follows assignments, ``++`` and ``--``."""

    def assign(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        target, source = expr.args
        operator = expr.name[:-1]
        if _state(target):
            by = _one(source) if operator else _step_of(target, source)
            sign = {"": 1, "+": 1, "-": -1}.get(operator, 0)
            return self._move(target, by * sign, expr, env, frame, then)

        def keep(value: Known, after: Env) -> int:
            return self.store(target, value, expr, after, frame, then)

        if not operator:
            return self.value(source, env, frame, keep)
        return self.values(
            (target, source),
            env,
            frame,
            lambda vs, e: keep(binary(operator, vs[0], vs[1], text(expr)), e),
        )

    def write(
        self, target: Expr, source: Expr, expr: Expr, env: Env, frame: Frame, then: Then
    ) -> int:
        """``WRITE_ONCE(target, source)`` and its like: as an assignment."""
        if _state(target):
            return self._move(target, _step_of(target, source), expr, env, frame, then)
        return self.value(
            source, env, frame, lambda v, e: self.store(target, v, expr, e, frame, then)
        )

    def step(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """``++`` and ``--``: of the state an operation, of a local its value."""
        target = expr.args[0]
        up = 1 if expr.name == "++" else -1
        if _state(target):
            return self._move(target, up, expr, env, frame, then)

        def stepped(value: Known, after: Env) -> int:
            new = binary("+", value, up, text(expr))
            result = new if expr.kind == "unary" else value
            return self.store(target, new, expr, after, frame, lambda _, e: then(result, e))

        return self.value(target, env, frame, stepped)

    def _move(self, target: Expr, by: int, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        """A counter of the state goes up or down by one; nothing else can be said of it."""
        target = bare(target)
        if target.name in self.macros:
            return self.unknown(expr, frame, f"{target.name} is a macro: it is not followed")
        operation = words.STATE[target.name][1 if by > 0 else 2] if by in (1, -1) else ""
        if not operation:
            return self.unknown(expr, frame, f"{text(expr)} has no meaning here")

        def of(owner: Known, after: Env) -> int:
            if not self.same_guest(owner):
                return self.unknown(expr, frame, f"{text(expr)} is of another guest")
            return self.do(operation, "", expr, after, frame, lambda e: then(Opaque(text(expr)), e))

        return self.value(target.args[0], env, frame, of)

    def same_guest(self, owner: Known) -> bool:
        """Whether a struct kvm is the one that this handler is called for."""
        if not isinstance(owner, Opaque):
            return True
        self.guest = self.guest or owner.text
        return owner.text == self.guest

    def store(
        self, target: Expr, value: Known, expr: Expr, env: Env, frame: Frame, then: Then
    ) -> int:
        """Store ``value`` in ``target``: a local, a field of one, or what is not kept."""
        if target.kind == "name" and (frame.number, target.name) in env:
            return then(value, {**env, (frame.number, target.name): value})
        if target.kind in ("member", "arrow"):
            if target.name in words.ASKS_FIELDS and value == 0:
                return then(value, env)  # The rmap forgets the SPTE that was dropped.
            if target.name in words.RANGE_FIELDS:
                self.ranges = True
                return then(value, env)
            base = target.args[0]
            key = (frame.number, base.name) if base.kind == "name" else None
            held = env.get(key) if key else None
            if target.kind == "arrow" and isinstance(held, Ref):
                key = (held.frame, held.name)
                held = env.get(key)
            if key and isinstance(held, Record):
                return then(value, {**env, key: held.put(target.name, value)})
        return self._left_out(target, expr, frame, lambda: then(value, env))

    def _left_out(self, target: Expr, expr: Expr, frame: Frame, then: Callable[[], int]) -> int:
        """A store to what the model does not have: of no matter where nobody reads it."""
        name, member = target.name, target.kind in ("member", "arrow")
        mine = _of_kvm(target, frame.function) if member else target.kind == "name"
        if self.reader is None or not mine or name in _MODELLED:
            return self.unknown(expr, frame, f"an assignment that is not understood: {text(expr)}")
        read = self.reader(name, member)
        if read is not None:
            return self.unknown(expr, frame, f"{text(target)} is set here, and read in {read}")
        self.beside[text(target)] = None
        return then()


def _state(target: Expr) -> bool:
    target = bare(target)
    return target.kind in ("arrow", "member") and target.name in words.STATE


def _one(expr: Expr) -> int:
    """1 for the number 1, else 0."""
    expr = bare(expr)
    return int(expr.kind == "const" and expr.name.rstrip("uUlL") == "1")


def _step_of(target: Expr, source: Expr) -> int:
    """1 where ``source`` is ``target + 1``, -1 where it is ``target - 1``, else 0."""
    source = bare(source)
    if source.kind != "binary" or source.name not in ("+", "-"):
        return 0
    left, right = source.args
    if source.name == "+" and _one(left):
        left, right = right, left
    if not _one(right) or text(_read(left)) != text(target):
        return 0
    return 1 if source.name == "+" else -1


def _read(expr: Expr) -> Expr:
    """``expr`` without casts and ``READ_ONCE()``."""
    expr = bare(expr)
    if expr.kind == "call" and expr.name in words.READS and len(expr.args) == 2:
        return _read(expr.args[1])
    return expr


def _of_kvm(target: Expr, function: Function) -> bool:
    """Whether ``target`` is a member within a struct kvm or kvm_vcpu."""
    while target.kind in ("member", "arrow"):
        target = target.args[0]
    types = {p.name: p.type for p in function.params}
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            types[variable.name] = variable.type
    return target.kind == "name" and types.get(target.name) in _OWNERS
