# SPDX-License-Identifier: GPL-2.0-only
"""One file's facts: operations tables, call sites, the functions that matter.

Structure comes from the file's tokens, activity and diagnostics from clang's parse;
the two are held against each other: a function that clang sees and the outline does
not (or the other way round) is a diagnostic, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from patchgen.memo import digest
from patchgen.model.base import Place, Span
from patchgen.model.code import Function
from patchgen.model.facts import Diagnostic, FileFacts, InitSite, OpsTable
from patchgen.source.c.body import parse_function
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import Outline, names_between, outline, unclaimed
from patchgen.source.c.walk import calls
from patchgen.source.clang.unit import HeaderUse, ParsedUnit
from patchgen.source.facts.mentions import mentions
from patchgen.source.facts.ops import WALK_OPS, filled_at_run_time, tables, unread

#: How a diagnostic ends that says what of a file was not looked at.
NOT_ANALYSED = "was not analysed"

_INIT = r"mmu_notifier_range_init(_\w+)?"


class Shape(NamedTuple):
    """A file's tokens, those that the preprocessor left, and the functions they make."""

    raw: Tokens
    tokens: Tokens
    outlines: tuple[Outline, ...]

    def asked(self) -> list[int]:
        """Where clang is to be asked for functions: at these bodies, and elsewhere."""
        bodies = [self.tokens.starts[found.body_at] for found in self.outlines]
        return bodies + unclaimed(self.tokens, self.outlines)


def shape(source: bytes | Tokens, skipped: Sequence[Span]) -> Shape:
    """The shape of a file of which ``source`` is the content or all tokens."""
    raw = Tokens(source) if isinstance(source, bytes) else source
    tokens = raw.active(skipped)
    return Shape(raw, tokens, outline(tokens))


def extract(
    source: bytes | Shape,
    unit: ParsedUnit,
    names: frozenset[str],
    identity: str = "",
    tried: str = "",
    everything: bool = False,
) -> FileFacts:
    """The facts of one parsed file, of which ``source`` is the content or the shape.

    ``names`` are the API's names (:func:`patchgen.kernel.api.descriptor` knows them);
    ``identity`` identifies the content that the facts hold for, ``tried`` names the
    configuration for the ledger.  ``everything``: with all functions.
    """
    path = unit.path
    raw, tokens, outlines = source if isinstance(source, Shape) else shape(source, unit.skipped)
    ops, functions = _relevant(tokens, outlines, tables(tokens, path), names, path)
    others = _others(tokens, outlines, functions, path) if everything else ()
    run_time = filled_at_run_time((*functions, *others))
    error = next((str(found) for found in unit.errors), "")
    return FileFacts(
        path=path,
        arch=unit.arch,
        digest=identity,
        functions=functions,
        ops=(*ops, *run_time),
        sites=tuple(_sites(functions)),
        mentions=mentions(
            raw, path, names, unit.skipped, functions, ops, error, tried or unit.arch
        ),
        diagnostics=(*unit.diagnostics, *_disagreements(tokens, outlines, unit)),
        macros=tuple(_macros(tokens)),
        others=others,
    )


def _relevant(
    tokens: Tokens,
    outlines: tuple[Outline, ...],
    ops: tuple[OpsTable, ...],
    names: frozenset[str],
    path: str,
) -> tuple[tuple[OpsTable, ...], tuple[Function, ...]]:
    """Functions that mention the API or are callbacks, and all they reach here.

    Through a table of a page table walk too: such a table is given if one of them
    mentions it, or is in it.
    """
    words = {found: names_between(tokens, found.first, found.last) for found in outlines}
    by_name: dict[str, list[Outline]] = {}
    for found in outlines:
        by_name.setdefault(found.name, []).append(found)
    walks = {table.name: table for table in ops if table.struct == WALK_OPS}
    own = [table for table in ops if table.struct != WALK_OPS]
    callbacks = {entry.function for table in own for entry in table.entries}
    wanted: set[Outline] = set()
    used: set[str] = set()
    todo = [found for found in outlines if found.name in callbacks or words[found] & names]
    while todo:
        found = todo.pop()
        if found in wanted:
            continue
        wanted.add(found)
        for word in words[found]:
            todo += by_name.get(word, ())
        for name, table in walks.items():
            callees = {entry.function for entry in table.entries}
            if name not in used and (name in words[found] or found.name in callees):
                used.add(name)
                todo += (one for callee in callees for one in by_name.get(callee, ()))
    shown = tuple(table for table in ops if table.struct != WALK_OPS or table.name in used)
    return shown, tuple(
        parse_function(tokens, found, path) for found in outlines if found in wanted
    )


def _others(
    tokens: Tokens, outlines: tuple[Outline, ...], functions: Iterable[Function], path: str
) -> tuple[Function, ...]:
    """The functions of a file beside those that matter in it alone."""
    known = {function.body.span.start for function in functions}
    return tuple(
        parse_function(tokens, found, path)
        for found in outlines
        if tokens.starts[found.body_at] not in known
    )


def _sites(functions: Iterable[Function]) -> Iterable[InitSite]:
    for function in functions:
        for call in calls(function.body):
            if re.fullmatch(_INIT, call.name) and not re.fullmatch(_INIT, function.name):
                yield InitSite(
                    function.path, call.line, call.span, function.name, call.name, call.args[1:]
                )


def _disagreements(
    tokens: Tokens, outlines: tuple[Outline, ...], unit: ParsedUnit
) -> Iterable[Diagnostic]:
    def warning(offset: int, text: str) -> Diagnostic:
        place = Place(unit.path, tokens.line(offset))
        return Diagnostic(place, tokens.column(offset), "warning", text)

    mine = {tokens.starts[found.body_at]: found for found in outlines}
    ends = {body.start: body.end for body in unit.bodies}
    for function in unit.functions:
        text = f"function '{function.name}' is defined here, and its body {NOT_ANALYSED}"
        yield warning(function.offset, text)
    for start in sorted(ends.keys() - mine.keys()):
        yield warning(start, f"a function's body begins here, and it {NOT_ANALYSED}")
    for table in unread(tokens, unit.path):
        text = f"the initialiser of '{table.name}' {NOT_ANALYSED}"
        yield warning(table.span.start, text)
    if unit.errors:
        return
    for start, found in mine.items():
        if start not in ends:
            text = f"'{found.name}' looks like a function here, and clang sees none"
            yield warning(tokens.starts[found.name_at], text)
        elif ends[start] != tokens.ends[found.last]:
            theirs, ours = tokens.line(ends[start] - 1), tokens.line(tokens.starts[found.last])
            text = (
                f"the body of '{found.name}' ends in line {theirs} for clang, in line {ours} here"
            )
            yield warning(start, text)


def _macros(tokens: Tokens) -> Iterable[str]:
    for directive in tokens.directives:
        match = re.match(r"\s*#\s*define\s+(\w+)", directive.text)
        if match:
            yield match.group(1)


def extract_header(
    raw: Tokens,
    path: str,
    use: HeaderUse,
    names: frozenset[str],
    tried: str,
    diagnostics: tuple[Diagnostic, ...] = (),
    everything: bool = False,
) -> FileFacts:
    """The facts of a header, as one parse of a file that includes it saw the header.

    ``raw`` are all its tokens, ``diagnostics`` those of the parse that lie in the header.
    """
    tokens = raw.active(use.skipped)
    outlines = outline(tokens)
    ops, functions = _relevant(tokens, outlines, tables(tokens, path), names, path)
    others = _others(tokens, outlines, functions, path) if everything else ()
    error = next((str(found) for found in diagnostics if found.severity != "warning"), "")
    return FileFacts(
        path=path,
        arch=tried,
        digest=digest(raw.source, tried, repr(use.skipped), repr(diagnostics)),
        functions=functions,
        ops=(*ops, *filled_at_run_time((*functions, *others))),
        sites=tuple(_sites(functions)),
        mentions=mentions(raw, path, names, use.skipped, functions, ops, error, tried),
        diagnostics=diagnostics,
        macros=tuple(_macros(tokens)),
        others=others,
    )
