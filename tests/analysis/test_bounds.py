# SPDX-License-Identifier: GPL-2.0-only
"""Huge and malformed functions: bounded time, and the bound is stated."""

from __future__ import annotations

import time
import tracemalloc

from patchgen.analysis.engine.program import Program
from patchgen.analysis.locks.effects import Effects
from patchgen.source.c.body import functions_in
from tests.analysis.paths import function, traced


def test_twenty_thousand_statements_are_walked_completely() -> None:
    lines = [f"if (a{n}) {{ lock(x); work({n}); unlock(x); }}" for n in range(5000)]
    source = f"int f(void) {{ {' '.join(lines)} return 0; }}"
    function(source)  # parsing is not what is measured
    started = time.process_time()
    result, checker = traced(source)
    assert result.complete
    assert set(checker.exits) == {((), "0")}
    assert time.process_time() - started < 20


def test_five_hundred_nested_ifs() -> None:
    depth = 500
    ifs = " ".join(f"if (a{n})" for n in range(depth))
    result, checker = traced(f"int f(void) {{ {ifs} lock(x); return 0; }}")
    assert result.complete
    assert set(checker.exits) == {((), "0"), (("x",), "0")}


def test_deeper_than_the_parser_goes_is_reported() -> None:
    ifs = " ".join(f"if (a{n})" for n in range(5000))
    result, _ = traced(f"int f(void) {{ {ifs} lock(x); return 0; }}")
    assert "nested deeper" in result.unknown[0].name


def test_long_else_if_chain() -> None:
    chain = " else ".join(f"if (c == {n}) work({n});" for n in range(500))
    result, _ = traced(f"int f(int c) {{ {chain} return 0; }}")
    assert result.complete


def test_independent_conditions_that_all_return_give_up_and_say_so() -> None:
    # 2^40 combinations that all matter at the end.
    first = " ".join(f"if (a{n}) lock(l{n});" for n in range(40))
    second = " ".join(f"if (a{n}) unlock(l{n});" for n in range(40))
    tracemalloc.start()
    result, _ = traced(f"int f(void) {{ {first} {second} return 0; }}", limit=20_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "gave up after 20000 steps" in result.bounded and "x.c:1" in result.bounded
    assert result.visited <= 20_001
    assert peak < 100 << 20


def test_goto_loops_end() -> None:
    labels = " ".join(f"l{n}: if (c{n}) goto l{(n * 7) % 200};" for n in range(200))
    result, _ = traced(f"int f(void) {{ {labels} for (;;) ; }}")
    assert result.complete
    result, checker = traced("int f(int c) { again: goto again; }")
    assert result.complete and checker.exits == []


def test_loops_with_counters_converge() -> None:
    source = "int f(int n) { int i; for (i = 0; i < 1000; i++) if (i == n) lock(x); return 0; }"
    result, _ = traced(source, limit=5000)
    assert result.complete


def test_recursion_ends() -> None:
    source = """
    int odd(int n); int even(int n) { spin_lock(&l); spin_unlock(&l); return odd(n); }
    int odd(int n) { if (!n) return 1; return even(n - 1); }
    """
    source += "".join(f"int f{n}(void) {{ return f{n + 1}(); }}\n" for n in range(100))
    source += "int f100(void) { mutex_lock(&m); return even(3); }"
    functions = functions_in(source.encode(), "x.c")
    effects = Effects(Program(functions), frozenset())
    by_name = {f.name: f for f in functions}
    assert not effects.of(by_name["even"]).exits[0].state.held
    assert "nest too deep" in effects.of(by_name["f0"]).incomplete


def test_a_callee_with_very_many_ways_out_is_cut_and_said_so() -> None:
    locks = " ".join(f"if (a{n}) spin_lock(&l{n});" for n in range(8))
    source = f"void h(void) {{ {locks} }} void f(void) {{ h(); h(); h(); }}"
    functions = functions_in(source.encode(), "x.c")
    effects = Effects(Program(functions), frozenset())
    summary = effects.of(functions[1])
    assert "more than 64 ways out" in summary.incomplete and "x.c:1" in summary.incomplete
