# SPDX-License-Identifier: GPL-2.0-only
"""Facts of many variants of one file, its headers parsed once.

libclang keeps the headers as a precompiled preamble, so a variant costs a tenth of a
parse.  The facts of the file as it is must come out as a fresh parse has them; where they
do not, or a variant changes the includes, variants are parsed afresh.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from typing import Any

from patchgen import cache
from patchgen.facts.extract import extract
from patchgen.facts.state import TreeState, api_names
from patchgen.model import Edit, FileFacts
from patchgen.parse import unit as parsing

#: DetailedPreprocessingRecord, KeepGoing, PrecompiledPreamble, CreatePreambleOnFirstParse.
_OPTIONS = 0x01 | 0x200 | 0x04 | 0x100

# libclang's index must go before the interpreter takes cindex apart.
atexit.register(parsing._INDEX.clear)


class Reparser:
    """Parses variants of ``path`` in the state it stands in.

    ``facts(source)`` gives None where this way of parsing cannot be relied on.
    """

    def __init__(self, state: TreeState, path: str, known: FileFacts) -> None:
        from clang import cindex

        self.cindex: Any = cindex
        self.path = path
        self.config = state.config(path)
        self.real = os.path.realpath(state.root)
        self.main = f"{self.real}/{path}"
        self.others = {
            f"{self.real}/{name}": data
            for name, data in state.snapshot.overrides.items()
            if data is not None and name != path
        }
        self.includes = _includes(state.read(path) or b"")
        source = state.read(path) or b""
        args = [*self.config.args, "-working-directory", self.real]
        unsaved = [*self.others.items(), (self.main, source)]
        self.unit = parsing._translate(cindex, self.main, args, unsaved, _OPTIONS)
        file = cindex.File.from_name(self.unit, self.main)
        self.functions = parsing._functions(cindex, self.unit, file, len(source))
        self.reliable = self._reparse(source) and _same(self._facts(source, ()), known)

    def facts(self, source: bytes, edits: Sequence[Edit]) -> FileFacts | None:
        """The facts of the variant that ``edits`` make, or None: parse it afresh.

        Edits are inside of functions or tables: they add and remove no function.
        """
        if not self.reliable or _includes(source) != self.includes:
            return None
        return self._facts(source, edits) if self._reparse(source) else None

    def _reparse(self, source: bytes) -> bool:
        unsaved: Mapping[str, bytes] = {**self.others, self.main: source}
        array = (self.cindex._CXUnsavedFile * len(unsaved))()
        for slot, (name, data) in zip(array, unsaved.items(), strict=True):
            slot.name = os.fsencode(name)
            slot.contents = data
            slot.length = len(data)
        lib = self.cindex.conf.lib
        status: int = lib.clang_reparseTranslationUnit(self.unit, len(unsaved), array, _OPTIONS)
        return status == 0

    def _facts(self, source: bytes, edits: Sequence[Edit]) -> FileFacts:
        file = self.cindex.File.from_name(self.unit, self.main)
        unit = parsing.ParsedUnit(
            path=self.path,
            arch=self.config.arch,
            config_key=self.config.key,
            diagnostics=parsing._diagnostics(self.unit, self.real),
            skipped=parsing._skipped(self.cindex, self.unit, file),
            includes=(),
            functions=tuple(
                parsing.ClangFunction(_moved(f.offset, edits), f.name, f.result)
                for f in self.functions
            ),
        )
        return extract(source, unit, api_names(), cache.digest(source), self.config.arch)


def _moved(offset: int, edits: Sequence[Edit]) -> int:
    """Where a byte of the unedited file is in the edited one."""
    before = (e for e in edits if e.span.end <= offset)
    return offset + sum(len(e.new) - (e.span.end - e.span.start) for e in before)


def _includes(source: bytes) -> list[bytes]:
    return [line for line in source.splitlines() if line.lstrip().startswith(b"#")]


def _same(one: FileFacts, other: FileFacts) -> bool:
    """Equal in everything that analysis looks at (the ledger of mentions apart)."""
    return (one.functions, one.ops, one.sites) == (other.functions, other.ops, other.sites) and (
        sorted(d.text for d in one.diagnostics) == sorted(d.text for d in other.diagnostics)
    )
