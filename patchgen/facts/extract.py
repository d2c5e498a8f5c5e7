# SPDX-License-Identifier: GPL-2.0-only
"""One file's facts: operations tables, call sites, the functions that matter.

Structure comes from the file's tokens, activity and diagnostics from clang's parse;
the two are held against each other: a function that clang sees and the outline does
not (or the other way round) is a diagnostic, never silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from patchgen.cache import digest
from patchgen.facts.body import parse_function
from patchgen.facts.lexer import Tokens
from patchgen.facts.mentions import mentions
from patchgen.facts.ops import WALK_OPS, filled_at_run_time, tables
from patchgen.facts.outline import Outline, names_between, outline
from patchgen.facts.walk import calls
from patchgen.model import Diagnostic, FileFacts, Function, InitSite, OpsTable, Place
from patchgen.parse.unit import HeaderUse, ParsedUnit

_INIT = re.compile(r"mmu_notifier_range_init(_\w+)?")


def extract(
    source: bytes | Tokens,
    unit: ParsedUnit,
    names: frozenset[str],
    identity: str = "",
    tried: str = "",
) -> FileFacts:
    """The facts of one parsed file, of which ``source`` is the content or all tokens.

    ``names`` are the API's names (:func:`patchgen.api.descriptor` knows them);
    ``identity`` identifies the content that the facts hold for, ``tried`` names the
    configuration for the ledger.
    """
    path = unit.path
    raw = Tokens(source) if isinstance(source, bytes) else source
    tokens = raw.active(unit.skipped)
    outlines = outline(tokens)
    ops, functions = _relevant(tokens, outlines, tables(tokens, path), names, path)
    run_time = filled_at_run_time(functions)
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


def _sites(functions: Iterable[Function]) -> Iterable[InitSite]:
    for function in functions:
        for call in calls(function.body):
            if _INIT.fullmatch(call.name) and not _INIT.fullmatch(function.name):
                yield InitSite(
                    function.path, call.line, call.span, function.name, call.name, call.args[1:]
                )


def _disagreements(
    tokens: Tokens, outlines: tuple[Outline, ...], unit: ParsedUnit
) -> Iterable[Diagnostic]:
    seen = {tokens.starts[found.name_at]: found for found in outlines}
    known = {function.offset for function in unit.functions}
    for function in unit.functions:
        name = function.name.encode()
        if tokens.source[function.offset : function.offset + len(name)] != name:
            continue  # made by a macro as a whole: there is no body here
        if function.offset not in seen:
            place = Place(unit.path, tokens.line(function.offset))
            column = tokens.column(function.offset)
            text = f"function '{function.name}' is defined here, and its body was not analysed"
            yield Diagnostic(place, column, "warning", text)
    if unit.errors:
        return
    for offset, found in seen.items():
        # A definition by macro (SYSCALL_DEFINE3) stands elsewhere for clang.
        if offset not in known and tokens.texts[found.name_at] == found.name:
            text = f"'{found.name}' looks like a function here, and clang sees none"
            place = Place(unit.path, tokens.line(offset))
            yield Diagnostic(place, tokens.column(offset), "warning", text)


def _macros(tokens: Tokens) -> Iterable[str]:
    for directive in tokens.directives:
        match = re.match(r"\s*#\s*define\s+(\w+)", directive.text)
        if match:
            yield match.group(1)


def extract_header(
    source: bytes,
    path: str,
    use: HeaderUse,
    names: frozenset[str],
    tried: str,
    diagnostics: tuple[Diagnostic, ...] = (),
) -> FileFacts:
    """The facts of a header, as one parse of a file that includes it saw the header.

    ``diagnostics`` are those of the parse that lie in the header.
    """
    raw = Tokens(source)
    tokens = raw.active(use.skipped)
    outlines = outline(tokens)
    ops, functions = _relevant(tokens, outlines, tables(tokens, path), names, path)
    error = next((str(found) for found in diagnostics if found.severity != "warning"), "")
    return FileFacts(
        path=path,
        arch=tried,
        digest=digest(source, tried, repr(use.skipped), repr(diagnostics)),
        functions=functions,
        ops=(*ops, *filled_at_run_time(functions)),
        sites=tuple(_sites(functions)),
        mentions=mentions(raw, path, names, use.skipped, functions, ops, error, tried),
        diagnostics=diagnostics,
        macros=tuple(_macros(tokens)),
    )
