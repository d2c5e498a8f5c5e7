# SPDX-License-Identifier: GPL-2.0-only
"""What a call does to locks, and whether it may sleep: knowledge applied."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import LockCall, primitives, releases
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, subexpressions


class Change(NamedTuple):
    """One kind that a call takes (``by`` 1) or drops (-1); ``lock`` is None if it is fixed."""

    kind: str
    lock: Expr | None
    by: int


def lock_of(call: Expr, primitive: LockCall) -> Expr:
    """The expression that identifies the lock (the object, not its address)."""
    position = primitive.argument + 1
    if primitive.fixed or position >= len(call.args):
        return Expr("const", primitive.kind, (), call.span, call.line)
    argument = bare(call.args[position])
    if primitive.member:
        return Expr("arrow", primitive.member, (argument,), call.span, call.line)
    return pointee(argument)


def pointee(pointer: Expr) -> Expr:
    """The object at an address: ``x`` for ``&x``, ``*p`` for ``p``."""
    if pointer.kind == "unary" and pointer.name == "&":
        return bare(pointer.args[0])
    return Expr("unary", "*", (pointer,), pointer.span, pointer.line)


def changes(call: Expr, primitive: LockCall) -> tuple[Change, ...]:
    """All that a primitive takes and drops where it succeeds."""
    lock = None if primitive.fixed else lock_of(call, primitive)
    by = 1 if primitive.acquires else -1
    found = [Change(primitive.kind, lock, by)]
    if primitive.becomes:
        found.append(Change(primitive.becomes, lock, 1))
    found += (Change(kind, None, by) for kind in primitive.also)
    return tuple(found)


def may_sleep(call: Expr) -> bool:
    """Whether this primitive may sleep, by its name and its GFP flags."""
    primitive = primitives().get(call.name)
    if primitive is not None:
        return primitive.sleeps
    if call.name in names("sleep", "sleeps", "functions"):
        return True
    if call.name in names("sleep", "allocates", "functions"):
        flags = names("sleep", "allocates", "sleeping_flags")
        return any(
            part.kind == "name" and part.name in flags
            for argument in call.args[1:]
            for part in subexpressions(argument)
        )
    return False


def reschedules(call: Expr) -> bool:
    """Whether this primitive gives up the processor if asked to: forbidden below a spinlock."""
    return call.name in names("sleep", "resched", "functions")


def handed(call: Expr) -> Expr | None:
    """The call that this one may make of a function that it is given, or None.

    Its arguments are the first of ``call``'s, as kref_put() and its kin have it.
    """
    found = releases().get(call.name)
    given = call.args[1:]
    if found is None or len(given) <= found.function:
        return None
    callee = bare(given[found.function])
    if callee.kind == "unary" and callee.name == "&":
        callee = bare(callee.args[0])
    if callee.kind != "name":
        return None
    return Expr("call", callee.name, (callee, given[0]), call.span, call.line)


def taken_for(call: Expr) -> Expr | None:
    """The call that takes the lock with which ``call`` calls what it is given, or None."""
    found = releases().get(call.name)
    given = call.args[1:]
    if found is None or not found.call or len(given) <= found.lock:
        return None
    callee = Expr("name", found.call, (), call.span, call.line)
    return Expr("call", found.call, (callee, given[found.lock]), call.span, call.line)
