# SPDX-License-Identifier: GPL-2.0-only
"""Subjects made of a few lines of C, for the tests of operators."""

from __future__ import annotations

from patchgen.edits.apply import apply
from patchgen.model.code import Unknown
from patchgen.model.facts import FileFacts
from patchgen.source.c.body import functions_in
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.walk import walk
from patchgen.source.facts.ops import tables
from tests.mutants.operator import all_operators
from tests.mutants.subject import Subject

_OPERATORS = {op.name: op for op in all_operators()}


def subject(text: str, idiom: str = "direct", flagged: bool = True) -> Subject:
    """The subject that the text is."""
    source = text.encode()
    functions = functions_in(source, "x.c")
    ops = tables(Tokens(source), "x.c")
    facts = FileFacts("x.c", "x86", "", functions, ops, (), (), ())
    return Subject(source, facts, idiom, flagged)


def mutants(name: str, text: str, idiom: str = "direct") -> list[str]:
    """What the operator makes of the text; every one of them is C that parses."""
    made = []
    for site in _OPERATORS[name].sites(subject(text, idiom)):
        changed = apply(text.encode(), site.edits)
        functions = functions_in(changed, "x.c")
        assert [f.name for f in functions] == [f.name for f in functions_in(text.encode(), "x.c")]
        assert not any(isinstance(n, Unknown) for f in functions for n in walk(f.body))
        made.append(changed.decode())
    return made
