# SPDX-License-Identifier: GPL-2.0-only
"""Tokens are made once a content, and nothing that is made of some is taken for others."""

from __future__ import annotations

from patchgen.model.base import Span
from patchgen.source.c.body import parse_function
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import outline


def test_a_content_is_lexed_once_and_what_is_made_of_it_stays_apart() -> None:
    source = b"int f(void)\n{\n#if A\n\treturn 1;\n#endif\n\treturn 2;\n}\n"
    whole = lexed(source)
    assert lexed(bytes(bytearray(source))) is whole
    assert whole.texts == Tokens(source).texts
    start = source.index(b"\treturn 1")
    cut = whole.active([Span(start, start + 10)])
    assert "1" in whole.texts and "1" not in cut.texts
    assert outline(whole) is outline(whole)
    assert outline(cut)[0].last < outline(whole)[0].last
    one, two = (parse_function(whole, outline(whole)[0], path) for path in ("a.c", "b.c"))
    assert (one.path, two.path) == ("a.c", "b.c")
    assert parse_function(whole, outline(whole)[0], "a.c") is one
    assert parse_function(cut, outline(cut)[0], "a.c").body != one.body
