# SPDX-License-Identifier: GPL-2.0-only
"""Python made for one system: a function for each location of each process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from patchgen.proof.search.distance import FAR, Distance
from patchgen.proof.search.packing import Packing
from patchgen.proof.search.reduce import Settled
from patchgen.proof.system.system import System, Transition, Update

#: Expands a depth: (states, predecessors, next depth, bad states found, steps that are left,
#: states that would need more of them) -> transitions.
Level = Callable[[list[int], dict[int, int], list[int], dict[int, int], int, list[int]], int]


def compiled(
    system: System,
    packing: Packing,
    settled: Sequence[Settled] = (),
    near: Sequence[Distance] = (),
) -> tuple[Level, Callable[[int], int]]:
    """The function that expands one depth, and the one that sorts equal processes.

    Processes that others sent to a local state of ``settled`` begin again.  With ``near``
    only states from which few enough steps are needed are gone on from.
    """
    names: dict[str, object] = {}
    lines = _settle(packing, settled, names)
    own = {name: found.names[0] for found in settled for name in found.names}
    calls = []
    for number, process in enumerate(system.processes):
        if not any(t.process == number for t in system.transitions):
            continue
        table = []
        for location in range(process.locations):
            name = f"f{number}_{location}"
            here = [t for t in system.transitions if (t.process, t.source) == (number, location)]
            lines += _function(name, here, packing, process.pc, own)
            table.append(name)
        lines.append(f"t{number} = ({', '.join(table)},)")
        if process.pc:
            calls.append(f"t{number}[s>>{packing.shift[process.pc]}&{packing.mask[process.pc]}](s)")
        else:
            calls.append(f"f{number}_0(s)")
    swap = _swap(system, packing)
    lines += ["def canonical(n):", *(f"    {line}" for line in swap), "    return n"]
    lines += ["def level(frontier, seen, following, found, left, cut):", "    count = 0"]
    lines += ["    for s in frontier:", f"        for made in ({', '.join(calls)},):"]
    lines += ["            for n in made:", "                count += 1"]
    lines += [f"                {line}" for line in swap]
    lines += ["                if n not in seen:"]
    lines += [f"                    {line}" for line in _near(packing, near, names)]
    lines += ["                    seen[n] = s"]
    lines += ["                    following.append(n)"]
    lines += [f"                    {line}" for line in _checks(system, packing, names)]
    lines += ["    return count"]
    exec(compile("\n".join(lines), "<proof>", "exec"), names)
    return names["level"], names["canonical"]  # type: ignore[return-value]


def _settle(packing: Packing, settled: Sequence[Settled], names: dict[str, object]) -> list[str]:
    """Source of the function that puts processes back that would only go back."""
    lines = ["def settle(n):"]
    for number, found in enumerate(settled):
        names[f"vain{number}"] = frozenset(packing.bits(found.names, v) for v in found.vain)
        mask, first = packing.all_bits(found.names), packing.bits(found.names, found.first)
        lines.append(f"    if n & {mask} in vain{number}: n = n & {~mask} | {first}")
    return [*lines, "    return n"]


def _near(packing: Packing, near: Sequence[Distance], names: dict[str, object]) -> list[str]:
    """Source that passes by a state ``n`` from which there is too far to go."""
    if not near:
        return []
    terms = []
    for number, found in enumerate(near):
        names[f"near{number}"] = {packing.bits(found.names, v): k for v, k in found.steps.items()}
        terms.append(f"near{number}.get(n & {packing.all_bits(found.names)}, {FAR})")
    return [f"if {' + '.join(terms)} > left:", "    cut.append(n)", "    continue"]


def _function(
    name: str, here: list[Transition], packing: Packing, pc: str, own: Mapping[str, str]
) -> list[str]:
    """The source of one location's successor function."""
    if not here:
        return [f"def {name}(s):", "    return ()"]
    lines = [f"def {name}(s):"]
    made = []
    for transition in here:
        move = (Update(pc, "set", transition.target),) if pc else ()
        known = {g.variable: g.value for g in transition.guards if not g.negated and not g.other}
        known |= {pc: transition.source} if pc else {}
        new = packing.change((*transition.updates, *move), known)
        if any(own.get(update.variable, pc) != pc for update in transition.updates):
            new = f"settle({new})"
        made.append((packing.test(transition.guards), new))
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
