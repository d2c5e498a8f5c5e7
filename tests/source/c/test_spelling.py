# SPDX-License-Identifier: GPL-2.0-only
"""Rare spellings of C are read as what they mean, at their places in the file."""

from __future__ import annotations

import pytest

from patchgen.model.code import Param
from patchgen.source.c.body import functions_in
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import outline
from patchgen.source.c.text import every, text


def calls(body: str) -> list[str]:
    (function,) = functions_in(body.encode(), "x.c")
    return [text(part) for part in every(function.body) if part.kind == "call"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("void f(void)\n<%\n\tlock(&a<:1:>);\n%>\n", ["lock(&a[1])"]),
        ("void f(void)\n{\n\tmutex_\\\nlock(m);\n}\n", ["mutex_lock(m)"]),
        ("void f(void)\n{\n\tmutex_\\\r\nlock(m);\n}\n", ["mutex_lock(m)"]),
        ("void f(void)\n{\n\t/\\\n* no(); *\\\n/ yes();\n}\n", ["yes()"]),
        ("void f(void)\n{\n\tx->\\\nm(a);\n}\n", ["x->m(a)"]),
        ("void f(void)\n{\n\tx-\\\n>m(a);\n}\n", ["x->m(a)"]),
        ("void f(void)\n{\n\t/\\\n/ no();\n\tyes();\n}\n", ["yes()"]),
    ],
)
def test_it_means_what_it_means_to_a_compiler(written: str, read: list[str]) -> None:
    assert calls(written) == read


def test_places_are_those_of_the_file() -> None:
    source = b"#define M(a) a;\\\nb\nint na\\\nme;\nint x;\n"
    tokens = Tokens(source)
    assert tokens.texts == ["int", "name", ";", "int", "x", ";"]
    spans = list(zip(tokens.starts, tokens.ends, strict=True))
    assert [source[start:end] for start, end in spans] == [
        b"int", b"na\\\nme", b";", b"int", b"x", b";",
    ]  # fmt: skip
    assert [tokens.line(start) for start in tokens.starts] == [3, 3, 4, 5, 5, 5]
    assert tokens.directives[0].text == "#define M(a) a;\\\nb"


def test_parameters_may_be_declared_before_the_body() -> None:
    source = (
        b"int g(int);\nstatic int f(mn, a, b)\n\tstruct m *mn;\n\tint a, *b;\n{\n\treturn 0;\n}\n"
    )
    (function,) = functions_in(source, "x.c")
    assert (function.name, function.static, function.line) == ("f", True, 2)
    assert function.params == (Param("mn", "struct m *"), Param("a", "int"), Param("b", "int *"))


@pytest.mark.parametrize(
    "text",
    ["int f(a);\nstruct s { int a; };\n", "MODULE(a);\nint a;\nint g(void) { return 0; }\n",
     "DEFINE(a)\nint a;\nstruct t { int b; } c;\n"],
)  # fmt: skip
def test_a_declaration_is_no_old_definition(text: str) -> None:
    assert [one.name for one in outline(Tokens(text.encode()))] in ([], ["g"])
    found = functions_in(text.encode(), "x.c")
    assert all(one.params == () for one in found)
