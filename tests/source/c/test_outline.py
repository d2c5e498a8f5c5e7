# SPDX-License-Identifier: GPL-2.0-only
"""Where functions begin, and what their names are, with macros around them."""

import pytest

from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import outline


@pytest.mark.parametrize(
    ("code", "name", "begins"),
    [
        ("static int f(void) {}", "f", "static"),
        ("MADE_UP(a, b)\nstatic int f(int x) {}", "f", "static"),
        ("MADE_UP(a, b)\nMADE_UP(c, d)\nTHIRD(e)\nstatic int f(int x) {}", "f", "static"),
        ("int x;\nMADE_UP(a)\nMADE_UP(b)\nint f(void) {}", "f", "int f"),
        ("SYSCALL_DEFINE3(f, int, x) {}", "f", "SYSCALL"),
        ("RESULT(int) f(void) {}", "f", "RESULT"),
        ("static RESULT(int) *g(void);\nRESULT(int) *f(void) {}", "f", "RESULT(int) *f"),
        ("FNAME(walk)(struct kvm *kvm) {}", "FNAME(walk)", "FNAME"),
        ("__printf(1, 2) void f(char *s, ...) {}", "f", "__printf"),
        ("static __printf(1, 2) void f(char *s, ...) {}", "f", "static"),
        ("void f(void) __must_hold(&x) {}", "f", "void"),
    ],
)
def test_name_and_beginning(code, name, begins):
    (found,) = outline(Tokens(code.encode()))
    assert found.name == name
    tokens = Tokens(code.encode())
    assert code[tokens.starts[found.first] :].startswith(begins)
