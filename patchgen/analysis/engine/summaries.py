# SPDX-License-Identifier: GPL-2.0-only
"""What functions do, computed once each over the call graph's components.

A summary of a function is computed from its own code and from the summaries of what it
calls.  The functions that call each other in a circle (a strongly connected component,
Tarjan 1972) are computed together: all begin as "nothing is known to happen", and are
computed again, all of a round from the round before, until a round changes nothing.  So a
summary depends on the code alone: not on who asked first, nor on what was asked before,
nor on how deep the asker was.  There is no limit to the depth of calls; a component that
does not settle is marked as such by whoever made the summaries, who names the place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from patchgen.model.base import Place
from patchgen.model.code import Function

T = TypeVar("T")
S = TypeVar("S", bound=Hashable)

#: Rounds over one component, above one for each of its functions: a state needs as many
#: to get around.  What grows with each round (a bound that moves on) never settles.
ROUNDS = 16


class Node(Generic[S]):
    """A function in one context: what a summary is of.

    Functions are told apart as objects (the same name, even the same bytes, may have two
    readings), contexts by value.
    """

    __slots__ = ("_hash", "context", "function")

    def __init__(self, function: Function, context: S) -> None:
        self.function = function
        self.context = context
        self._hash = hash((object.__hash__(function), context))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Node)
            and other.function is self.function
            and other.context == self.context
        )

    def __hash__(self) -> int:
        return self._hash

    @property
    def place(self) -> Place:
        """Where the function begins."""
        return Place(self.function.path, self.function.line)


class Summary(Protocol[S, T]):
    """How the summary of one kind is made."""

    def callees(self, node: Node[S]) -> Iterable[Node[S]]:
        """Everything whose summary :meth:`compute` may ask for, from the text alone."""
        ...

    def start(self, node: Node[S]) -> T:
        """What is assumed within a component before its first round."""
        ...

    def compute(self, node: Node[S], ask: Callable[[Node[S]], T]) -> T:
        """The summary; ``ask`` gives those of :meth:`callees`."""
        ...

    def same(self, before: T, after: T) -> bool:
        """Whether a round changed nothing, witnesses apart."""
        ...

    def unsettled(self, node: Node[S], first: T) -> T:
        """The summary of a node whose component does not settle; says so, with the place.

        ``first`` is what the function does without the calls within its component.
        """
        ...


class _Unlisted(Exception):
    """A call that is not in the text (a destructor at the end of a scope) was met."""

    def __init__(self, caller: Node[Any], callee: Node[Any]) -> None:
        super().__init__()
        self.caller = caller
        self.callee = callee


class Summaries(Generic[S, T]):
    """Summaries of one kind, each found once."""

    def __init__(self, kind: Summary[S, T]) -> None:
        self._kind = kind
        self._done: dict[Node[S], T] = {}
        self._calls: dict[Node[S], tuple[Node[S], ...]] = {}

    def of(self, node: Node[S]) -> T:
        """The summary of ``node``."""
        while node not in self._done:
            try:
                for members in components(node, self._callees, self._done):
                    self._settle(members)
            except _Unlisted as found:
                known = self._callees(found.caller)
                self._calls[found.caller] = (*known, found.callee)
        return self._done[node]

    def _callees(self, node: Node[S]) -> tuple[Node[S], ...]:
        found = self._calls.get(node)
        if found is None:
            found = self._calls[node] = tuple(dict.fromkeys(self._kind.callees(node)))
        return found

    def _settle(self, members: list[Node[S]]) -> None:
        if len(members) == 1 and members[0] not in self._callees(members[0]):
            self._done[members[0]] = self._compute(members[0], {})
            return
        members = sorted(members, key=_order)
        values = {node: self._kind.start(node) for node in members}
        first: dict[Node[S], T] = {}
        todo = set(members)
        for _ in range(ROUNDS + len(members)):
            found = {n: self._compute(n, values) for n in members if n in todo}
            changed = {n for n, value in found.items() if not self._kind.same(values[n], value)}
            values.update(found)
            first = first or found
            todo = {n for n in members if not changed.isdisjoint(self._callees(n))}
            if not todo:
                break
        else:
            values = {node: self._kind.unsettled(node, first[node]) for node in members}
        self._done.update(values)

    def _compute(self, node: Node[S], values: dict[Node[S], T]) -> T:
        def ask(other: Node[S]) -> T:
            if other in values:
                return values[other]
            if other not in self._done:
                raise _Unlisted(node, other)
            return self._done[other]

        return self._kind.compute(node, ask)


def _order(node: Node[Any]) -> tuple[str, int, str, str]:
    """Where a function stands, and in which context: the same in every run."""
    context = node.context
    shown = repr(sorted(context) if isinstance(context, frozenset) else context)
    return (node.function.path, node.function.span.start, node.function.name, shown)


def components(
    start: Node[S],
    callees: Callable[[Node[S]], tuple[Node[S], ...]],
    done: dict[Node[S], Any],
) -> Iterator[list[Node[S]]]:
    """The strongly connected components below ``start``, callees first, without ``done``.

    Tarjan's algorithm without recursion: chains of calls may be as long as they like.
    """
    number: dict[Node[S], int] = {start: 0}
    low: dict[Node[S], int] = {start: 0}
    stack, waiting = [start], {start}
    work = [(start, iter(callees(start)))]
    while work:
        node, rest = work[-1]
        following = next((n for n in rest if n not in done and (n in waiting or n not in number)),
                         None)  # fmt: skip
        if following is None:
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == number[node]:
                at = stack.index(node)
                found = stack[at:]
                del stack[at:]
                waiting.difference_update(found)
                yield found
        elif following in waiting:
            low[node] = min(low[node], number[following])
        else:
            number[following] = low[following] = len(number)
            stack.append(following)
            waiting.add(following)
            work.append((following, iter(callees(following))))


def closure(
    start: Iterable[Node[S]], following: Callable[[Node[S]], Iterable[Node[S]]]
) -> tuple[Node[S], ...]:
    """``start`` and everything that leads on from it, nearest first, each once."""
    found = dict.fromkeys(start)
    todo = list(found)
    while todo:
        layer = [n for node in todo for n in following(node)]
        todo = [n for n in dict.fromkeys(layer) if n not in found]
        found.update(dict.fromkeys(todo))
    return tuple(found)
