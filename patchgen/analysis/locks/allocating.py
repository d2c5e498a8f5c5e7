# SPDX-License-Identifier: GPL-2.0-only
"""Whether an allocation may wait, by its flags, followed through variables and calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from patchgen.analysis.values.naming import Naming, meaning
from patchgen.analysis.values.value import Known
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, subexpressions

#: What flags say: it waits, it does not, it waits where blocking is allowed, or where not.
WAITS, ATOMIC, BLOCKABLE, INVERTED = "gfp:waits", "gfp:atomic", "gfp:blockable", "gfp:!blockable"
#: It depends on what is not known.
OPEN = ""

_OPPOSITE = {WAITS: ATOMIC, ATOMIC: WAITS, BLOCKABLE: INVERTED, INVERTED: BLOCKABLE}


class Flags:
    """The flags of allocations in one function, as one caller enters it."""

    def __init__(self, naming: Naming, roles: Mapping[str, str]) -> None:
        self.naming = naming
        self.roles = roles

    def of_call(self, call: Expr, value: Callable[[Expr], Known], blockable: bool | None) -> str:
        """What an allocator's arguments say together.

        ``value`` is what the path knows of an expression, ``blockable`` of the range.
        """
        found = [self.of(argument, value, blockable) for argument in call.args[1:]]
        for said in (WAITS, BLOCKABLE, INVERTED):
            if said in found:
                return said
        flags = [arg for arg, said in zip(call.args[1:], found, strict=True)
                 if said == OPEN and self._is_flags(arg)]  # fmt: skip
        return OPEN if flags else ATOMIC

    def of(self, expr: Expr, value: Callable[[Expr], Known], blockable: bool | None) -> str:
        """What flags say; OPEN for what are no flags, too."""
        expr = bare(expr)
        if expr.kind == "name":
            return self._named(expr, value, blockable)
        if expr.kind == "cond":
            return self._chosen(expr, value, blockable)
        if expr.kind == "binary" and expr.name in ("|", "&", "+"):
            left, right = (self.of(one, value, blockable) for one in expr.args)
            if expr.name == "&":
                return (
                    ATOMIC if ATOMIC in (left, right) else OPEN if OPEN in (left, right) else left
                )
            return next((one for one in (WAITS, BLOCKABLE, INVERTED, OPEN) if one in (left, right)),
                        ATOMIC)  # fmt: skip
        if expr.kind == "unary" and expr.name == "~":
            reclaim = names("sleep", "allocates", "reclaim_flags")
            cleared = {part.name for part in subexpressions(expr.args[0])}
            return ATOMIC if cleared & reclaim else WAITS
        return ATOMIC if expr.kind == "const" else OPEN

    def _named(self, expr: Expr, value: Callable[[Expr], Known], blockable: bool | None) -> str:
        symbol = expr.name if _is_flag(expr.name) else value(expr).symbol
        if symbol and _is_flag(symbol):
            return WAITS if symbol in names("sleep", "allocates", "sleeping_flags") else ATOMIC
        role = self.roles.get(expr.name, "")
        if role in _OPPOSITE:
            return role
        plain = self.naming.plain(expr)
        return OPEN if plain.kind == "name" else self.of(plain, value, blockable)

    def _chosen(self, expr: Expr, value: Callable[[Expr], Known], blockable: bool | None) -> str:
        what = meaning(self.naming.plain(expr.args[0]), self.roles)
        then, other = (self.of(one, value, blockable) for one in expr.args[1:])
        if what.startswith("!"):
            what, then, other = what[1:], other, then
        if what in ("true", "false"):
            return then if what == "true" else other
        if then == other or what != "blockable":
            return then if then == other else OPEN
        if blockable is not None:
            return then if blockable else other
        return {(WAITS, ATOMIC): BLOCKABLE, (ATOMIC, WAITS): INVERTED}.get((then, other), OPEN)

    def _is_flags(self, expr: Expr) -> bool:
        """Whether an expression of which nothing is known is of the flags' type."""
        expr = bare(expr)
        if expr.kind == "name":
            return "gfp_t" in self.naming.types.get(expr.name, "").split()
        return any(_is_flag(part.name) for part in subexpressions(expr) if part.kind == "name")


def _is_flag(name: str) -> bool:
    return name.startswith(("GFP_", "__GFP_"))


def allocates(call: Expr) -> bool:
    """Whether a call's flags decide on whether it may sleep."""
    return call.name in names("sleep", "allocates", "functions")
