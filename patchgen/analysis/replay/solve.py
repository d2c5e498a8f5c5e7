# SPDX-License-Identifier: GPL-2.0-only
"""Values with which all conditions of a way hold, looked for.

Conditions that share no unknown are solved apart.  What is tried are the numbers that stand in
the conditions, their neighbours, sums and differences with what is chosen already, and the
bounds of the types.  That values are found shows that the way can be taken; that none are
shows nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from patchgen.analysis.replay.terms import (
    Address,
    NoValue,
    Number,
    Term,
    Unclear,
    Unknown,
    evaluated,
    leaves,
    numbers,
)

#: Assignments that are tried for conditions that hang together.
_TRIES = 20_000
#: Addresses of objects, far from what numbers in code are.
_OBJECTS = 1 << 46


def satisfiable(conditions: Sequence[Term]) -> bool:
    """Whether values were found with which none of the conditions is zero."""
    if any(isinstance(one, Unclear) or (isinstance(one, Number) and not one.value)
           for one in conditions):  # fmt: skip
        return False
    model: dict[Hashable, int] = {}
    return all(_solve(group, model) for group in _apart([c for c in conditions if _open(c)]))


def is_followed(condition: Term) -> bool:
    """Whether a condition rests on what the way began with and what calls returned alone."""
    return not any(isinstance(leaf, Unknown) and leaf.loose for leaf in leaves(condition))


def _open(condition: Term) -> bool:
    return not isinstance(condition, Number)


def _apart(conditions: Sequence[Term]) -> Iterator[list[Term]]:
    """Conditions in groups that share no unknown."""
    groups: list[tuple[set[Hashable], list[Term]]] = []
    for condition in dict.fromkeys(conditions):
        used: set[Hashable] = {_key(leaf) for leaf in leaves(condition)}
        mine = [condition]
        rest = []
        for keys, held in groups:
            if keys & used:
                used |= keys
                mine = [*held, *mine]
            else:
                rest.append((keys, held))
        groups = [*rest, (used, mine)]
    yield from (held for _, held in groups)


def _key(leaf: Unknown | Address) -> Hashable:
    return leaf if isinstance(leaf, Address) else leaf.key


class _Budget:
    def __init__(self) -> None:
        self.left = _TRIES


def _solve(conditions: list[Term], model: dict[Hashable, int]) -> bool:
    unknowns: dict[Hashable, Unknown] = {}
    uses: dict[Hashable, int] = {}
    for condition in conditions:
        for leaf in leaves(condition):
            if isinstance(leaf, Address):
                model.setdefault(leaf, _OBJECTS + 4096 * len(model))
            else:
                unknowns.setdefault(leaf.key, leaf)
                uses[leaf.key] = uses.get(leaf.key, 0) + 1
    order = sorted(unknowns, key=lambda key: -uses[key])
    ready = _by_last(conditions, order)
    known = sorted({n for condition in conditions for n in numbers(condition)})
    return _assign(order, 0, unknowns, ready, known, model, _Budget())


def _by_last(conditions: Sequence[Term], order: Sequence[Hashable]) -> list[list[Term]]:
    """For each number of chosen unknowns the conditions that can be evaluated from then on."""
    rank = {key: number + 1 for number, key in enumerate(order)}
    found: list[list[Term]] = [[] for _ in range(len(order) + 1)]
    for condition in conditions:
        last = max((rank.get(_key(leaf), 0) for leaf in leaves(condition)), default=0)
        found[last].append(condition)
    return found


def _assign(
    order: Sequence[Hashable],
    at: int,
    unknowns: dict[Hashable, Unknown],
    ready: list[list[Term]],
    known: Sequence[int],
    model: dict[Hashable, int],
    budget: _Budget,
) -> bool:
    if at == 0 and not all(_holds(condition, model) for condition in ready[0]):
        return False
    if at == len(order):
        return True
    key = order[at]
    for value in _candidates(unknowns[key], known, [model[k] for k in order[:at]]):
        budget.left -= 1
        if budget.left < 0:
            return False
        model[key] = value
        if all(_holds(condition, model) for condition in ready[at + 1]) and _assign(
            order, at + 1, unknowns, ready, known, model, budget
        ):
            return True
    model.pop(key, None)
    return False


def _holds(condition: Term, model: dict[Hashable, int]) -> bool:
    try:
        return evaluated(condition, model) != 0
    except NoValue:
        return False


def _candidates(unknown: Unknown, known: Sequence[int], chosen: Sequence[int]) -> Iterator[int]:
    """Values to try, plain ones first."""
    low, high = unknown.type.bounds if unknown.type is not None else (-(1 << 62), 1 << 62)
    tried: set[int] = set()
    for value in _all(known, chosen, low, high):
        if low <= value <= high and value not in tried:
            tried.add(value)
            yield value


def _all(known: Sequence[int], chosen: Sequence[int], low: int, high: int) -> Iterator[int]:
    yield from (0, 1)
    for number in (*reversed(chosen), *known):
        yield from (number, number + 1, number - 1)
    yield from (2, -1, high, low, high - 1, low + 1)
    for number in (*chosen, *known):
        yield from (number << 1, number >> 1, -number, number + 4096, number - 4096, ~number)
    for one in known:
        for two in (*chosen, *known):
            yield from (one + two, two - one)
    for one in chosen:
        for two in chosen:
            yield from (one + two, one - two)
