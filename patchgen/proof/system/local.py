# SPDX-License-Identifier: GPL-2.0-only
"""One process by itself: its location, some variables, and what is done to these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from patchgen.proof.system.system import Literal, System, Transition, Update

#: Values of the variables, in their order.
Local = tuple[int, ...]


class Own:
    """A process and some variables, by name: that of its location and others."""

    def __init__(self, system: System, number: int, names: Sequence[str]) -> None:
        self.process = system.processes[number]
        self.names = tuple(names)
        declared = {v.name: v for v in system.variables}
        self.bits = {name: declared[name].bits for name in names}
        self.first = tuple(declared[name].initial for name in names)
        self.mine = [t for t in system.transitions if t.process == number]
        self._at: dict[int, list[Transition]] = {}
        for transition in self.mine:
            self._at.setdefault(transition.source, []).append(transition)
        self.theirs = [t for t in system.transitions if t.process != number]

    def private(self) -> bool:
        """Whether others do no more to these variables than to or one to another."""
        names = set(self.names)
        return all(
            not {name for g in t.guards for name in (g.variable, g.other)} & names
            and all(
                not {u.variable, u.other} & names
                or (u.how == "or" and {u.variable, u.other} <= names)
                for u in t.updates
            )
            for t in self.theirs
        )  # fmt: skip

    def effects(self) -> set[tuple[Update, ...]]:
        """What single steps of others do to them."""
        names = set(self.names)
        return {tuple(u for u in t.updates if u.variable in names) for t in self.theirs} - {()}

    def values(self, local: Local) -> dict[str, int]:
        """A local state by name."""
        return dict(zip(self.names, local, strict=True))

    def after(self, updates: Iterable[Update], values: Mapping[str, int]) -> set[Local]:
        """The local states after ``updates``: any value where one comes from elsewhere."""
        made: dict[str, Iterable[int]] = {name: (value,) for name, value in values.items()}
        for update in updates:
            name, other = update.variable, update.other
            if name not in made:
                continue
            if update.how == "set":
                made[name] = (update.value,)
            elif update.how == "copy" and other in values:
                made[name] = (values[other],)
            elif update.how == "or" and other in values:
                made[name] = {old | values[other] for old in made[name]}
            else:
                made[name] = range(1 << self.bits[name])
        return set(product(*(made[name] for name in self.names)))

    def seen(self, transition: Transition) -> bool:
        """Whether others see a difference after ``transition``."""
        known = {g.variable: g.value for g in transition.guards if not g.negated and not g.other}
        return any(
            u.variable not in self.names
            and not (u.how == "set" and known.get(u.variable) == u.value)
            for u in transition.updates
        )

    def moves(self, local: Local) -> Iterator[tuple[Transition, set[Local]]]:
        """The process's steps that may be possible at ``local``, and where each may lead."""
        values = self.values(local)
        for transition in self._at.get(values[self.process.pc], ()):
            if may(transition.guards, values):
                move = Update(self.process.pc, "set", transition.target)
                yield transition, self.after((*transition.updates, move), values)


def may(literals: Iterable[Literal], values: Mapping[str, int]) -> bool:
    """Whether ``literals`` may hold, as far as ``values`` tells."""
    for lit in literals:
        if lit.variable in values and (not lit.other or lit.other in values):
            value = values[lit.other] if lit.other else lit.value
            if (values[lit.variable] == value) == lit.negated:
                return False
    return True
