# SPDX-License-Identifier: GPL-2.0-only
"""What a function and its callees change, at addresses that their caller gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.extent.bounds import bounds_of
from patchgen.analysis.sections.sites import role
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import subexpressions, substitute, text


class Change(msgspec.Struct, frozen=True):
    """A change of what is mapped at ``address``, over ``size`` (a name)."""

    call: Expr
    address: Expr
    size: str


def change_of(call: Expr) -> Change | None:
    """The change that a primitive makes."""
    size = load("ranges")["changes"].get(call.name)
    return Change(call, call.args[2], size) if size and len(call.args) > 2 else None


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


class Changes(msgspec.Struct, frozen=True):
    """Changes in terms of parameters; ``open`` says why there may be more, or ""."""

    found: tuple[Change, ...] = ()
    open: str = ""


class ChangesOf:
    """What the functions of a program change, each found once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._summaries = Summaries(self)
        self._unshares = Summaries(_Unshares(program))

    def changes(self, function: Function) -> Changes:
        """Changes at addresses that the caller gives, in terms of the parameters."""
        return self._summaries.of(Node(function, None))

    def unshares(self, function: Function) -> bool:
        """Whether ``function`` may unmap shared tables, without adjusting a range itself."""
        return self._unshares.of(Node(function, None))

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        """What the function calls; nothing where it has a section, or belongs to one."""
        calls = self.program.calls(node.function)
        for call in calls if not any(map(role, calls)) else ():
            if call.name and change_of(call) is None:
                for callee in self.program.named(call.name, node.function.path)[:1]:
                    yield Node(callee, None)

    def start(self, node: Node[None]) -> Changes:
        """Before the first round, a function of a circle changes nothing."""
        return Changes()

    def compute(self, node: Node[None], ask: Callable[[Node[None]], Changes]) -> Changes:
        """The changes of one function and of what it calls."""
        function = node.function
        calls = self.program.calls(function)
        if any(role(call) for call in calls):
            return Changes()
        bounds = bounds_of(function)
        usable = {param.name for param in function.params} | _CONSTANTS
        found: dict[tuple[int, str, str], Change] = {}
        why = ""
        for call in calls:
            direct = change_of(call)
            changes: list[Change] = [direct] if direct is not None else []
            for callee in () if direct or not call.name else self._named(call, function):
                inner = ask(Node(callee, None))
                why = why or inner.open
                given = {p.name: a for p, a in zip(callee.params, call.args[1:], strict=False)}
                changes += (
                    Change(one.call, substitute(one.address, given), one.size)
                    for one in inner.found
                )
            for one in changes:
                address = bounds.resolved(one.address)
                used = {part.name for part in subexpressions(address) if part.kind == "name"}
                if bounds.steady(address) and used <= usable:
                    key = (one.call.span.start, text(address), one.size)
                    found.setdefault(key, Change(one.call, address, one.size))
        return Changes(tuple(found.values()), why)

    def _named(self, call: Expr, function: Function) -> tuple[Function, ...]:
        return self.program.named(call.name, function.path)[:1]

    def same(self, before: Changes, after: Changes) -> bool:
        """Whether both change the same."""
        return _shown(before) == _shown(after)

    def unsettled(self, node: Node[None], first: Changes) -> Changes:
        """A function that calls itself at other addresses."""
        why = f"{node.function.name}() at {node.place} calls itself at other addresses"
        return msgspec.structs.replace(first, open=why)


def _shown(changes: Changes) -> tuple[object, ...]:
    found = frozenset((one.call.span.start, text(one.address), one.size) for one in changes.found)
    return (found, bool(changes.open))


class _Unshares:
    """Whether a function may unmap shared tables, without adjusting a range itself."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        for call in self.program.calls(node.function):
            if call.name:
                for callee in self.program.named(call.name, node.function.path):
                    yield Node(callee, None)

    def start(self, node: Node[None]) -> bool:
        return False

    def compute(self, node: Node[None], ask: Callable[[Node[None]], bool]) -> bool:
        calls = self.program.calls(node.function)
        adjusts = names("ranges", "adjust", "functions")
        if any(role(call) or call.name in adjusts for call in calls):
            return False
        if any(call.name in names("ranges", "unshares", "functions") for call in calls):
            return True
        return any(map(ask, self.callees(node)))

    def same(self, before: bool, after: bool) -> bool:
        return before == after

    def unsettled(self, node: Node[None], first: bool) -> bool:
        raise AssertionError("yes and no settle")


def changes_of(program: Program) -> ChangesOf:
    """The changes of a program's functions, shared by everyone who asks."""
    return program.once(ChangesOf)
