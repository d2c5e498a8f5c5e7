# SPDX-License-Identifier: GPL-2.0-only
"""What a call does to locks, and whether it may sleep: knowledge applied."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, subexpressions

ALWAYS, IF_TRUE, IF_ZERO = "always", "true", "zero"


class LockCall(NamedTuple):
    """A primitive: the lock's ``kind``, whether it takes it, and when."""

    kind: str
    acquires: bool
    when: str
    atomic: bool
    fixed: str
    suffix: str


@cache
def primitives() -> dict[str, LockCall]:
    """All lock primitives by name."""
    found: dict[str, LockCall] = {}
    for kind in load("locks")["kind"]:
        common = (kind.get("atomic", False), kind.get("key", ""), kind.get("suffix", ""))
        for group, takes, when in (
            ("acquire", True, ALWAYS),
            ("release", False, ALWAYS),
            ("try_true", True, IF_TRUE),
            ("try_zero", True, IF_ZERO),
        ):
            for name in kind.get(group, ()):
                found[name] = LockCall(kind["name"], takes, when, *common)
    return found


@cache
def atomic_kinds() -> frozenset[str]:
    """Kinds whose holder must not sleep."""
    return frozenset(kind["name"] for kind in load("locks")["kind"] if kind.get("atomic"))


@cache
def transferable() -> dict[str, frozenset[str]]:
    """Kinds that other code may release, with the names of their releases."""
    return {
        kind["name"]: frozenset(kind["release"])
        for kind in load("locks")["kind"]
        if kind.get("transfers")
    }


def lock_of(call: Expr, primitive: LockCall) -> Expr:
    """The expression that identifies the lock (the object, not its address)."""
    if primitive.fixed or len(call.args) < 2:
        return Expr("const", primitive.fixed or call.name, (), call.span, call.line)
    argument = bare(call.args[1])
    if primitive.suffix:
        return Expr("arrow", primitive.suffix, (argument,), call.span, call.line)
    if argument.kind == "unary" and argument.name == "&":
        return bare(argument.args[0])
    return Expr("unary", "*", (argument,), call.span, call.line)


def may_sleep(call: Expr) -> bool:
    """Whether this primitive may sleep, by its name and its GFP flags."""
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
