# SPDX-License-Identifier: GPL-2.0-only
"""Whether a header may define a function: never a wrong no."""

from __future__ import annotations

import pytest

from patchgen.analysis.locks.headers import may_define
from patchgen.source.c.definitions import Definitions

DEFINED = [
    "static inline int taker(int a)\n{ return a; }",
    "static inline int taker /* ; */ (int a /* ) ; */)\n{ return a; }",
    "static inline int taker(int a) // don't; stop\n{ return a; }",
    "static inline int taker(int a)\n#if X /* it isn't\n;*/\n#endif\n{ return a; }",
    "static inline int taker(int a)\n#define Y \\\n ;\n{ return a; }",
    'static inline int taker(int a) __section("x;(")\n{ return a; }',
    "static inline int taker(int (*f)(int), int b)\n\t__must_hold(b)\n{ return b; }",
    "int taker(int a);\nint taker(int a) { return a; }",
    "static inline int other(int a) { return taker(a); }\nint taker(int a) { return a; }",
    "SYSCALL_DEFINE2(taker, int, a, int, b)\n{ return a; }",
    "SYSCALL_DEFINE0( taker )\n{ return 0; }",
]
LEFT_OUT = [
    "int taker(int a);",
    "extern int taker(int a) __acquires(a);",
    "static inline int other(int a)\n{ return taker(a); }",
    "/* taker() is elsewhere */",
    "static inline int my_taker(int a)\n{ return a; }",
    "static inline int taker_of(int a)\n{ return a; }",
    "#define with(x) other(taker(x))\n",
    "",
]


@pytest.mark.parametrize("source", DEFINED)
def test_what_is_defined_is_not_left_out(source: str) -> None:
    assert "taker" in Definitions({"a.h": source.encode()})
    assert may_define(source.encode(), "taker")


@pytest.mark.parametrize("source", LEFT_OUT)
def test_a_mention_is_no_definition(source: str) -> None:
    assert "taker" not in Definitions({"a.h": source.encode()})
    assert not may_define(source.encode(), "taker")
