# SPDX-License-Identifier: GPL-2.0-only
"""Names of objects across calls, and what a condition means to the API.

A lock is "the member mmu_lock of what the first parameter leads to": locals that
are set once are replaced by what they are set to, a callee's parameters by the
caller's arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property

from patchgen.model.code import Decl, Expr, Function, Stmt
from patchgen.source.c.text import bare, every, statements, substitute, text

_BLOCKABLE = frozenset({"mmu_notifier_range_blockable"})
_FLAGGED = frozenset({"mmu_notifier_range_use_change_pte"})
_BITS = {"MMU_NOTIFIER_RANGE_BLOCKABLE": "blockable", "MMU_NOTIFIER_USE_CHANGE_PTE": "flagged"}
#: C's truths as they are written.
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
_DEPTH = 4


def meaning(expr: Expr | None, roles: Mapping[str, str]) -> str:
    """What a condition asks: "blockable", "flagged", either with "!", or "".

    ``roles`` gives the meaning of parameters and of their members by canonical
    text: one of these, "true", "false", or "=f|g" for pointers to functions.  The
    helpers, the bits and 5.0's member ``blockable``: include/linux/mmu_notifier.h.
    """
    if expr is None:
        return ""
    expr = bare(expr)
    if expr.kind == "unary" and expr.name == "!":
        inner = meaning(expr.args[0], roles)
        opposite = {"true": "false", "false": "true"}
        if inner in opposite:
            return opposite[inner]
        return inner[1:] if inner.startswith("!") else f"!{inner}" if inner else ""
    if expr.kind == "call":
        if expr.name in _BLOCKABLE:
            return "blockable"
        if expr.name == "IS_KVM_NULL_FN" and len(expr.args) == 2:
            return roles.get(text(expr.args[1]), "")
        return "flagged" if expr.name in _FLAGGED else ""
    if expr.kind == "name":
        return roles.get(expr.name, "")
    if expr.kind in ("arrow", "member"):
        given = roles.get(text(expr), "") if roles else ""
        return given or ("blockable" if expr.name == "blockable" else "")
    if expr.kind == "binary" and expr.name == "&":
        for part in map(bare, expr.args):
            if part.kind == "name" and part.name in _BITS:
                return _BITS[part.name]
    if expr.kind == "binary" and expr.name in ("==", "!="):
        return _compared(expr, roles)
    return ""


def _compared(expr: Expr, roles: Mapping[str, str]) -> str:
    """What a comparison with a truth asks: ``f(x) == false``, ``b != 0``."""
    for asked, other in (expr.args, expr.args[::-1]):
        value = _TRUTHS.get(bare(other).name) if bare(other).kind in ("name", "const") else None
        inner = meaning(asked, roles) if value is not None else ""
        if inner in ("blockable", "flagged", "!blockable", "!flagged"):
            if value == (expr.name == "=="):
                return inner
            return inner[1:] if inner.startswith("!") else f"!{inner}"
    return ""


def asks(words: Collection[str]) -> bool:
    """Whether one of some words asks what a range is: a helper, or a bit of its flags."""
    return not (_BLOCKABLE | _FLAGGED | _BITS.keys()).isdisjoint(words)


class Naming:
    """Expressions of one function in terms of its parameters."""

    def __init__(self, function: Function) -> None:
        self.params = tuple(param.name for param in function.params)
        self.exprs: dict[str, Expr] = {}
        self._keys: dict[int, tuple[Expr, str]] = {}
        self._structs: dict[str, dict[str, Expr]] | None = None
        self.function = function

    @cached_property
    def _once(self) -> dict[str, Expr]:
        return _set_once(self.function)

    @cached_property
    def locals(self) -> dict[str, Expr]:
        """Locals that are set once to something that names an object."""
        return {name: value for name, value in self._once.items() if _names_an_object(value)}

    @cached_property
    def types(self) -> dict[str, str]:
        """Types, as written, of parameters and locals."""
        found = {param.name: param.type for param in self.function.params}
        for stmt in statements(self.function.body):
            if isinstance(stmt, Decl):
                found.update((variable.name, variable.type) for variable in stmt.variables)
        return found

    def resolve(self, expr: Expr) -> Expr:
        """``expr`` with locals that are set once replaced by their values."""
        for _ in range(_DEPTH):
            replaced = substitute(expr, self.locals)
            if replaced is expr or text(replaced) == text(expr):
                break
            expr = replaced
        return expr

    def plain(self, expr: Expr) -> Expr:
        """What a local that is set just once is set to, else ``expr``."""
        expr = bare(expr)
        for _ in range(_DEPTH):
            found = self._once.get(expr.name) if expr.kind == "name" else None
            if found is None:
                break
            expr = bare(found)
        return expr

    def key(self, expr: Expr) -> str:
        """The object's name: canonical text in terms of parameters and globals."""
        found = self._keys.get(id(expr))
        if found is None:
            resolved = self.resolve(expr)
            shown = text(resolved)
            self.exprs[shown] = resolved
            found = self._keys[id(expr)] = (expr, shown)
        return found[1]

    def members(self, variable: str) -> dict[str, Expr]:
        """Members of a local structure that are set once, with the value."""
        if self._structs is None:
            self._structs = _structs(self.function)
        return self._structs.get(variable, {})

    def renamer(self, call: Expr, caller: Naming) -> Callable[[str], str]:
        """Translates keys of this function into those of the caller at ``call``."""
        values = dict(zip(self.params, call.args[1:], strict=False))

        def rename(key: str) -> str:
            expr = self.exprs.get(key)
            if expr is None:
                return key
            resolved = caller.resolve(substitute(expr, values))
            shown = text(resolved)
            caller.exprs[shown] = resolved
            return shown

        return rename

    def positional(self, key: str) -> str:
        """``key`` with parameters by position, to compare two functions."""
        expr = self.exprs.get(key)
        if expr is None:
            return key
        places = {
            name: Expr("name", f"${number}", (), expr.span, expr.line)
            for number, name in enumerate(self.params)
        }
        return text(substitute(expr, places))


def _statements(function: Function) -> Iterator[Stmt]:
    """All statements of a function, those within ``({ … })`` included."""
    yield from statements(function.body)
    for part in every(function.body):
        for stmt in part.body:
            yield from statements(stmt)


def _set_once(function: Function) -> dict[str, Expr]:
    values: dict[str, Expr] = {}
    stores: Counter[str] = Counter()
    for part in every(function.body):
        if part.kind == "assign":
            left = bare(part.args[0])
            if left.kind == "name":
                stores[left.name] += 1
                if part.name == "=":
                    values[left.name] = part.args[1]
        elif part.kind == "postfix" or (part.kind == "unary" and part.name in ("++", "--", "&")):
            left = bare(part.args[0])
            if left.kind == "name":
                stores[left.name] += 2
    for stmt in _statements(function):
        if isinstance(stmt, Decl):
            for variable in stmt.variables:
                if variable.init is not None:
                    stores[variable.name] += 1
                    values[variable.name] = variable.init
    params = {param.name for param in function.params}
    return {
        name: value for name, value in values.items() if stores[name] == 1 and name not in params
    }


def _structs(function: Function) -> dict[str, dict[str, Expr]]:
    found: dict[str, dict[str, list[Expr]]] = {}
    for stmt in statements(function.body):
        if isinstance(stmt, Decl):
            for variable in stmt.variables:
                init = bare(variable.init) if variable.init is not None else None
                if init is not None and init.kind == "init":
                    for field in init.args:
                        if field.kind == "field":
                            members = found.setdefault(variable.name, {})
                            members.setdefault(field.name, []).append(field.args[0])
    for part in every(function.body):
        if part.kind == "assign" and bare(part.args[0]).kind == "member":
            left = bare(part.args[0])
            if left.args[0].kind == "name":
                members = found.setdefault(left.args[0].name, {})
                members.setdefault(left.name, []).append(part.args[1])
    return {
        variable: {
            member: values[0]
            for member, values in members.items()
            if len({text(value) for value in values}) == 1
        }
        for variable, members in found.items()
    }


def _names_an_object(value: Expr) -> bool:
    value = bare(value)
    while value.kind in ("arrow", "member", "unary", "cast"):
        if value.kind == "unary" and value.name not in ("&", "*"):
            return False
        value = bare(value.args[0])
    return value.kind == "name" or (
        value.kind == "call"
        and (value.name == "container_of" or value.name.startswith("mmu_notifier_to"))
    )
