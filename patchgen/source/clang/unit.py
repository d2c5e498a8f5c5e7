# SPDX-License-Identifier: GPL-2.0-only
"""One libclang parse of one file under one configuration.

What comes out is plain data: diagnostics, the spans that the preprocessor skipped,
the files that were included, and the functions clang saw.  No cursor leaves this
package.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from patchgen.model.base import Place, Span, Value
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import UserError
from patchgen.source.clang.files import files_read, nothing_denied, nothing_removed, relative
from patchgen.source.clang.looks import Looks, Seen, Sight
from patchgen.source.clang.trees import Tree, tree
from patchgen.source.config.flags import ParseConfig

_SEVERITY = {2: "warning", 3: "error", 4: "fatal"}


class ClangFunction(Value, frozen=True, array_like=True, order=True):
    """A function definition in the main file; ``offset`` of its name, in bytes."""

    offset: int
    name: str


class HeaderUse(Value, frozen=True, array_like=True):
    """What the preprocessor skipped of an included header in one parse."""

    path: str
    skipped: tuple[Span, ...]


class ParsedUnit(Value, frozen=True):
    """What clang says about one file under one configuration.

    ``skipped`` are the byte spans of the main file that the preprocessor left
    out, ``includes`` the tree-relative paths read (the main file not among them;
    files of the overlay are left out, their content is part of ``config_key``),
    ``headers`` those that are not silent.  ``bodies`` are the function bodies that begin
    at a byte that was asked about, ``functions`` the definitions whose name does, ``trees``
    the bodies that were to be followed.  ``seen`` is what all of it rests on, where
    somebody looked.
    """

    path: str
    arch: str
    config_key: str
    diagnostics: tuple[Diagnostic, ...]
    skipped: tuple[Span, ...]
    includes: tuple[str, ...]
    headers: tuple[HeaderUse, ...] = ()
    bodies: tuple[Span, ...] = ()
    functions: tuple[ClangFunction, ...] = ()
    seen: Seen | None = None
    trees: tuple[Tree, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are errors."""
        return tuple(d for d in self.diagnostics if d.severity != "warning")


def parse(
    root: Path,
    path: str,
    config: ParseConfig,
    overrides: Mapping[str, bytes | None] | None = None,
    looks: Looks | None = None,
    asked: Callable[[Sequence[Span]], Sequence[int]] = lambda skipped: (),
    followed: Callable[[], Sequence[tuple[str, int]]] = tuple,
    watched: Sequence[str] = (),
) -> ParsedUnit:
    """Parse ``path`` of the tree at ``root``.

    ``overrides`` are files whose contents differ from the disk's, None for one that is not
    there; ``looks`` tells what was read and of which headers it matters what was skipped,
    ``asked`` at which bytes of the file a function may begin its name or its body,
    ``followed``, asked behind it, which functions' bodies are wanted whole and where each
    begins, ``watched`` further headers of which it is told what was skipped.
    UserError: the file is not there, it includes one that is neither the tree's nor among
    what the configuration may read, a file changed meanwhile, or libclang could not make a
    translation unit at all.
    """
    from clang import cindex

    real = os.path.realpath(root)
    overrides = overrides or {}
    unsaved = [(f"{real}/{name}", data) for name, data in overrides.items() if data is not None]
    began = time.time_ns()
    main = f"{real}/{path}"
    options = (
        cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
        | 0x200  # KeepGoing: a missing header does not hide what follows it
    )
    try:
        unit = _translate(
            cindex, main, [*config.args, "-working-directory", real], unsaved, options
        )
    except cindex.TranslationUnitLoadError:
        raise UserError("libclang cannot parse this file at all", path) from None
    file = cindex.File.from_name(unit, main)
    read = files_read(cindex, unit, real, main, config.reads)
    nothing_removed(read, overrides, path)
    skipped = _skipped(cindex, unit, file)
    bodies, functions = _functions(cindex, unit, file, asked(skipped))
    diagnostics = _diagnostics(unit, real)
    nothing_denied(diagnostics, real, path)
    sight = None if looks is None else Sight(looks, cindex, unit, overrides)
    headers = {*(sight.loud(read) if sight else ()), *(name for name in watched if name in read)}
    return ParsedUnit(
        path=path,
        arch=config.arch,
        config_key=config.key,
        diagnostics=diagnostics,
        skipped=skipped,
        includes=tuple(sorted(name for name in read if name[:1] != "/")),
        headers=tuple(
            HeaderUse(name, _skipped(cindex, unit, cindex.File.from_name(unit, f"{real}/{name}")))
            for name in sorted(headers)
        ),
        bodies=bodies,
        functions=functions,
        seen=sight.seen(read, path, config.args, diagnostics, began) if sight else None,
        trees=tuple(tree(cindex, unit, file, name, at) for name, at in followed()),
    )


def _translate(
    cindex: Any, main: str, args: list[str], unsaved: list[tuple[str, bytes]], options: int
) -> Any:
    index = _index(cindex)
    # cindex's own wrapper takes text; sources are bytes, so the array is made here.
    array = (cindex._CXUnsavedFile * max(1, len(unsaved)))()
    for slot, (name, data) in zip(array, unsaved, strict=False):
        slot.name = os.fsencode(name)
        slot.contents = data
        slot.length = len(data)
    raw = [os.fsencode(arg) for arg in args]
    pointer = cindex.conf.lib.clang_parseTranslationUnit(
        index,
        os.fsencode(main),
        (ctypes.c_char_p * len(raw))(*raw),
        len(raw),
        array,
        len(unsaved),
        options,
    )
    if not pointer:
        raise cindex.TranslationUnitLoadError("no translation unit")
    return cindex.TranslationUnit(pointer, index=index)


_M_TOP_PAD, _M_ARENA_MAX = -2, -8  # mallopt(3)


def settle() -> None:
    """Make this process ready to parse: libclang is loaded, and memory grows in large steps.

    One parse needs 100 MB, and clang parses in a thread, whose own arena glibc would grow by
    a page or two at a time.  Call it before the process is confined.
    """
    from clang import cindex

    _index(cindex)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TOP_PAD, 64 << 20)


_INDEX: list[Any] = []


def _index(cindex: Any) -> Any:
    if not _INDEX:
        _INDEX.append(cindex.Index.create())
        # Later, Python 3.13 has cleared the module that disposing of it needs.
        atexit.register(_INDEX.clear)
    return _INDEX[0]


def _diagnostics(unit: Any, real: str) -> tuple[Diagnostic, ...]:
    found = []
    for diagnostic in unit.diagnostics:
        severity = _SEVERITY.get(diagnostic.severity)
        if severity is None:
            continue
        at = diagnostic.location
        name = relative(at.file.name, real) if at.file else ""
        found.append(Diagnostic(Place(name, at.line), at.column, severity, diagnostic.spelling))
    return tuple(found)


class _RangeList(ctypes.Structure):
    _fields_ = [("count", ctypes.c_uint), ("ranges", ctypes.c_void_p)]


def _skipped(cindex: Any, unit: Any, file: Any) -> tuple[Span, ...]:
    lib = cindex.conf.lib
    lib.clang_getSkippedRanges.restype = ctypes.POINTER(_RangeList)
    lib.clang_disposeSourceRangeList.argtypes = [ctypes.POINTER(_RangeList)]
    listed = lib.clang_getSkippedRanges(unit, file)
    spans = []
    if listed:
        count = listed.contents.count
        ranges = ctypes.cast(
            listed.contents.ranges, ctypes.POINTER(cindex.SourceRange * max(1, count))
        )
        for number in range(count):
            extent = ranges.contents[number]
            spans.append(Span(extent.start.offset, extent.end.offset))
        lib.clang_disposeSourceRangeList(listed)
    return tuple(sorted(spans))


_FUNCTION_DECL, _COMPOUND_STMT = 8, 202  # CXCursorKind


def _functions(
    cindex: Any, unit: Any, file: Any, offsets: Sequence[int]
) -> tuple[tuple[Span, ...], tuple[ClangFunction, ...]]:
    """The function bodies and names that begin at ``offsets``, which lie at file scope.

    A walk over the unit would call back for each of the 16,000 declarations and 30,000
    macros of the headers, and a cursor for each token of the file costs ten times these.
    """
    lib = cindex.conf.lib
    bodies: list[Span] = []
    functions: list[ClangFunction] = []
    for offset in offsets:
        at = lib.clang_getLocationForOffset(unit, file, offset)
        cursor = lib.clang_getCursor(unit, at)
        kind = cursor._kind_id
        if kind == _COMPOUND_STMT and cursor.extent.start.offset == offset:
            bodies.append(Span(offset, cursor.extent.end.offset))
        elif (
            kind == _FUNCTION_DECL
            and lib.clang_isCursorDefinition(cursor)
            and cursor.location.offset == offset
        ):
            functions.append(ClangFunction(offset, cursor.spelling))
    return tuple(bodies), tuple(functions)
