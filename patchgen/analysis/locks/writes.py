# SPDX-License-Identifier: GPL-2.0-only
"""What functions write to memory that their callers may ask about, callees included."""

from __future__ import annotations

from functools import cache

from patchgen.analysis.engine.known import HARD, SHARED, UNSEEN
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Clobber
from patchgen.analysis.locks.calls import handed, may_sleep, pointee, reschedules
from patchgen.analysis.locks.source import Source
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.subjects import holder
from patchgen.kernel.knowledge import is_quick, names
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
            return Clobber(HARD)
        inner = handed(call)
        entered = targets or (self.program.targets(inner, caller) if inner is not None else ())
        if not entered:
            fills = call.name in names("evaluation", "fills", "functions")
            return Clobber(self._level(call), fills)
        found = [self._of(one) for one in entered]
        members = frozenset().union(*(one.members for one in found))
        level = max(self._level(call) if inner is not None else HARD, *(one.level for one in found))
        return Clobber(level, any(one.given for one in found), members)

    def _of(self, function: Function) -> Clobber:
        """All that ``function`` and what it reaches may change."""
        found = self._done.get(id(function))
        if found is None:
            members: set[str] = set()
            level = HARD
            for reached in self.program.reachable([function], 64):
                own = self._own(reached)
                members |= own.members
                level = max(level, own.level)
            given = self._own(function).given
            found = self._done[id(function)] = Clobber(level, given, frozenset(members))
        return found

    def _own(self, function: Function) -> Clobber:
        function = self.source.expanded(function)
        naming = Naming(function)
        own = naming.types
        members: set[str] = set()
        level, given = HARD, False
        params = {param.name for param in function.params}
        for part in every(function.body):
            if part.kind == "call":
                inner = self.program.targets(part, function)
                level = max(level, HARD if inner or is_quiet(part) else self._level(part))
                continue
            target = _target(part)
            if target is None:
                continue
            if target.kind == "unary" and target.name == "*":
                target = pointee(naming.plain(target.args[0]))
            if target.kind in ("member", "arrow"):
                if holder(target)[:1] == "*" or root(target) not in own:
                    members.add(target.name)
            elif target.kind == "name":
                members |= {target.name} - own.keys()
            else:
                level = max(level, UNSEEN)
                given = given or root(target) in params
        return Clobber(level, given, frozenset(members))

    @staticmethod
    def _level(call: Expr) -> int:
        """Whether others run during a call: it takes or drops something, or sleeps."""
        waits = call.name in primitives() or may_sleep(call) or reschedules(call)
        return SHARED if waits else UNSEEN


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


@cache
def is_told(name: str) -> bool:
    """Whether it is described what a function does, as far as locks and waiting go."""
    return (
        is_known(name)
        or is_quick(name)
        or name in names("evaluation", "dies", "if_true")
        or name in names("evaluation", "dies", "always")
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
