# SPDX-License-Identifier: GPL-2.0-only
"""What a function and its callees change, at addresses that their caller gives."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.extent.bounds import Bounds
from patchgen.analysis.sections.sites import role
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import subexpressions, substitute

_DEPTH = 3


class Change(msgspec.Struct, frozen=True):
    """A change of what is mapped at ``address``, over ``size`` (a name)."""

    call: Expr
    address: Expr
    size: str


def change_of(call: Expr) -> Change | None:
    """The change that a primitive makes."""
    size = load("ranges")["changes"].get(call.name)
    return Change(call, call.args[2], size) if size and len(call.args) > 2 else None


def changes_in(program: Program, function: Function, depth: int = 0) -> Iterator[Change]:
    """Changes at addresses that the caller gives, in terms of the parameters."""
    if any(role(call) for call in program.calls(function)):
        return  # has a section of its own, or belongs to one
    bounds = Bounds(function)
    params = {param.name for param in function.params}
    for call in program.calls(function):
        direct = change_of(call)
        found: list[Change] = [direct] if direct is not None else []
        if direct is None and depth < _DEPTH and call.name:
            for callee in program.named(call.name, function.path)[:1]:
                if callee is not function:
                    values = {p.name: a for p, a in zip(callee.params, call.args[1:], strict=False)}
                    found += [
                        Change(one.call, substitute(one.address, values), one.size)
                        for one in changes_in(program, callee, depth + 1)
                    ]
        for one in found:
            address = bounds.resolved(one.address)
            used = {part.name for part in subexpressions(address) if part.kind == "name"}
            if bounds.steady(address) and used <= params | _CONSTANTS:
                yield Change(one.call, address, one.size)


_CONSTANTS = frozenset(
    {
        "PAGE_MASK",
        "PAGE_SIZE",
        "HPAGE_PMD_MASK",
        "HPAGE_PMD_SIZE",
        "HPAGE_PUD_MASK",
        "HPAGE_PUD_SIZE",
    }
)


def unshares_in(program: Program, function: Function, depth: int = 0) -> bool:
    """Whether ``function`` may unmap shared tables, without adjusting a range itself."""
    calls = program.calls(function)
    if any(role(c) for c in calls) or any(
        c.name in names("ranges", "adjust", "functions") for c in calls
    ):
        return False
    if any(c.name in names("ranges", "unshares", "functions") for c in calls):
        return True
    return depth < _DEPTH and any(
        unshares_in(program, callee, depth + 1)
        for c in calls
        if c.name
        for callee in program.named(c.name, function.path)
        if callee is not function
    )
