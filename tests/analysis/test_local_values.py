# SPDX-License-Identifier: GPL-2.0-only
"""What a variable holds at a place; where it cannot be told it is nobody else's value."""

from __future__ import annotations

import re

import pytest

from patchgen.analysis.values.local_values import Values, unnamed
from patchgen.source.c.body import functions_in
from patchgen.source.c.text import every, text

#: (body, value of x at use(x)); a name with a number is shown as ``x#``.
CASES = [
    ("use(x);", "x"),
    ("unsigned long x = a + 1; use(x);", "a + 1"),
    ("x = a; x = b; use(x);", "b"),
    ("x = a; a = c; use(x);", "a"),
    ("if (a) x = b; use(x);", "x#"),
    ("if (a) { x = b; use(x); }", "b"),
    ("if (a) { x = b; return; } use(x);", "x"),
    ("x = min(a, b); use(x);", "min(a, b)"),
    ("x = find(a); use(x);", "x#"),
    ("change(&x); use(x);", "x#"),
    ("x += a; use(x);", "x#"),
    ("for (x = a; x < b; x += c) use(x);", "x#"),
    ("while (a) { x = b; use(x); }", "b"),
    ("while (a) { if (b) { x = c; continue; } use(x); }", "x#"),
    ("while (a) { if (b) { x = c; break; } } use(x);", "x#"),
    ("do { use(x); } while (x += a, x != b);", "x#"),
    ("for (y = a; y < b; y++) use(x);", "x"),
    ("for_each_thing(x, a) use(x);", "x#"),
]


@pytest.mark.parametrize(("body", "value"), CASES)
def test_value_at_a_place(body: str, value: str) -> None:
    source = f"void f(unsigned long x, unsigned long a, unsigned long b) {{ {body} }}"
    (function,) = functions_in(source.encode(), "x.c")
    (use,) = (part for part in every(function.body) if part.name == "use" and part.args)
    found = text(Values(function).at(use.args[1], use.span.start))
    assert re.sub(r"#\d+", "#", found) == value


def test_one_round_of_a_loop_has_one_value() -> None:
    source = b"void f(long x, long e) { do { use(x); use(x); x = y; use(x); } while (x != e); }"
    (function,) = functions_in(source, "x.c")
    uses = [part for part in every(function.body) if part.name == "use" and part.args]
    one, two, three = (text(Values(function).at(u.args[1], u.span.start)) for u in uses)
    assert one == two != "x"
    assert unnamed(one) == "x"
    assert three == "y"
