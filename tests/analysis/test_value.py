# SPDX-License-Identifier: GPL-2.0-only
"""Abstract values never rule out what can be."""

from __future__ import annotations

import operator

from hypothesis import given
from hypothesis import strategies as st

from patchgen.analysis.values.value import ANY, Known, compare, constant, meet, refine, truth

OPERATORS = {"==": operator.eq, "<": operator.lt, "<=": operator.le}
small = st.integers(-6, 6)
tests = st.tuples(st.sampled_from(sorted(OPERATORS)), small)


@given(small, st.lists(tests, max_size=6))
def test_refining_with_what_holds_keeps_the_value_possible(value: int, asked: list) -> None:
    known: Known = ANY
    for name, other in asked:
        holds = OPERATORS[name](value, other)
        narrowed = refine(known, name, other, holds)
        assert narrowed is not None
        assert compare(narrowed, name, other) is holds
        known = narrowed
    assert meet(known, constant(value)) is not None
    assert truth(known) in (None, bool(value))


@given(small, tests)
def test_a_constant_decides_every_comparison(value: int, asked: tuple) -> None:
    name, other = asked
    assert compare(constant(value), name, other) is OPERATORS[name](value, other)


def test_symbols_are_equal_to_themselves_only() -> None:
    clear = constant("MMU_NOTIFY_CLEAR")
    assert compare(clear, "==", "MMU_NOTIFY_CLEAR") is True
    assert compare(clear, "==", "MMU_NOTIFY_UNMAP") is False
    assert truth(clear) is None  # an enumerator may be zero
