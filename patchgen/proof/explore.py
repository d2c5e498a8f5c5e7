# SPDX-License-Identifier: GPL-2.0-only
"""Every reachable state, breadth first: which properties break, by the shortest run.

A state is one integer, its variables bit fields.  Each location of each process gets a
function made for it, so that a guard is one mask and one comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec

from patchgen.proof.system import Bad, Literal, System, Transition, Update, Variable

Successors = Callable[[int], tuple[int, ...]]
Progress = Callable[[int, int], None]

#: States beyond which a search gives up: about 450 MB of them.
LIMIT = 2_600_000


class TooLarge(Exception):
    """The search met its limit: nothing can be said."""


class Violation(msgspec.Struct, frozen=True):
    """A bad state that is reached, and the shortest run to it."""

    bad: Bad
    run: tuple[Transition, ...]


class Explored(msgspec.Struct, frozen=True):
    """The outcome: the states seen, the transitions tried, seconds, what is violated."""

    states: int
    transitions: int
    seconds: float
    violations: tuple[Violation, ...]


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
            elif update.how == "or":
                text = f"({text}|((s>>{self.shift[update.other]})&{mask})<<{shift})"
            else:
                copied = f"((s>>{self.shift[update.other]})&{mask})<<{shift}"
                text = f"({text}&{~(mask << shift)}|{copied})"
        if clear == value:
            return f"{text}|{value}" if value else text
        return f"{text}&{~clear}|{value}" if value else f"{text}&{~clear}"


def _ordered(system: System) -> list[Variable]:
    """The variables with each symmetric group side by side, in one order."""
    first, second = system.symmetric
    by_name = {v.name: v for v in system.variables}
    grouped = [*first, *second]
    return [by_name[n] for n in grouped] + [v for v in system.variables if v.name not in grouped]


def explore(system: System, progress: Progress | None = None) -> Explored:
    """Visit every reachable state of ``system``.

    ``progress(states, depth)`` is called after each depth.  Raises TooLarge beyond
    :data:`LIMIT` states.  The order of the search, and so each run, depends on nothing
    but the system.
    """
    begun = time.monotonic()
    packing = Packing(system)
    level, canonical = _compile(system, packing)
    first = canonical(packing.initial)
    seen: dict[int, int] = {first: -1}
    found: dict[int, int] = {}
    frontier = [first]
    depth = transitions = 0
    while frontier:
        following: list[int] = []
        transitions += level(frontier, seen, following, found)
        frontier = following
        depth += 1
        if len(seen) > LIMIT:
            raise TooLarge(f"more than {LIMIT} states")
        if progress is not None:
            progress(len(seen), depth)
    runs = tuple(
        Violation(system.bad[index], _run(system, packing, canonical, seen, state))
        for index, state in sorted(found.items())
    )
    return Explored(len(seen), transitions, time.monotonic() - begun, runs)


Level = Callable[[list[int], dict[int, int], list[int], dict[int, int]], int]


def _compile(system: System, packing: Packing) -> tuple[Level, Callable[[int], int]]:
    """The function that expands one depth, and the one that sorts equal processes."""
    lines: list[str] = []
    names: dict[str, object] = {}
    calls = []
    for number, process in enumerate(system.processes):
        table = []
        for location in range(process.locations):
            name = f"f{number}_{location}"
            here = [t for t in system.transitions if (t.process, t.source) == (number, location)]
            lines += _function(name, here, packing, process.pc)
            table.append(name)
        lines.append(f"t{number} = ({', '.join(table)},)")
        if process.pc:
            calls.append(f"t{number}[s>>{packing.shift[process.pc]}&{packing.mask[process.pc]}](s)")
        else:
            calls.append(f"f{number}_0(s)")
    swap = _swap(system, packing)
    lines += ["def canonical(n):", *(f"    {line}" for line in swap), "    return n"]
    lines += ["def level(frontier, seen, following, found):", "    count = 0"]
    lines += ["    for s in frontier:", f"        for made in ({', '.join(calls)},):"]
    lines += ["            for n in made:", "                count += 1"]
    lines += [f"                {line}" for line in swap]
    lines += ["                if n not in seen:", "                    seen[n] = s"]
    lines += ["                    following.append(n)"]
    lines += [f"                    {line}" for line in _checks(system, packing, names)]
    lines += ["    return count"]
    exec(compile("\n".join(lines), "<proof>", "exec"), names)
    return names["level"], names["canonical"]  # type: ignore[return-value]


def _function(name: str, here: list[Transition], packing: Packing, pc: str) -> list[str]:
    """The source of one location's successor function."""
    if not here:
        return [f"def {name}(s):", "    return ()"]
    lines = [f"def {name}(s):"]
    made = []
    for transition in here:
        move = (Update(pc, "set", transition.target),) if pc else ()
        known = {g.variable: g.value for g in transition.guards if not g.negated and not g.other}
        known |= {pc: transition.source} if pc else {}
        made.append(
            (
                packing.test(transition.guards),
                packing.change((*transition.updates, *move), known),
            )
        )
    if len(made) == 1:
        test, new = made[0]
        return [
            *lines,
            f"    return ({new},) if {test} else ()" if test else f"    return ({new},)",
        ]
    lines.append("    r = []")
    for test, new in made:
        lines.append(f"    if {test}: r.append({new})" if test else f"    r.append({new})")
    return [*lines, "    return r"]


def _swap(system: System, packing: Packing) -> list[str]:
    """Source that puts the equal processes of the state ``n`` in order."""
    first, second = system.symmetric
    if not first:
        return []
    width = packing.shift[second[0]]
    mask = (1 << width) - 1
    both = mask | mask << width
    return [
        f"a = n & {mask}",
        f"b = n >> {width} & {mask}",
        f"if a > b: n = n & {~both} | b | a << {width}",
    ]


def _checks(system: System, packing: Packing, names: dict[str, object]) -> list[str]:
    """Source that looks the new state ``n`` up in the bad ones."""
    sets: dict[int, dict[int, list[int]]] = {}
    lines = []
    for index, bad in enumerate(system.bad):
        if any(literal.negated or literal.other for literal in bad.literals):
            test = packing.test(bad.literals, "n")
            lines.append(f"if {index} not in found and {test}: found[{index}] = n")
            continue
        mask = value = 0
        for literal in bad.literals:
            mask |= packing.field(literal.variable)
            value |= literal.value << packing.shift[literal.variable]
        sets.setdefault(mask, {}).setdefault(value, []).append(index)
    for number, (mask, table) in enumerate(sets.items()):
        names[f"bad{number}"] = table
        lines.append(f"if n & {mask} in bad{number}:")
        lines.append(f"    for i in bad{number}[n & {mask}]: found.setdefault(i, n)")
    return lines


def _run(
    system: System,
    packing: Packing,
    canonical: Callable[[int], int],
    seen: dict[int, int],
    state: int,
) -> tuple[Transition, ...]:
    """The transitions on the shortest way to ``state``, followed forwards.

    The search put equal processes in order; the run keeps each in its own column.
    """
    way = [state]
    while seen[way[-1]] >= 0:
        way.append(seen[way[-1]])
    way.reverse()
    steps = []
    actual = packing.initial
    for wanted in way[1:]:
        for transition in system.transitions:
            process = system.processes[transition.process]
            if process.pc and packing.get(actual, process.pc) != transition.source:
                continue
            after = step(packing, actual, transition, process.pc)
            if after is not None and canonical(after) == wanted:
                steps.append(transition)
                actual = after
                break
        else:
            raise AssertionError("a state without the step that made it")
    return tuple(steps)


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
        elif update.how == "or":
            new = old | packing.get(state, update.other)
        else:
            new = packing.get(state, update.other)
        after += (new - old) << packing.shift[update.variable]
    return after
