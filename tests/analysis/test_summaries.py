# SPDX-License-Identifier: GPL-2.0-only
"""Summaries over circles of calls: the same whoever asks first, however deep; limits are said."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries, closure
from patchgen.model.code import Function
from patchgen.source.c.body import functions_in

Calls = dict[str, list[str]]


class Reached:
    """What a function calls in the end that is no function; rounds that add up where asked."""

    def __init__(self, program: Program, growing: bool = False) -> None:
        self.program = program
        self.growing = growing
        self.computed: list[str] = []

    def callees(self, node: Node[None]) -> Iterable[Node[None]]:
        for call in self.program.calls(node.function):
            yield from (Node(f, None) for f in self.program.named(call.name))

    def start(self, node: Node[None]) -> frozenset[str]:
        return frozenset()

    def compute(
        self, node: Node[None], ask: Callable[[Node[None]], frozenset[str]]
    ) -> frozenset[str]:
        self.computed.append(node.function.name)
        found: set[str] = set()
        for call in self.program.calls(node.function):
            named = self.program.named(call.name)
            below = [ask(Node(f, None)) for f in named]
            found.update(*below) if named else found.add(call.name)
            if self.growing:
                found |= {f"{one}+" for inner in below for one in inner}
        return frozenset(found)

    def same(self, before: frozenset[str], after: frozenset[str]) -> bool:
        return before == after

    def unsettled(self, node: Node[None], first: frozenset[str]) -> frozenset[str]:
        return first | {f"open at {node.place}"}


def program(calls: Calls) -> Program:
    text = "".join(
        f"void {name}(void)\n{{\n" + "".join(f"\t{one}();\n" for one in inner) + "}\n"
        for name, inner in calls.items()
    )
    return Program(functions_in(text.encode(), "x.c"))


def answers(of: Program, order: list[Function], growing: bool = False) -> dict[str, frozenset[str]]:
    summaries = Summaries(Reached(of, growing))
    return {f.name: summaries.of(Node(f, None)) for f in order}


def _graph(seed: int) -> Calls:
    rng = random.Random(seed)
    names = [f"f{i}" for i in range(12)]
    return {
        name: rng.choices(names, k=rng.randrange(4)) + [f"leaf_{name}"] * rng.randrange(2)
        for name in names
    }


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_the_answer_is_the_same_whoever_asks_first(seed: int, growing: bool) -> None:
    of = program(_graph(seed))
    functions = list(of.functions)
    expected = answers(of, functions, growing)
    for again in range(4):
        random.Random(again).shuffle(functions)
        assert answers(of, functions, growing) == expected


@pytest.mark.parametrize("seed", range(25))
def test_the_fixed_point_is_what_can_be_reached(seed: int) -> None:
    calls = _graph(seed)
    of = program(calls)
    for name, found in answers(of, list(of.functions)).items():
        seen, todo = set(), [name]
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += calls.get(one, [])
        assert found == {one for one in seen if one not in calls}


def test_each_function_outside_a_circle_is_computed_once() -> None:
    of = program({"a": ["b", "c"], "b": ["c"], "c": ["leaf"]})
    kind = Reached(of)
    summaries = Summaries(kind)
    for function in of.functions:
        summaries.of(Node(function, None))
    assert sorted(kind.computed) == ["a", "b", "c"]


def test_calls_may_be_as_deep_as_they_like() -> None:
    depth = 5000
    calls: Calls = {f"f{i}": [f"f{i + 1}"] for i in range(depth)} | {f"f{depth}": ["leaf"]}
    of = program(calls)
    top = next(f for f in of.functions if f.name == "f0")
    assert Summaries(Reached(of)).of(Node(top, None)) == {"leaf"}
    found = closure([Node(top, None)], Reached(of).callees)
    assert [node.function.name for node in found] == list(calls)


def test_a_long_circle_settles() -> None:
    size = 200
    calls: Calls = {f"f{i}": [f"f{(i + 1) % size}"] for i in range(size)}
    calls["f77"] = [*calls["f77"], "leaf"]
    of = program(calls)
    assert set(answers(of, list(of.functions)).values()) == {frozenset({"leaf"})}


def test_what_grows_in_each_round_is_left_open_with_its_place() -> None:
    of = program({"user": ["a"], "a": ["b", "leaf"], "b": ["a"]})
    found = answers(of, list(of.functions), growing=True)
    assert found["a"] == {"leaf", "open at x.c:5"}
    assert found["b"] == {"open at x.c:10"}
    assert "open at x.c:5" in found["user"]


def test_a_call_that_the_text_does_not_show_is_found_all_the_same() -> None:
    """A destructor runs at the end of a scope; here it leads back into its caller."""
    of = program({"a": ["b"], "b": ["leaf"], "destroy": ["a", "freed"]})
    hidden = next(f for f in of.functions if f.name == "destroy")

    class Hidden(Reached):
        def compute(
            self, node: Node[None], ask: Callable[[Node[None]], frozenset[str]]
        ) -> frozenset[str]:
            more = ask(Node(hidden, None)) if node.function.name == "b" else frozenset()
            return super().compute(node, ask) | more

    summaries = Summaries(Hidden(of))
    assert {f.name: summaries.of(Node(f, None)) for f in of.functions} == {
        "a": {"leaf", "freed"}, "b": {"leaf", "freed"}, "destroy": {"leaf", "freed"},
    }  # fmt: skip
