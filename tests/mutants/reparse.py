# SPDX-License-Identifier: GPL-2.0-only
"""Facts of many variants of one file, its headers parsed once.

libclang keeps the headers as a precompiled preamble, so a variant costs a tenth of a
parse.  The facts of the file as it is must come out as a fresh parse has them; where they
do not, or a variant changes the includes, variants are parsed afresh.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from patchgen import memo
from patchgen.model.facts import FileFacts
from patchgen.source.clang import unit as parsing
from patchgen.source.facts.extract import extract, shape
from patchgen.source.facts.state import TreeState, api_names

#: DetailedPreprocessingRecord, KeepGoing, PrecompiledPreamble, CreatePreambleOnFirstParse.
_OPTIONS = 0x01 | 0x200 | 0x04 | 0x100


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
        self.reliable = self._reparse(source) and _same(self._facts(source), known)

    def facts(self, source: bytes) -> FileFacts | None:
        """The facts of the variant, or None: parse it afresh."""
        if not self.reliable or _includes(source) != self.includes:
            return None
        return self._facts(source) if self._reparse(source) else None

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

    def _facts(self, source: bytes) -> FileFacts:
        file = self.cindex.File.from_name(self.unit, self.main)
        skipped = parsing._skipped(self.cindex, self.unit, file)
        shaped = shape(source, skipped)
        bodies, functions = parsing._functions(self.cindex, self.unit, file, shaped.asked())
        unit = parsing.ParsedUnit(
            path=self.path,
            arch=self.config.arch,
            config_key=self.config.key,
            diagnostics=parsing._diagnostics(self.unit, self.real),
            skipped=skipped,
            includes=(),
            bodies=bodies,
            functions=functions,
        )
        return extract(shaped, unit, api_names(), memo.digest(source), self.config.arch)


def _includes(source: bytes) -> list[bytes]:
    return [line for line in source.splitlines() if line.lstrip().startswith(b"#")]


def _same(one: FileFacts, other: FileFacts) -> bool:
    """Equal in everything that analysis looks at (the ledger of mentions apart)."""
    return (one.functions, one.ops, one.sites) == (other.functions, other.ops, other.sites) and (
        sorted(d.text for d in one.diagnostics) == sorted(d.text for d in other.diagnostics)
    )
