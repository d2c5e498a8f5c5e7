# SPDX-License-Identifier: GPL-2.0-only
"""A tree's real mmu notifier API, read from its header by libclang.

The header is parsed twice, with CONFIG_MMU_NOTIFIER on and off; what clang then
declares is the surface.  Types are clang's spelling, so that ``unsigned`` and
``unsigned int``, and any parameter names, compare equal.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from patchgen.kernel.api.descriptor import macro_text
from patchgen.kernel.api.surface import BRANCHES, HEADER, Item, Surface
from patchgen.model.base import Place
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import Failed, UserError, located
from patchgen.sandbox.confine import confine
from patchgen.sandbox.reader import read_inside
from patchgen.source.clang import pool
from patchgen.source.clang.files import files_read, nothing_denied
from patchgen.source.clang.looks import Looks, Seen, Sight
from patchgen.source.clang.unit import settle

if TYPE_CHECKING:
    from clang.cindex import Cursor, TranslationUnit

    from patchgen.source.config.flags import ParseConfig

_OPTION = frozenset({"CONFIG_MMU_NOTIFIER"})


def surface(root: Path, contents: Mapping[str, bytes] | None = None) -> Surface:
    """The API surface of the tree at ``root``, both branches.

    ``contents`` (path in the tree to bytes) stands in for files that are not, or
    not yet, on disk.  UserError when the tree has no such header, or when libclang cannot
    read it.
    """
    from patchgen.source.config.flags import parse_config

    contents = contents or {}
    real = os.path.realpath(root)
    if HEADER not in contents and read_inside(real, HEADER) is None:
        raise UserError("the tree has no mmu notifier header", HEADER, "is it a kernel tree?")
    configs = {}
    for branch in BRANCHES:
        on, off = (_OPTION, frozenset[str]()) if branch == "on" else (frozenset[str](), _OPTION)
        configs[branch] = parse_config(root, HEADER, on=on, off=off)
    found = branches(root, configs, contents, Looks(real, (), {}))
    return Surface.joined(part for part, _ in found.values())


def branches(
    root: Path, configs: Mapping[str, ParseConfig], contents: Mapping[str, bytes], looks: Looks
) -> dict[str, tuple[Surface, Seen]]:
    """Some branches of the surface under their configurations, and what each rests on.

    The header is parsed in a worker that is confined to the tree.  UserError: libclang
    cannot read it, or a file changed meanwhile.
    """
    places = [Path(os.path.realpath(root))]
    places += [Path(place) for config in configs.values() for place in config.reads]

    def prepare() -> None:
        settle()
        confine(places)

    tasks = [_Branch(root, branch, config, contents, looks) for branch, config in configs.items()]
    found: dict[str, tuple[Surface, Seen]] = {}
    for number, answer in pool.run(_parsed, tasks, 1, prepare=prepare):
        if isinstance(answer, Failed):
            raise UserError(located(HEADER, answer.error))
        found[tasks[number].branch] = answer.value
    return found


class _Branch(NamedTuple):
    root: Path
    branch: str
    config: ParseConfig
    contents: Mapping[str, bytes]
    looks: Looks


def _parsed(task: _Branch) -> tuple[Surface, Seen]:
    args, reads = task.config.args, task.config.reads
    parsed = parse_branch(task.root, args, task.branch, task.contents, reads, task.looks)
    items, problems, seen = parsed
    if seen is None:
        raise AssertionError("somebody looked")
    return Surface(tuple(items), tuple(problems)), seen


def parse_branch(
    root: Path,
    args: tuple[str, ...],
    branch: str,
    contents: Mapping[str, bytes],
    reads: tuple[str, ...] = (),
    looks: Looks | None = None,
) -> tuple[list[Item], list[Diagnostic], Seen | None]:
    """The names of one branch, under clang's ``args``, clang's errors, what ``looks`` saw.

    UserError: a file was read that is neither below ``root`` nor below one of ``reads``, or
    that changed meanwhile.
    """
    from clang import cindex

    root = Path(os.path.realpath(root))
    began = time.time_ns()
    # A unit of its own that includes the header: a header as the main file is
    # parsed without its include guard's effect and warns about it.
    main = str(root / _MAIN)
    unsaved = [(str(root / path), data.decode("latin-1")) for path, data in contents.items()]
    unsaved.append((main, "#include <linux/mmu_notifier.h>\n"))
    options = (
        cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
        | cindex.TranslationUnit.PARSE_SKIP_FUNCTION_BODIES
    )
    unit = cindex.Index.create().parse(main, list(args), unsaved, options)
    read = files_read(cindex, unit, str(root), main, reads)
    items = [item for cursor in _declared(unit, root / HEADER) for item in _items(cursor, branch)]
    problems = [
        Diagnostic(
            Place(_inside(str(d.location.file), root), d.location.line),
            d.location.column,
            "fatal" if d.severity == cindex.Diagnostic.Fatal else "error",
            d.spelling,
        )
        for d in unit.diagnostics
        if d.severity >= cindex.Diagnostic.Error
    ]
    nothing_denied(problems, str(root), HEADER)
    seen = None
    if looks is not None:
        seen = Sight(looks, cindex, unit, contents).seen(read, _MAIN, args, problems, began)
    return _definitions_win(items), problems, seen


#: No file of the tree: it is given to clang.
_MAIN = "patchgen-api-surface.c"


def _declared(unit: TranslationUnit, header: Path) -> list[Cursor]:
    """The top-level cursors of one file, of the kinds that :func:`_items` knows.

    A unit has tens of thousands of cursors: which file one is of is asked in C, before
    cindex makes objects of it.
    """
    from clang import cindex

    lib = cindex.conf.lib
    # As cindex declares it: a pointer to the handle, and three numbers that are not wanted.
    handle = ctypes.POINTER(ctypes.c_void_p)
    wanted, here = handle(), handle()
    number = ctypes.byref(ctypes.c_uint())
    start = cindex.SourceLocation.from_position(
        unit, cindex.File.from_name(unit, os.fsencode(header)), 1, 1
    )
    lib.clang_getInstantiationLocation(start, ctypes.byref(wanted), number, number, number)
    if not wanted:
        return []  # the unit did not get as far as the header; its diagnostics say why
    file = ctypes.addressof(wanted.contents)
    kinds = frozenset(
        kind.value
        for kind in (
            cindex.CursorKind.FUNCTION_DECL,
            cindex.CursorKind.STRUCT_DECL,
            cindex.CursorKind.ENUM_DECL,
            cindex.CursorKind.MACRO_DEFINITION,
        )
    )
    found = []

    def visit(cursor: Cursor, parent: Cursor, data: object) -> int:
        if cursor._kind_id in kinds:
            location = lib.clang_getCursorLocation(cursor)
            lib.clang_getInstantiationLocation(location, ctypes.byref(here), number, number, number)
            # The compiler's own macros are of no file.
            if here and ctypes.addressof(here.contents) == file:
                cursor._tu = unit
                found.append(cursor)
        return 1  # CXChildVisit_Continue

    lib.clang_visitChildren(unit.cursor, cindex.callbacks["cursor_visit"](visit), None)
    return found


def _inside(name: str, root: Path) -> str:
    path = Path(name)
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _items(cursor: Cursor, branch: str) -> list[Item]:
    from clang.cindex import CursorKind as Kind

    place = Place(HEADER, cursor.location.line)
    name = cursor.spelling
    if cursor.kind == Kind.FUNCTION_DECL:
        return [Item(branch, name, "function", cursor.type.spelling, place)]
    if cursor.kind == Kind.STRUCT_DECL and cursor.is_definition():
        return [Item(branch, name, "struct", "", place)] + [
            Item(
                branch,
                f"{name}.{field.spelling}",
                "member",
                field.type.spelling,
                Place(HEADER, field.location.line),
            )
            for field in cursor.get_children()
            if field.kind == Kind.FIELD_DECL
        ]
    if cursor.kind == Kind.ENUM_DECL:
        return [Item(branch, name, "enum", "", place)] + [
            Item(
                branch, e.spelling, "enumerator", str(e.enum_value), Place(HEADER, e.location.line)
            )
            for e in cursor.get_children()
            if e.kind == Kind.ENUM_CONSTANT_DECL
        ]
    if cursor.kind == Kind.MACRO_DEFINITION:
        text = _macro(cursor)
        return [Item(branch, name, "macro", text, place)] if text else []
    return []


def _macro(cursor: Cursor) -> str:
    """Text of a macro; "" for one without replacement (the include guard)."""
    tokens = list(cursor.get_tokens())
    if len(tokens) < 2:
        return ""
    first = tokens[1]
    if first.spelling == "(" and first.extent.start.offset == tokens[0].extent.end.offset:
        close = next(i for i, token in enumerate(tokens) if token.spelling == ")")
        inside = [token.spelling for token in tokens[2:close]]
        return macro_text(inside.count(",") + 1 if inside else 0)
    return macro_text("".join(token.spelling for token in tokens[1:]))


def _definitions_win(items: list[Item]) -> list[Item]:
    """One item a name: the last declaration, which a definition always is."""
    return list({(item.branch, item.name): item for item in items}.values())
