# SPDX-License-Identifier: GPL-2.0-only
"""A fault is reported only where values are found with which its way is taken.

Each case is code before a lock that is taken and left, and what holds there: taken where it
does not hold the code is correct (never a fault), taken where it does it is one.
"""

from __future__ import annotations

import pytest

from tests.analysis.locks.callback import verdict

GLOBALS = """
unsigned int ui; int si; unsigned char uc; signed char sc; unsigned long ul; long sl; u8 bytes[4];
unsigned int words[8]; int one, two; static int fixed = 7; static const int table[2] = { 1, 2 };
struct pair { int a, b; unsigned char c; };
static struct pair start = { .a = 1, .b = 2 };
struct pair *shared; struct pair other;
static struct pair never;
struct outer { struct pair *in; int n; };
int len(const char *s);
"""

#: (before, what holds then)
DECIDED = {
    # types: widths, signs, conversions
    "unsigned is not negative": ("", "ui >= 0"),
    "a byte's width": ("int x = bytes[1];", "x >= 0 && x <= 255"),
    "a byte is shifted": ("int x = bytes[0] << 8;", "x <= 65280 && !(x & 255)"),
    "two bytes together": ("int x = (bytes[0] << 8) | bytes[1];", "x < 65536"),
    "a mask of bits": ("if (!(ui & 8)) return 0;", "ui >= 8"),
    "low bits are off": ("unsigned x = ui & ~0xffU;", "x == 0 || x >= 256"),
    "a negative bound of an unsigned": ("if (ui < -2) return 0;", "ui >= 4294967294U"),
    "a cast makes it large": ("if (si < (unsigned)-2) return 0;", "si == -1 || si == -2"),
    "a cast to a byte": ("int x = (u8)si;", "x >= 0 && x < 256"),
    "a promoted byte does not": ("uc = 255; si = uc + 1;", "si == 256"),
    "a long holds it": ("sl = 1; sl <<= 40;", "sl > 1000000"),
    "a large number in a global": ("unsigned a = -1; si = a;", "si == -1"),
    "a signed char is sign extended": ("sc = -1; si = sc;", "si == -1"),
    "a truth is one or zero": ("int x = !!si;", "x == 0 || x == 1"),
    "a member's type": ("int x = shared->c;", "x < 256"),
    # arithmetic that ties two values
    "a difference of two in order": ("if (one >= two || one < 0 || two > 99) return 0;",
                                     "two - one > 0"),
    "a test through a sum": ("one = two + 3; if (one > 10) return 0;", "two <= 7"),
    "a test through a difference": ("one = two - 3; if (10 > one) return 0;", "two >= 13"),
    "a sum of two that are not negative": (
        "if (one < 0 || two <= 0 || one > 99 || two > 99) return 0; si = one + two;", "si > one"),
    "a product": ("if (one < 2 || one > 9) return 0; si = one * 3;", "si >= 6 && si <= 27"),
    "a remainder": ("si = ui % 4;", "si < 4"),
    "a remainder that is zero": ("if (si % 4 || si < 1 || si > 6) return 0;", "si == 4"),
    "a quotient": ("if (one < 10 || one > 19) return 0; si = one / 10;", "si == 1"),
    "exclusive or": ("si = one ^ one;", "si == 0"),
    "two tests of one sum": ("if (one + two > 9) return 0;", "one + two <= 9"),
    "transitive order": ("if (one >= two || two >= si) return 0;", "one < si"),
    "equal by way of a third": ("if (one != two || two != si) return 0;", "one == si"),
    "the smaller one": ("si = min(one, 5);", "si <= 5"),
    "the larger one": ("si = max_t(int, one, 5);", "si >= 5"),
    "a choice": ("si = one > 5 ? one : 5;", "si >= 5"),
    # memory
    "a structure's copy": ("struct pair x = { .a = 3 }, y; y = x;", "y.a == 3 && y.b == 0"),
    "a copy is its own": ("struct pair x = { .a = 3 }, y; y = x; x.a = 4;", "y.a == 3"),
    "memcpy": ("struct pair x = { .a = 3 }, y; memcpy(&y, &x, sizeof(x));", "y.a == 3"),
    "memset": ("struct pair x; memset(&x, 0, sizeof(x)); x.a = 1;", "x.b == 0 && x.a == 1"),
    "members by position": ("struct pair x = { 4, 5 };", "x.a == 4 && x.b == 5"),
    "members mixed": ("struct pair x = { .a = 1, 6 };", "x.b == 6 && x.c == 0"),
    "an array's element": ("int x[3]; x[0] = 1; x[2] = 9;", "x[0] == 1"),
    "elements by a variable": ("int x[3]; x[one] = 1; x[one + 1] = 2;", "x[one] == 1"),
    "an element as an unsigned": ("if (words[5] > 3) return 0;", "words[5] < 4"),
    "a pointer to a member": ("struct pair x = { .b = 2 }; int *p = &x.b; *p += 1;", "x.b == 3"),
    "what is never stored to": ("", "fixed == 7"),
    "a structure that is never stored to": ("struct pair *p = &start;", "p->b == 2"),
    "a pointer goes on": ("int x[3] = { 1, 2, 3 }; int *p = x; p++;", "*p == 2"),
    "an array's elements": ("int x[3] = { 1, 2 };", "x[1] == 2 && x[2] == 0"),
    "braces in braces": ("struct { struct pair in; int n; } x = { .in = { .a = 4 } };",
                         "x.in.a == 4 && x.in.b == 0"),
    "a size": ("unsigned n = sizeof(struct pair);", "n > 0"),
    "a difference of unsigned ones": ("unsigned long a = 3, b = 5;", "a - b > 100"),
    "a comparison of both kinds": ("int a = -1; unsigned b = 1;", "a > b"),
    "one that is never set": ("", "!never.a"),
    "a string's length": ("", 'strlen("abc") == 3'),
}  # fmt: skip


@pytest.mark.parametrize("name", list(DECIDED))
def test_no_way_is_reported_that_nothing_takes(name: str) -> None:
    before, holds = DECIDED[name]
    assert verdict(f"{before} if (!({holds})) mutex_lock(&d->m);", GLOBALS) != "fault"
    assert verdict(f"{before} if ({holds}) mutex_lock(&d->m);", GLOBALS) == "fault"


CALLEES = """
static int same(int x) { return x; }
static unsigned char narrow(int x) { return x; }
static int ordered(int x, int y) { return x < y ? 1 : 0; }
static void set(struct pair *p, int v) { p->a = v; p->b = v + 1; }
static void clear(struct pair *p) { memset(p, 0, sizeof(*p)); p->a = 1; }
static struct pair *inner(struct outer *o) { return o->in; }
static void through(struct outer *o) { struct pair *p = o->in; p->a = 5; }
static int give(int *out) { *out = 4; if (one) return 0; *out = 9; return -5; }
static int sign(int x) { if (x < 0) return -1; if (x > 0) return 1; return 0; }
"""

ACROSS = {
    "a value comes back": ("if (one > same(5)) return 0;", "one <= 5"),
    "a result that orders": ("if (!ordered(one, two)) return 0;", "one < two"),
    "members are set": ("set(&other, 3);", "other.a == 3 && other.b == 4"),
    "an object is cleared": ("struct pair x; clear(&x);", "x.a == 1 && x.b == 0"),
    "one object, two names": ("struct outer o = { .in = shared }; struct pair *p = inner(&o);"
                              " p->a = 1; through(&o);", "p->a == 5"),
    "a result and what is given out": ("int x = 0; if (give(&x)) return 0;", "x == 4"),
    "an error and what is given out": ("int x = 0; if (!give(&x)) return 0;", "x == 9"),
    "a sign": ("if (sign(si) <= 0) return 0;", "si > 0"),
    "a sign, twice": ("if (sign(si) != sign(one) || si <= 0) return 0;", "one > 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ACROSS))
def test_ways_are_gone_again_through_callees(name: str) -> None:
    before, holds = ACROSS[name]
    source = GLOBALS + CALLEES
    assert verdict(f"{before} if (!({holds})) mutex_lock(&d->m);", source) != "fault"
    assert verdict(f"{before} if ({holds}) mutex_lock(&d->m);", source) == "fault"


TABLES = """
struct kind { int level; int (*act)(struct kind *k, int level); };
static int first(struct kind *k, int level) { %s return 0; }
static int second(struct kind *k, int level) { return 0; }
static struct kind kinds_one = { .level = 1, .act = first };
static struct kind kinds_two = { .level = 2, .act = second };
struct kind *pick(void);
"""


@pytest.mark.parametrize(
    "call",
    [
        "struct kind *k = pick(); k->act(k, k->level);",
        "struct kind *k = &kinds_one; k->act(k, k->level);",
        "kinds_one.act(&kinds_one, kinds_one.level);",
    ],
)
@pytest.mark.parametrize("what", ["level", "k->level"])
def test_a_table_holds_what_goes_with_its_function(call: str, what: str) -> None:
    take = "if (%s) spin_lock(&gone);"
    assert verdict(call, TABLES % take.replace("%s", f"{what} != 1")) != "fault"
    assert verdict(call, TABLES % take.replace("%s", f"{what} == 1")) == "fault"


CONSTANTS = """
#define HELD 0x4
#define ALSO (HELD | 0x2)
#define held_too 4
#define itself itself
enum kind { none, some = 5, more };
static enum kind pick(int x) { if (x) return some; return none; }
static void *get(struct dev *x, int *out) { if (!x->st) return ERR_PTR(-22); *out = 7; return x; }
"""
#: (before, what holds then): names of constants are followed to what they stand for.
NAMED = {
    "two flags that overlap": ("int f = 0; f |= HELD;", "f & ALSO"),
    "a flag in small letters": ("int f = 0; f |= held_too;", "f & HELD"),
    "an enumerator": ("int x = foo(); if (pick(x) != some) return 0;", "x"),
    "enumerators go on": ("int x = more;", "x == 6 && none == 0"),
    "a pointer that is followed is no error": (
        "int n = 0; void *p = get(d, &n); if (IS_ERR(p)) return 0;", "n == 7"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(NAMED))
def test_names_of_constants(name: str) -> None:
    before, holds = NAMED[name]
    assert verdict(f"{before} if (!({holds})) mutex_lock(&d->m);", CONSTANTS) != "fault"
    assert verdict(f"{before} if ({holds}) mutex_lock(&d->m);", CONSTANTS) == "fault"


def test_a_macro_of_itself_is_any_value() -> None:
    assert verdict("if (itself) mutex_lock(&d->m);", CONSTANTS) == "fault"


NOT_FOLLOWED = {
    "a pointer to a pointer": ("int x = 1; int *p = &x; int **q = &p; **q = 6;", "x == 6"),
    "two ways to one object": ("struct pair *p = shared; p->a = 1; shared->a = 5;", "p->a == 5"),
    "floating point": ("float f = 3.5; si = f;", "si == 3"),
    "a char's sign": ("char c = 200; si = c;", "si < 0"),
}


@pytest.mark.parametrize("name", list(NOT_FOLLOWED))
def test_what_is_not_understood_is_undecided(name: str) -> None:
    before, holds = NOT_FOLLOWED[name]
    for test in (holds, f"!({holds})"):
        assert verdict(f"{before} if ({test}) mutex_lock(&d->m);", GLOBALS) != "fault"


def test_the_other_rules_ask_too() -> None:
    before = "int a = foo(), b = bar(); if (a >= b || a < 0 || b > 99) return 0;"
    no, yes = "if (b - a < 1)", "if (b - a > 0)"
    twice = "mutex_lock(&d->m); %s { mutex_lock(&d->m); mutex_unlock(&d->m); } mutex_unlock(&d->m);"
    assert verdict(f"{before} {twice % no}") != "fault"
    assert verdict(f"{before} {twice % yes}") == "fault"
    under = "spin_lock(&d->s); %s msleep(1); spin_unlock(&d->s);"
    assert verdict(f"{before} {under % no}") != "fault"
    assert verdict(f"{before} {under % yes}") == "fault"
