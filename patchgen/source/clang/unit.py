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
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from patchgen.model.base import Place, Span, Value
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_inside
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
    ``headers`` those that were asked for.  ``bodies`` are the function bodies that begin
    at a byte that was asked about, ``functions`` the definitions whose name does.
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

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are errors."""
        return tuple(d for d in self.diagnostics if d.severity != "warning")


def parse(
    root: Path,
    path: str,
    config: ParseConfig,
    overrides: Mapping[str, bytes | None] | None = None,
    wanted: Callable[[str], bool] = lambda header: False,
    asked: Callable[[Sequence[Span]], Sequence[int]] = lambda skipped: (),
) -> ParsedUnit:
    """Parse ``path`` of the tree at ``root``.

    ``overrides`` are files whose contents differ from the disk's; ``wanted`` tells
    of which included headers it matters what was skipped, ``asked`` at which bytes of
    the file a function may begin its name or its body.  UserError: the file is
    not there, it includes one that is neither the tree's nor among what the configuration
    may read, or libclang could not make a translation unit at all.
    """
    from clang import cindex

    real = os.path.realpath(root)
    unsaved = [
        (f"{real}/{name}", data) for name, data in (overrides or {}).items() if data is not None
    ]
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
    includes = included_files(cindex, unit, real, main, config.reads)
    skipped = _skipped(cindex, unit, file)
    bodies, functions = _functions(cindex, unit, file, asked(skipped))
    diagnostics = _diagnostics(unit, real)
    nothing_denied(diagnostics, real, path)
    return ParsedUnit(
        path=path,
        arch=config.arch,
        config_key=config.key,
        diagnostics=diagnostics,
        skipped=skipped,
        includes=includes,
        headers=tuple(
            HeaderUse(name, _skipped(cindex, unit, cindex.File.from_name(unit, f"{real}/{name}")))
            for name in includes
            if wanted(name)
        ),
        bodies=bodies,
        functions=functions,
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


def _relative(name: str, real: str) -> str:
    full = name if name.startswith("/") else f"{real}/{name}"
    if "/." in full or "//" in full:
        full = os.path.normpath(full)
    return full[len(real) + 1 :] if full.startswith(f"{real}/") else full


def _diagnostics(unit: Any, real: str) -> tuple[Diagnostic, ...]:
    found = []
    for diagnostic in unit.diagnostics:
        severity = _SEVERITY.get(diagnostic.severity)
        if severity is None:
            continue
        at = diagnostic.location
        name = _relative(at.file.name, real) if at.file else ""
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


_VISIT = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p
)  # CXInclusionVisitor
_INCLUSIONS = ctypes.CFUNCTYPE(None, ctypes.c_void_p, _VISIT, ctypes.c_void_p)


def _files(cindex: Any, unit: Any) -> set[str]:
    """Names of all files that were read, as clang has them; each is asked for once.

    cindex's own list makes four objects for each of the thousands of ``#include`` lines.
    """
    found: set[int] = set()
    inclusions = _INCLUSIONS(("clang_getInclusions", cindex.conf.lib))
    inclusions(unit.obj, _VISIT(lambda file, stack, depth, data: found.add(file)), None)
    return {cindex.File(ctypes.cast(file, cindex.c_object_p)).name for file in found}


def included_files(
    cindex: Any, unit: Any, real: str, main: str, reads: tuple[str, ...]
) -> tuple[str, ...]:
    """What a unit of the file ``main`` included from the tree at ``real``, sorted, without it.

    UserError: a file that is neither in the tree nor below one of ``reads``.
    """
    names = {_relative(name, real) for name in _files(cindex, unit)}
    places = [os.path.normpath(place) for place in reads]
    for name in names:
        if name[:1] == "/" and not any(f"{name}/".startswith(f"{place}/") for place in places):
            raise UserError(f"includes {name}, which is outside the tree", _relative(main, real))
    return tuple(sorted(n for n in names if not n.startswith("/") and f"{real}/{n}" != main))


_DENIED = re.compile(r"cannot open file '(.+)': Permission denied")


def nothing_denied(diagnostics: Sequence[Diagnostic], real: str, path: str) -> None:
    """UserError for a file that the confined parser was not let read when it parsed ``path``."""
    for diagnostic in diagnostics:
        match = _DENIED.fullmatch(diagnostic.text)
        if match:
            name = os.path.normpath(os.path.join(real, match.group(1)))  # noqa: PTH118
            if name.startswith(f"{real}/"):
                read_inside(real, name[len(real) + 1 :])  # a link out of the tree says so itself
            raise UserError(f"includes {match.group(1)}, which is outside the tree", path)


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
