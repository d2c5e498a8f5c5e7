# SPDX-License-Identifier: GPL-2.0-only
"""Python made for one system: a function for each location of each process."""

from __future__ import annotations

from collections.abc import Callable

from patchgen.proof.packing import Packing
from patchgen.proof.system import System, Transition, Update

#: Expands a depth: (states, predecessors, next depth, bad states found) -> transitions.
Level = Callable[[list[int], dict[int, int], list[int], dict[int, int]], int]


def compiled(system: System, packing: Packing) -> tuple[Level, Callable[[int], int]]:
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
