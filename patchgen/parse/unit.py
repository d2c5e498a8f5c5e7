# SPDX-License-Identifier: GPL-2.0-only
"""One libclang parse of one file under one configuration.

What comes out is plain data: diagnostics, the spans that the preprocessor skipped,
the files that were included, and the functions clang saw.  No cursor leaves this
package.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from patchgen.model import Diagnostic, Place, Span, Value
from patchgen.outcome import UserError
from patchgen.tree.flags import ParseConfig

_SEVERITY = {2: "warning", 3: "error", 4: "fatal"}


class ClangFunction(Value, frozen=True, array_like=True, order=True):
    """A function definition in the main file; ``offset`` of its name, in bytes.

    Where a macro gives the name, ``offset`` is that of the macro's name.  One that
    macros make as a whole, with no token of its own in the file, is not listed.
    """

    offset: int
    name: str
    result: str


class HeaderUse(Value, frozen=True, array_like=True):
    """What the preprocessor skipped of an included header in one parse."""

    path: str
    skipped: tuple[Span, ...]


class ParsedUnit(Value, frozen=True):
    """What clang says about one file under one configuration.

    ``skipped`` are the byte spans of the main file that the preprocessor left
    out, ``includes`` the tree-relative paths read (the main file not among them;
    files of the overlay are left out, their content is part of ``config_key``),
    ``headers`` those that were asked for.
    """

    path: str
    arch: str
    config_key: str
    diagnostics: tuple[Diagnostic, ...]
    skipped: tuple[Span, ...]
    includes: tuple[str, ...]
    functions: tuple[ClangFunction, ...]
    headers: tuple[HeaderUse, ...] = ()

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
) -> ParsedUnit:
    """Parse ``path`` of the tree at ``root``.

    ``overrides`` are files whose contents differ from the disk's; ``wanted`` tells
    of which included headers it matters what was skipped.  UserError: the file is
    not there, it includes one that is neither the tree's nor in a folder that the
    arguments name, or libclang could not make a translation unit at all.
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
    includes = _includes(cindex, unit, real, main, config.args)
    return ParsedUnit(
        path=path,
        arch=config.arch,
        config_key=config.key,
        diagnostics=_diagnostics(unit, real),
        skipped=_skipped(cindex, unit, file),
        includes=includes,
        functions=_functions(cindex, unit, file, _size(cindex, unit, file)),
        headers=tuple(
            HeaderUse(name, _skipped(cindex, unit, cindex.File.from_name(unit, f"{real}/{name}")))
            for name in includes
            if wanted(name)
        ),
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
    """Have this process's memory grow in few and large steps, as one parse needs 100 MB.

    clang parses in a thread, whose own arena glibc would grow by a page or two at a time.
    Call it before the first parse; without glibc it does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TOP_PAD, 64 << 20)


_INDEX: list[Any] = []


def _index(cindex: Any) -> Any:
    if not _INDEX:
        _INDEX.append(cindex.Index.create())
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


def _size(cindex: Any, unit: Any, file: Any) -> int:
    """Bytes of a file as clang read it."""
    lib = cindex.conf.lib
    lib.clang_getFileContents.restype = ctypes.c_void_p
    size = ctypes.c_size_t()
    lib.clang_getFileContents(unit, file, ctypes.byref(size))
    return size.value


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


def _includes(
    cindex: Any, unit: Any, real: str, main: str, args: tuple[str, ...]
) -> tuple[str, ...]:
    names = {_relative(name, real) for name in _files(cindex, unit)}
    folders = {os.path.normpath(arg[arg.index("/") :]) for arg in args if "/" in arg}
    for name in names:
        known = any(name == folder or name.startswith(f"{folder}/") for folder in folders)
        if name.startswith("/") and not known:
            raise UserError(f"includes {name}, which is outside the tree", _relative(main, real))
    return tuple(sorted(n for n in names if not n.startswith("/") and f"{real}/{n}" != main))


_FUNCTION_DECL = 8  # CXCursor_FunctionDecl
_CURSOR_INTS, _CURSOR_WORDS = 8, 4  # a CXCursor is 32 bytes: its kind, ..., the declaration


def _functions(cindex: Any, unit: Any, file: Any, size: int) -> tuple[ClangFunction, ...]:
    """The function definitions with a token among the first ``size`` bytes of ``file``.

    Asked token by token: a walk over the unit would call back for each of the 16,000
    declarations and 30,000 macros of the headers.
    """
    lib = cindex.conf.lib
    begin = cindex.SourceLocation.from_offset(unit, file, 0)
    end = cindex.SourceLocation.from_offset(unit, file, size)
    memory, count = ctypes.POINTER(cindex.Token)(), ctypes.c_uint()
    whole = cindex.SourceRange.from_locations(begin, end)
    lib.clang_tokenize(unit, whole, ctypes.byref(memory), ctypes.byref(count))
    if not count.value:
        return ()  # and no view of nothing can be cast
    cursors = (cindex.Cursor * count.value)()
    lib.clang_annotateTokens(unit, memory, count.value, cursors)
    lib.clang_disposeTokens(unit, memory, count.value)
    raw = memoryview(cursors).cast("B")
    kinds = raw.cast("i")[::_CURSOR_INTS].tolist()
    declarations = raw.cast("Q")[1::_CURSOR_WORDS].tolist()
    first = {declarations[at]: at for at, kind in enumerate(kinds) if kind == _FUNCTION_DECL}
    found: list[ClangFunction] = []
    for at in first.values():
        cursor = cursors[at]
        cursor._tu = unit
        if lib.clang_isCursorDefinition(cursor):
            offset = cursor.location.offset
            found.append(ClangFunction(offset, cursor.spelling, cursor.result_type.spelling))
    return tuple(sorted(found))
