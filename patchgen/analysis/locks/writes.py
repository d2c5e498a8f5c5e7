# SPDX-License-Identifier: GPL-2.0-only
"""What functions write to memory that their callers may ask about, callees included."""

from __future__ import annotations

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Clobber
from patchgen.analysis.locks.calls import handed
from patchgen.analysis.locks.source import Source
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.subjects import holder
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import primitives
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, every, root

_QUIET = frozenset({"container_of", "mmu_notifier_to_kvm", "might_sleep", "lockdep_assert_held"})


class Writes:
    """For each function of a program: the members and globals that a call may set."""

    def __init__(self, program: Program, source: Source) -> None:
        self.program = program
        self.source = source
        self._done: dict[int, Clobber] = {}

    def by(self, call: Expr, caller: Function, targets: tuple[Function, ...]) -> Clobber:
        """What a call of ``caller`` may change; ``targets`` is what it enters, if known."""
        if not targets and is_quiet(call):
            return Clobber(False)
        inner = handed(call)
        entered = targets or (self.program.targets(inner, caller) if inner is not None else ())
        if not entered:
            return Clobber(True)
        found = [self._of(one) for one in entered]
        members = frozenset().union(*(one.members for one in found))
        return Clobber(inner is not None or any(one.shared for one in found), members)

    def _of(self, function: Function) -> Clobber:
        """All that ``function`` and what it reaches may change."""
        found = self._done.get(id(function))
        if found is None:
            members: set[str] = set()
            shared = False
            for reached in self.program.reachable([function], 64):
                own = self._own(reached)
                members |= own.members
                shared = shared or own.shared
            found = self._done[id(function)] = Clobber(shared, frozenset(members))
        return found

    def _own(self, function: Function) -> Clobber:
        function = self.source.expanded(function)
        own = Naming(function).types
        members: set[str] = set()
        shared = False
        for part in every(function.body):
            if part.kind == "call":
                inner = self.program.targets(part, function)
                shared = shared or not (inner or is_quiet(part))
                continue
            target = _target(part)
            if target is None:
                continue
            if target.kind in ("member", "arrow"):
                if holder(target)[:1] == "*" or root(target) not in own:
                    members.add(target.name)
            elif target.kind == "name":
                members |= {target.name} - own.keys()
            else:
                shared = True
        return Clobber(shared, frozenset(members))


def _target(part: Expr) -> Expr | None:
    """What an expression stores to."""
    if part.kind == "assign" or (part.kind in ("postfix", "unary") and part.name in ("++", "--")):
        return bare(part.args[0])
    return None


def is_known(name: str) -> bool:
    """Whether what a function does is described, so that its code is not looked for."""
    return (
        name in primitives()
        or name in _QUIET
        or name in names("evaluation", "pure", "functions")
        or name in names("evaluation", "transparent")
        or name in names("evaluation", "prints", "functions")
        or name in names("sleep", "sleeps", "functions")
        or name in names("sleep", "allocates", "functions")
        or name in names("evaluation", "preserves", "functions")
    )


def is_quiet(call: Expr) -> bool:
    """Whether a call, by its name, changes no memory and lets no other code do so."""
    if call.name in primitives():
        return False
    return (
        call.name in _QUIET
        or call.name in names("evaluation", "pure", "functions")
        or call.name in names("evaluation", "transparent")
        or call.name in names("evaluation", "prints", "functions")
    )
