# SPDX-License-Identifier: GPL-2.0-only
"""What variables and memory hold decides which lock is held: on the right paths only."""

from __future__ import annotations

import pytest

from tests.analysis.locks.callback import verdict

HELPER = "static void helper(struct dev *x)\n{\n\t%s\n}\n"

#: Tests before and behind an acquisition: what they read may have changed in between.
CHANGED = {
    "member": "if (!d->st) return 0; mutex_lock(&d->m); if (!d->st) return 0; mutex_unlock(&d->m);",
    "READ_ONCE": "if (!READ_ONCE(d->st)) return 0; mutex_lock(&d->m);"
    " if (!READ_ONCE(d->st)) return 0; mutex_unlock(&d->m);",
    "list": "if (list_empty(&d->l)) return 0; mutex_lock(&d->m);"
    " if (list_empty(&d->l)) return 0; mutex_unlock(&d->m);",
    "global": "if (!dying) return 0; mutex_lock(&d->m); if (!dying) return 0; mutex_unlock(&d->m);",
    "relock": "if (!d->st) return 0; mutex_lock(&d->m); mutex_unlock(&d->m); mutex_lock(&d->m);"
    " if (!d->st) return 0; mutex_unlock(&d->m);",
    "loop": "int i; if (!d->st) return 0; for (i = 0; i < 3; i++) { mutex_lock(&d->m);"
    " if (!d->st) return 0; mutex_unlock(&d->m); }",
    "guard": "if (!d->st) return 0; guard(mutex)(&d->n); mutex_lock(&d->m);"
    " if (!d->st) return 0; mutex_unlock(&d->m);",
    "wait": "if (d->st) return 0; mutex_lock(&d->m); wait_event(d->q, d->x);"
    " if (d->st) return 0; mutex_unlock(&d->m);",
}


@pytest.mark.parametrize("body", CHANGED.values(), ids=list(CHANGED))
def test_memory_may_change_where_others_run(body: str) -> None:
    assert verdict(body) == "fault"


WRITES = [
    "x->st = 2;",
    "x->st *= 2;",
    "x->st++;",
    "x->st = x->st + 1;",
    "int *p = &x->st; *p = 2;",
    "struct dev *y = x; y->st = 3;",
]


@pytest.mark.parametrize("write", WRITES)
def test_a_callee_writes_what_its_caller_asks_for(write: str) -> None:
    body = "d->st = 1; helper(d); if (d->st != 1) mutex_lock(&d->m);"
    assert verdict(body, HELPER % write) == "fault"


def test_what_code_elsewhere_writes_is_undecided() -> None:
    body = "d->st = 1; helper(d); if (d->st != 1) mutex_lock(&d->m);"
    assert verdict(body) == "undecided"
    assert verdict(body, HELPER % "other(x);") == "undecided"


def test_what_a_callee_leaves_behind_is_known() -> None:
    take = HELPER % "mutex_lock(&x->m); x->locked = true;"
    assert verdict("d->locked = false; helper(d); if (d->locked) mutex_unlock(&d->m);", take) == ""
    assert verdict("d->locked = true; helper(d); if (!d->locked) mutex_unlock(&d->m);", take)


def test_a_flag_that_never_changes_by_itself_is_undecided() -> None:
    body = "if (d->st) mutex_lock(&d->m); work(d); if (d->st) mutex_unlock(&d->m);"
    assert verdict(body) == "undecided"


def test_helpers_that_lock_only_sometimes_must_fit() -> None:
    helpers = (
        "static void take(struct dev *x)\n{ if (x->st) mutex_lock(&x->m); }\n"
        "static void drop(struct dev *x)\n{ if (x->st) mutex_unlock(&x->m); }\n"
    )
    assert verdict("take(d); work(d); drop(d);", helpers) == "undecided"
    assert verdict("take(d); work(d);", helpers) == "fault"
    assert verdict("take(d); if (d->gone) return 0; drop(d);", helpers) == "fault"


#: (before the last test, a test that holds then): locks where it does not, or where it does.
KNOWN = {
    "copy": ("int x = foo(), y; y = x; if (!x) return 0;", "y"),
    "copy, tested later": ("int x = foo(), y = x; if (!y) return 0;", "x"),
    "bits set": ("int f = 0; f |= 1; f |= 4;", "f & 4 && f & 1 && f == 5"),
    "bits of unknown": ("int f = foo(); f |= 1; f |= 4;", "f & 1"),
    "bits clear": ("int f = foo(); f |= 6; f &= ~2; f |= 8;", "!(f & 2)"),
    "named flags": ("int f = 0; f |= HELD; f |= OTHER;", "f & HELD"),
    "product": ("int x = 4; x *= 2;", "x == 8"),
    "sum": ("int x = 4, y = 3; x += y; y = x - 2;", "y == 5 && x == 7"),
    "shift": ("int x = 1; x <<= 4; x = x >> 2;", "x == 4"),
    "up and down": ("int i = foo(); if (!i) return 0; i++; i--;", "i"),
    "loop's end": ("int i; for (i = 0; i < 10; i++) foo(i);", "i == 10"),
    "loop down": ("int i = 10; while (i--) foo(i);", "i == -1"),
    "loop to an equal": ("int i = 0; while (i != 7) { foo(i); ++i; }", "i == 7"),
    "postfix": ("int i = 3, j; j = i++;", "i == 4 && j == 3"),
    "prefix": ("int i = 3, j; j = --i;", "i == 2 && j == 2"),
    "pointer to global": ("int *p = &gone; gone = 1; *p = 42;", "gone == 42"),
    "pointer to local": ("int x = 1; int *p = &x; *p = 7;", "x == 7"),
    "read through a pointer": ("int x = 5; int *p = &x;", "*p == 5"),
    "equal ones": ("int x = foo(), y = bar(); if (x != y || x != 3) return 0;", "y == 3"),
    "order": ("int x = 3, y = 5;", "x < y && y >= x"),
    "switch": ("int x = foo(); switch (x) { case 3: break; default: return 0; }", "x == 3"),
    "ternary": ("int x = foo() ? 2 : 3;", "x == 2 || x == 3"),
}


@pytest.mark.parametrize("name", list(KNOWN))
def test_what_is_known_decides(name: str) -> None:
    before, holds = KNOWN[name]
    globals_ = "int gone;\n"
    assert verdict(f"{before} if (!({holds})) mutex_lock(&d->m);", globals_) == ""
    assert verdict(f"{before} if ({holds}) mutex_lock(&d->m);", globals_) == "fault"


POINTERS = {
    "set where taken": "struct mutex *u = NULL; if (foo()) { mutex_lock(&d->m); u = &d->m; }"
    " if (u) mutex_unlock(u);",
    "one of two": "struct mutex *u; if (foo()) u = &d->m; else u = &d->n;"
    " mutex_lock(u); work(d); mutex_unlock(u);",
    "taken by name": "struct mutex *u; u = &d->n; u = &d->m; mutex_lock(&d->m); mutex_unlock(u);",
}


@pytest.mark.parametrize("body", POINTERS.values(), ids=list(POINTERS))
def test_a_lock_through_a_pointer_is_the_one_it_points_to(body: str) -> None:
    assert verdict(body) == ""
    assert verdict(body.replace("mutex_unlock(u)", "work(u)")) == "fault"


SWITCHES = {
    "negated": "switch (!x) { case 1: mutex_lock(&d->m); break; } if (!x) mutex_unlock(&d->m);",
    "compared": "switch (x == 3) { case 0: break; default: mutex_lock(&d->m); }"
    " if (x == 3) mutex_unlock(&d->m);",
    "both": "switch (x && d) { case true: mutex_lock(&d->m); } if (x) mutex_unlock(&d->m);",
    "a call compared": "int y = foo(); switch (y != 2) { case 1: mutex_lock(&d->m); }"
    " switch (y) { case 2: break; default: mutex_unlock(&d->m); }",
}


@pytest.mark.parametrize("name", list(SWITCHES))
def test_a_switch_on_a_truth(name: str) -> None:
    right = "int x = foo(); if (!d) return 0; " + SWITCHES[name]
    assert verdict(right) == ""
    wrong = right.replace("if (!x)", "if (x)").replace("x == 3)", "x == 4)", 1)
    wrong = wrong.replace("case true", "case false").replace("case 2:", "case 3:")
    assert verdict(wrong) == "fault"


TYPES = {
    "a number is cut off": ("u8 c = 258;", "c == 2"),
    "a signed one is": ("signed char c = 200;", "c < 0"),
    "a sum is": ("unsigned char c = 250; c += 10;", "c == 4"),
    "a truth is one": ("bool c = 2;", "c == 1"),
    "a truth of what is not zero": ("int x = foo(); if (!x) return 0; bool c = x;", "c == 1"),
    "an unsigned wraps": ("unsigned c = 0; c--;", "c > 5"),
    "all ones": ("unsigned c = -1;", "c == -1 && c > 7 && c == 4294967295U"),
    "a large number as an int": ("unsigned u = -1; int c = u;", "c == -1"),
    "a large bound": ("unsigned c = 3;", "c < -2"),
    "a parameter is cut off": ("", "low(259) == 3"),
    "a result is cut off": ("", "cut(300) == 44"),
    "a result is a truth": ("", "any(8) == 1"),
}


@pytest.mark.parametrize("name", list(TYPES))
def test_a_variable_holds_what_its_type_can(name: str) -> None:
    before, holds = TYPES[name]
    helpers = (
        "static int low(u8 x) { return x; }\nstatic unsigned char cut(int x) { return x; }\n"
        "static bool any(int x) { return x; }\n"
    )
    assert verdict(f"{before} if (!({holds})) mutex_lock(&d->m);", helpers) != "fault"
    assert verdict(f"{before} if ({holds}) mutex_lock(&d->m);", helpers) == "fault"


HIDDEN = {
    "a block": "int r = 0; { int r = 5; foo(r); }",
    "a branch": "int r = 0; if (d->st) { int r; r = 7; foo(r); }",
    "a loop": "int r = 0; for (int r = 1; r < 3; r++) foo(r);",
    "twice": "int r = 0; { int r = 5; { int r = 6; foo(r); } foo(r); } { int r = 2; foo(r); }",
    "an expression": "int r = 0; foo(({ int r = 5; r; }));",
    "a member of its name": "int r = 0; { struct dev *r = container_of(mn, struct dev, r); }",
}


@pytest.mark.parametrize("name", list(HIDDEN))
def test_an_inner_variable_is_another_one(name: str) -> None:
    assert verdict(f"{HIDDEN[name]} if (r) mutex_lock(&d->m);") == ""
    assert verdict(f"{HIDDEN[name]} if (!r) mutex_lock(&d->m);") == "fault"


def test_a_static_variable_keeps_its_value() -> None:
    assert verdict("static int n = 3; if (n != 3) mutex_lock(&d->m); n++;") == "fault"
    assert verdict("static int n; if (!n) mutex_lock(&d->m); n++;") == "fault"
    assert verdict("static const int n = 3; if (n != 3) mutex_lock(&d->m);") == ""
