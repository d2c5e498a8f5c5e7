# SPDX-License-Identifier: GPL-2.0-only
"""A state as one integer: its variables are bit fields, a guard is one comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from patchgen.proof.system.system import Literal, System, Transition, Update, Variable


class Packing:
    """Where each variable lies in the integer."""

    def __init__(self, system: System) -> None:
        self.shift: dict[str, int] = {}
        self.mask: dict[str, int] = {}
        self.initial = 0
        at = 0
        for variable in _ordered(system):
            self.shift[variable.name] = at
            self.mask[variable.name] = (1 << variable.bits) - 1
            self.initial |= variable.initial << at
            at += variable.bits

    def field(self, name: str) -> int:
        """The bits of a variable, in place."""
        return self.mask[name] << self.shift[name]

    def get(self, state: int, name: str) -> int:
        """The value of a variable."""
        return (state >> self.shift[name]) & self.mask[name]

    def bits(self, names: Sequence[str], values: Sequence[int]) -> int:
        """``values`` in the places of the variables ``names``."""
        return sum(value << self.shift[name] for name, value in zip(names, values, strict=True))

    def all_bits(self, names: Sequence[str]) -> int:
        """The bits of all variables of ``names``, in place."""
        return sum(self.field(name) for name in names)

    def test(self, guards: Iterable[Literal], state: str = "s") -> str:
        """A Python expression for ``guards``; "" where there are none."""
        mask = value = 0
        parts = []
        for guard in guards:
            if guard.other:
                a, b = self.shift[guard.variable], self.shift[guard.other]
                same = f"(({state}>>{a})^({state}>>{b}))&{self.mask[guard.variable]}"
                parts.append(f"({same})" if guard.negated else f"not ({same})")
            elif guard.negated:
                field = self.field(guard.variable)
                bits = guard.value << self.shift[guard.variable]
                parts.append(f"{state}&{field}!={bits}" if bits else f"{state}&{field}")
            else:
                mask |= self.field(guard.variable)
                value |= guard.value << self.shift[guard.variable]
        if mask:
            parts.insert(0, f"{state}&{mask}=={value}")
        return " and ".join(parts)

    def change(self, updates: Iterable[Update], known: dict[str, int]) -> str:
        """A Python expression for the state after ``updates``.

        ``known`` are values that the guards settled.
        """
        text = "s"
        clear = value = 0
        joined: list[str] = []
        for update in updates:
            shift, mask = self.shift[update.variable], self.mask[update.variable]
            if update.how == "set":
                assert update.value <= mask, update
                old = known.get(update.variable)
                if old == update.value:
                    continue
                clear |= mask << shift
                value |= update.value << shift
            elif update.how == "add":
                text = f"({text}+{update.value << shift})".replace("+-", "-")
            elif update.how == "join" and update.other:
                other = f"(s>>{self.shift[update.other]}&{self.mask[update.other]})"
                joined.append(f"1<<{other}>>1<<{shift}")
            elif update.how == "join":
                joined.append(str(1 << update.value >> 1 << shift))
            elif update.how == "or":
                text = f"({text}|((s>>{self.shift[update.other]})&{mask})<<{shift})"
            else:
                copied = f"((s>>{self.shift[update.other]})&{mask})<<{shift}"
                text = f"({text}&{~(mask << shift)}|{copied})"
        if clear != value:
            text = f"{text}&{~clear}"
        if value:
            joined.insert(0, str(value))
        return "|".join((text, *joined))


def _ordered(system: System) -> list[Variable]:
    """The variables with each symmetric group side by side, in one order."""
    first, second = system.symmetric
    by_name = {v.name: v for v in system.variables}
    grouped = [*first, *second]
    return [by_name[n] for n in grouped] + [v for v in system.variables if v.name not in grouped]


def step(packing: Packing, state: int, transition: Transition, pc: str) -> int | None:
    """``state`` after ``transition``, or None where its guards do not hold."""
    for guard in transition.guards:
        value = packing.get(state, guard.other) if guard.other else guard.value
        if (packing.get(state, guard.variable) == value) == guard.negated:
            return None
    after = state
    for update in (*transition.updates, *((Update(pc, "set", transition.target),) if pc else ())):
        old = packing.get(after, update.variable)
        if update.how == "set":
            new = update.value
        elif update.how == "add":
            new = old + update.value
        elif update.how == "join":
            joins = packing.get(state, update.other) if update.other else update.value
            new = old | 1 << joins >> 1
        elif update.how == "or":
            new = old | packing.get(state, update.other)
        else:
            new = packing.get(state, update.other)
        after += (new - old) << packing.shift[update.variable]
    return after
