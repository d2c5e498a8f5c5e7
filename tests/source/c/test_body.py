# SPDX-License-Identifier: GPL-2.0-only
"""Statement trees: what C they understand, and what they admit not to."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchgen.model.base import Span
from patchgen.model.code import Decl, For, If, MacroLoop, Unknown
from patchgen.source.c.body import NESTING_LIMIT, functions_in
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.walk import calls, expressions, text_of, walk


def body(code: str):
    source = b"static int f(struct kvm *kvm, int x)\n{\n" + code.encode() + b"\n}\n"
    (function,) = functions_in(source, "f.c")
    return function, source


def unknowns(function):
    return [node for node in walk(function.body) if isinstance(node, Unknown)]


@pytest.mark.parametrize(
    "code",
    [
        "struct page *a = NULL, **b[4], (*fn)(int);",
        "for (;;) { if (x) break; else continue; }",
        "for (int i = 0; i < 4; i++) x += i;",
        "do { x--; } while (x > 0);",
        "switch (x) { case 1: case 2 ... 4: return 1; default: break; }",
        "list_for_each_entry(a, &kvm->list, node) { x++; }",
        "kvm_for_each_vcpu(i, vcpu, kvm)\n\t\tx++;",
        "x = ({ int y = f(kvm, 1); y + 1; });",
        "a = (struct foo){ .x = 1, .y[2] = 3, [4] = { 5 } };",
        "p = (void *)(unsigned long)x ?: kvm;",
        "guard(mutex)(&kvm->lock);",
        "scoped_guard(spinlock, &kvm->lock) { x = 1; }",
        "struct foo *p __free(kfree) = kmalloc(sizeof(*p), GFP_KERNEL);",
        "static DEFINE_MUTEX(lock);",
        "DECLARE_BITMAP(map, 64) = { 0 };",
        'asm volatile("" : : "r" (x) : "memory");',
        "out: x = container_of(kvm, struct kvm, mm)->y; goto out;",
        "if (unlikely(x & ~(FLAG | 2)) && !kvm->a.b[x]) return -EFAULT;",
        "x = sizeof(struct kvm) + sizeof x + (x ? 1 : 2, 3);",
        "return offsetof(struct kvm, arch.x);",
        'foo(struct kvm *, const char, "a" "b" MACRO "c");',
        "x = (__force int)y; (void)x;",
    ],
)
def test_c_of_kernels_is_understood(code):
    function, _ = body(code)
    assert not unknowns(function)


def test_macros_stay_calls_and_spans_are_the_text():
    function, source = body("set_pte_at_notify(mm, (a & B) + 1,\n\t\t  p, e);")
    (call,) = calls(function.body, "set_pte_at_notify")
    assert text_of(call.args[2], source) == "(a & B) + 1"
    assert source[call.span.start : call.span.end].startswith(b"set_pte_at_notify(")


def test_offsets_are_bytes_behind_a_comment_that_is_not_ascii():
    source = "/* für ∀ */ int g(void) { return h(1); }\n".encode()
    (function,) = functions_in(source, "g.c")
    (call,) = calls(function.body, "h")
    assert source[call.span.start : call.span.end] == b"h(1)"


def test_for_parts_are_told_apart():
    first, _ = body("for (f(); ; ) ;")
    second, _ = body("for (; f(); ) ;")
    (one,), (two,) = (
        [node for node in walk(f.body) if isinstance(node, For)] for f in (first, second)
    )
    assert one.init and not one.test and two.test and not two.init


def test_a_statement_that_is_not_understood_is_said_with_its_line():
    function, _ = body("x = 1;\nx @ y;\nz(2);")
    (lost,) = unknowns(function)
    assert lost.line == 4
    assert "line 4" in lost.reason
    assert list(calls(function.body, "z")), "what follows is understood again"


def test_skipped_branches_are_left_out():
    source = b"int f(void)\n{\n#ifdef A\n\ta();\n#else\n\tb();\n#endif\n\treturn 0;\n}\n"
    start = source.index(b"#ifdef")
    (function,) = functions_in(source, "f.c", [Span(start, source.index(b"#else"))])
    assert [call.name for call in calls(function.body)] == ["b"]


def test_functions_in_macros_attributes_and_exports():
    source = b"""
EXPORT_SYMBOL(x);
__printf(1, 2) static void a(const char *f, ...) { }
static int b(int v) __releases(lock) { return v; }
SYSCALL_DEFINE1(name, int, fd) { return fd; }
static int FNAME(walk)(struct kvm *kvm) { return 0; }
static const struct ops o = { .x = b };
struct s { int y; };
"""
    names = [function.name for function in functions_in(source, "m.c")]
    assert names == ["a", "b", "name", "FNAME(walk)"]


def test_declarations_know_type_and_cleanup():
    function, _ = body("const struct foo *p __free(kfree) = x, q;")
    (declaration,) = [node for node in walk(function.body) if isinstance(node, Decl)]
    assert [(v.name, v.type, v.cleanup) for v in declaration.variables] == [
        ("p", "const struct foo *", "kfree"),
        ("q", "const struct foo", ""),
    ]


def test_macro_loop_needs_a_body():
    function, _ = body("for_each_x(a, b)\n\t\tuse(a);\n\tx = 1;")
    assert isinstance(function.body.body[0], MacroLoop)


def test_deep_nesting_is_bounded_and_said():
    deep = "if (x) " * (NESTING_LIMIT + 50) + ";"
    function, _ = body(deep)
    assert any("nested deeper" in node.reason for node in unknowns(function))
    shallow, _ = body("if (x) " * 500 + "y();")
    assert not unknowns(shallow)
    assert sum(isinstance(node, If) for node in walk(shallow.body)) == 500
    parens, _ = body("x = " + "(" * 5000 + "1" + ")" * 5000 + ";")
    assert any("nested deeper" in node.reason for node in unknowns(parens))


#: The other spellings of brackets.
DIGRAPHS = {b"<%": "{", b"%>": "}", b"<:": "[", b":>": "]"}


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_lex_and_parse_without_an_exception(data):
    functions_in(data, "x.c")
    tokens = Tokens(data)
    for start, end, text in zip(tokens.starts, tokens.ends, tokens.texts, strict=True):
        written = re.sub(rb"\\\r?\n", b"", data[start:end])
        assert DIGRAPHS.get(written, written.decode("utf-8", "replace")) == text or (
            "\\" in text and data[start:end].decode("utf-8", "replace") == text
        )


@given(
    st.lists(
        st.sampled_from(
            ["if", "(", ")", "{", "}", "x", "=", ";", "1", "for", "return", "case", ":", ",", "*",
             "struct", "else", "while", "do", "->", "goto", "[", "]", "switch", "?", "&", "__free"]
        ),
        max_size=60,
    )
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_tokens_in_a_body_end_in_a_tree(words):
    source = b"int f(void) { " + " ".join(words).encode() + b" }\n"
    for function in functions_in(source, "f.c"):
        for expr in expressions(function.body):
            assert 0 <= expr.span.start <= expr.span.end <= len(source)
