# SPDX-License-Identifier: GPL-2.0-only
"""What one function's calls and assignments are to ranges, told once for all its walks.

A walk comes to the same call on many paths, and several walks go over the same function;
what does not depend on the path is found here.
"""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.engine.program import Program, declared_type
from patchgen.analysis.sections.calls import callees, ignored_results, passes_bounds, root_of
from patchgen.analysis.sections.guards import guards
from patchgen.analysis.sections.quiet import Quiet
from patchgen.analysis.sections.sites import range_of, role
from patchgen.analysis.values.naming import Naming
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, text


class Call(NamedTuple):
    """A call: its role, the functions it may enter and that matter, whether it may move bounds.

    ``target`` is the key of the range that a primitive is about, "" for none; ``away`` are
    ranges of the function that go to a callee which is not at hand.
    """

    role: str
    entered: tuple[Function, ...]
    bounds: bool
    target: str
    away: tuple[str, ...]

    @property
    def matters(self) -> bool:
        """Whether a walk has to look at it."""
        return bool(self.role or self.entered or self.bounds or self.away)


class Assignment(NamedTuple):
    """What is written: the variable, or (a member) the key of what has it.

    ``ours``: that is known to be a range.
    """

    variable: str
    key: str
    member: str
    ours: bool


class Reading:
    """One function; ``used`` are the ranges that it starts or ends itself."""

    def __init__(self, program: Program, naming: Naming, function: Function) -> None:
        self.program = program
        self.naming = naming
        self.function = function
        self.ignored = ignored_results(function)
        self.guards = guards(function)
        self._locals: dict[str, bool] = {}
        self._calls: dict[int, tuple[Expr, Call]] = {}
        self._assignments: dict[int, tuple[Expr, Assignment]] = {}
        targets = [range_of(call) for call in program.calls(function) if role(call)]
        self.used = frozenset(naming.key(target) for target in targets if target is not None)

    def call(self, call: Expr) -> Call:
        """What a call is."""
        found = self._calls.get(id(call))
        if found is None:
            found = self._calls[id(call)] = (call, self._call(call))
        return found[1]

    def _call(self, call: Expr) -> Call:
        what = role(call)
        target = range_of(call) if what else None
        key = self.naming.key(target) if target is not None else ""
        bounds = passes_bounds(call)
        away = () if what or bounds else self._given_away(call)
        entered = callees(self.program, call, self.function) if not what else ()
        if self.program.once(Quiet).all(entered):
            entered = ()
        return Call(what, entered, bounds, key, away)

    def _given_away(self, call: Expr) -> tuple[str, ...]:
        if call.name.startswith("mmu_notifier_") or call.name in names(
            "evaluation", "preserves", "functions"
        ):
            return ()
        found = []
        for argument in call.args[1:]:
            given = bare(argument)
            if given.kind == "unary" and given.name == "&":
                key = self.naming.key(given.args[0])
            elif given.kind == "name":
                key = self.naming.key(pointed(given))
            else:
                continue
            if key in self.used and not self.program.targets(call, self.function):
                found.append(key)
        return tuple(found)

    def assignment(self, expr: Expr) -> Assignment:
        """What ``lvalue op value`` writes."""
        found = self._assignments.get(id(expr))
        if found is None:
            found = self._assignments[id(expr)] = (expr, self._assignment(bare(expr.args[0])))
        return found[1]

    def _assignment(self, left: Expr) -> Assignment:
        if left.kind == "name":
            return Assignment(left.name, "", "", False)
        holder = left.args[0] if left.kind == "member" else pointed(left.args[0], left)
        key = self.naming.key(holder)
        return Assignment("", key, left.name, self.is_range(key) or key in self.used)

    def is_saved(self, value: Expr, key: str, member: str) -> bool:
        """Whether the value is a variable that holds what the member was before."""
        value = bare(value)
        if value.kind != "name":
            return False
        resolved = self.naming.locals.get(value.name)
        if resolved is None:
            return False
        resolved = bare(resolved)
        return resolved.name == member and text(resolved) in (f"{key}.{member}",
                                                              f"{key[1:]}->{member}")  # fmt: skip

    def is_range(self, key: str) -> bool:
        """Whether a variable, or what it points to, is declared as a range."""
        variable = key.lstrip("*")
        return "struct mmu_notifier_range" in declared_type(self.function, variable)

    def is_local(self, key: str) -> bool:
        """Whether the range lies in a variable of this function."""
        found = self._locals.get(key)
        if found is None:
            variable = root_of(key)
            kind = declared_type(self.function, variable)
            found = bool(kind) and "*" not in kind and variable not in self.naming.params
            self._locals[key] = found
        return found


def pointed(pointer: Expr, at: Expr | None = None) -> Expr:
    """What a pointer leads to, as an expression at the place of ``at``."""
    where = pointer if at is None else at
    return Expr("unary", "*", (pointer,), where.span, where.line)
