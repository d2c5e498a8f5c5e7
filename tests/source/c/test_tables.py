# SPDX-License-Identifier: GPL-2.0-only
"""Tables of callbacks, plain and made by macros of their file."""

from __future__ import annotations

import pytest

from patchgen.model.base import Span
from patchgen.source.c.lexer import Tokens
from patchgen.source.facts.ops import tables, unread

OPS = "static const struct mmu_notifier_ops o"


def members(text: str, skipped: tuple[Span, ...] = ()) -> dict[str, str]:
    """Member to function of all tables of a file."""
    found = tables(Tokens(text.encode(), skipped), "x.c")
    return {entry.member: entry.function for table in found for entry in table.entries}


@pytest.mark.parametrize(
    ("defined", "table"),
    [
        ("", "= { .release = f, }"),
        ("#define V2(x) x", "= { .V2(release) = f, }"),
        ("#define V2(x) rel##x", "= { .V2(ease) = f, }"),
        ("#define MEMBER release", "= { .MEMBER = f }"),
        ("#define SET(m, v) .m = v,", "= { SET(release, f) }"),
        ("#define CAST(v) (void *)v", "= { .release = CAST(f) }"),
        ("#define OPS(n) { .release = n }", "= OPS(f)"),
        ("#define OPS { .release = f }", "= OPS"),
        ("#define ALIAS f", "= { .release = ALIAS }"),
    ],
)
def test_a_table_is_read_through_the_macros_of_its_file(defined: str, table: str) -> None:
    assert members(f"{defined}\n{OPS} {table};\n") == {"release": "f"}


def test_of_two_definitions_the_active_one_counts() -> None:
    macros = "#if 0\n#define V2(x) old_##x\n#else\n#define V2(x) x\n#endif\n"
    text = f"{macros}{OPS} = {{ .V2(release) = f }};\n"
    off = Span(0, text.index("#else"))
    assert members(text, (off,)) == {"release": "f"}
    assert members(text) == {}


def test_entries_stand_at_the_call_of_the_macro() -> None:
    text = (
        f"#define SET(m, v) .m = v,\n{OPS} = {{\n\tSET(release, f)\n\tSET(free_notifier, g)\n}};\n"
    )
    (table,) = tables(Tokens(text.encode()), "x.c")
    assert [(one.member, one.line) for one in table.entries] == [
        ("release", 3), ("free_notifier", 4),
    ]  # fmt: skip


def test_a_table_by_a_macro_of_elsewhere_is_not_taken_for_an_empty_one() -> None:
    tokens = Tokens(f"{OPS} = {{ .V2(release) = f }};\n".encode())
    (table,) = unread(tokens, "x.c")
    assert table.entries == () and table.line == 1
    assert unread(Tokens(f"{OPS} = {{ .release = f }};\n".encode()), "x.c") == ()
