# SPDX-License-Identifier: GPL-2.0-only
"""Paths of functions: what is feasible, what is held where they end."""

from __future__ import annotations

import pytest

from tests.analysis.paths import exits, traced

BALANCED = {((), "0"), ((), "1")}


@pytest.mark.parametrize(
    "body",
    [
        "if (c) lock(a); work(); if (c) unlock(a); return 0;",
        "bool f = c > 3 && d; if (f) lock(a); work(); if (!f) return 0; unlock(a); return 0;",
        "if (c == 3) lock(a); else if (c == 4) return 0; if (c == 3) unlock(a); return 0;",
        "if (c < d) lock(a); if (d > c) unlock(a); return 0;",
        "if (c & M) lock(a); work(c); if (c & M) unlock(a); return 0;",
        "c |= M; if (c & M) lock(a); unlock(a); return 0;",
        "c &= ~M; if (c & M) lock(a); return 0;",
        "c = 0; if (c) lock(a); return 0;",
        "lock(a); goto out; out: unlock(a); return 0;",
        "if (!trylock(a)) return 0; work(); unlock(a); return 0;",
        "int ok = trylock(a); work(); if (ok) unlock(a); return 0;",
        "if (unlikely(!trylock(a))) return 0; unlock(a); return 0;",
        "if (c && trylock(a)) unlock(a); return 0;",
        "if (trylock(a) == 0) return 0; unlock(a); return 0;",
        "do { lock(a); unlock(a); } while (c); return 0;",
        "while (c) { lock(a); if (next()) { unlock(a); break; } unlock(a); } return 0;",
        "for (i = 0; i < 2; i++) { if (i == 0) lock(a); } unlock(a); return 0;",
        "again: lock(a); if (busy()) { unlock(a); goto again; } unlock(a); return 0;",
        "switch (c) { case 1: lock(a); break; default: return 0; } unlock(a); return 0;",
        "switch (c) { case 1: lock(a); fallthrough; case 2: if (c == 1) unlock(a); } return 0;",
        "for_each(x, list) { lock(a); if (x) { unlock(a); continue; } unlock(a); } return 0;",
        "if (p->x) lock(a); other.x = 1; q->y = 2; if (p->x) unlock(a); return 0;",
        "lock(a); if (BUG_ON(c), 0) return 0; unlock(a); return 0;",
        "int n = ({ int t = 1; lock(a); t; }); if (n) unlock(a); return 0;",
        "p = f(); if (IS_ERR(p)) return 0; lock(a); if (!IS_ERR(p)) unlock(a); return 0;",
        "r = f(); if (r < 0) return 0; lock(a); if (r >= 0) unlock(a); return 0;",
        "lock(a); if (WARN_ON_ONCE(c)) { unlock(a); return 0; } unlock(a); return 0;",
        "struct s r = { .got = false }; if (!r.got) { r.got = true; lock(a); }"
        " if (r.got) unlock(a); return 0;",
        "LIST_HEAD(l); if (!list_empty(&l)) lock(a); return 0;",
    ],
)
def test_infeasible_paths_are_not_walked(body: str) -> None:
    source = f"int f(struct s *p, struct s *q, int c, int d) {{ int i, r; struct s other; {body} }}"
    assert exits(source) == {((), "0")}


@pytest.mark.parametrize(
    "body",
    [
        "if (c) lock(a); c = next(); if (c) unlock(a); return 0;",
        "if (c) lock(a); change(&c); if (c) unlock(a); return 0;",
        "if (p->x) lock(a); q->x = 1; if (p->x) unlock(a); return 0;",
        "if (f(c)) lock(a); if (f(c)) unlock(a); return 0;",
        "if (c) lock(a); for_each(c, list) work(); if (c) unlock(a); return 0;",
        "lock(a); if (c || trylock(b)) return 0; unlock(a); return 0;",
        "switch (c) { case 1: lock(a); case 2: break; } return 0;",
        "again: lock(a); if (busy()) goto again; if (c) unlock(a); return 0;",
    ],
)
def test_what_may_have_changed_is_walked_both_ways(body: str) -> None:
    found = exits(f"int f(struct s *p, struct s *q, int c) {{ {body} }}")
    assert {held for held, _ in found} > {()}


def test_guards_release_in_reverse_on_every_way_out() -> None:
    source = """int f(struct s *p) {
        guard(mutex)(&p->m);
        if (p->early) return -EAGAIN;
        scoped_guard(spinlock, &p->s) { if (p->late) goto out; work(); }
        for (;;) { guard(spinlock)(&p->s); if (done()) break; }
        return 0;
    out:
        return 1;
    }"""
    assert exits(source) == {((), "-11"), ((), "0"), ((), "1")}
    _, checker = traced(source)
    late = next(steps for steps in checker.steps if steps[-1].endswith("return 1"))
    released = [step for step in late if "end of the scope" in step]
    assert [step.split("(")[0].split()[1] for step in released] == ["spin_unlock", "mutex_unlock"]


def test_free_attribute_calls_its_function_unless_taken() -> None:
    source = """void *f(int c) {
        void *p __free(kfree) = alloc();
        lock(p);
        if (c) return 0;
        return no_free_ptr(p);
    }"""
    assert {held for held, _ in exits(source)} == {(), ("p",)}


def test_returned_values_are_told_apart_by_path() -> None:
    source = """int f(int c) {
        int ret = -ENOMEM;
        if (c == 5) return c;
        if (c) ret = 0;
        return c ? ret : -EAGAIN;
    }"""
    assert exits(source) == {((), "5"), ((), "0"), ((), "-11")}


def test_witness_lists_branches_and_changes_in_order() -> None:
    _, checker = traced("int f(int c)\n{\nif (c)\nlock(a);\nelse\nreturn 2;\nreturn 1;\n}")
    assert ("3: c is true", "4: lock(a)", "7: return 1") in checker.steps


def test_statements_that_are_not_understood_are_reported() -> None:
    result, _ = traced("int f(int c) { goto nowhere; }")
    assert result.unknown and not result.complete
