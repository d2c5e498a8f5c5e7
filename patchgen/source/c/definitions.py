# SPDX-License-Identifier: GPL-2.0-only
"""Function definitions by name, of a file or of several, parsed as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from patchgen.model.code import Function
from patchgen.source.c.body import parse_function
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import Outline, outline


class _Defined(NamedTuple):
    """Where a function is defined."""

    path: str
    tokens: Tokens
    outline: Outline

    @property
    def static(self) -> bool:
        """Whether it is its file's own."""
        return "static" in self.tokens.texts[self.outline.first : self.outline.name_at]


class Definitions(Mapping[str, Function]):
    """Definitions by name, each parsed when it is first asked for: few of a file's are.

    ``tokens`` are those of each file, by its path.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.tokens = {path: Tokens(data) for path, data in files.items()}
        # Of two definitions under opposite conditions the first is the full one.
        self._defined = {
            found.name: _Defined(path, tokens, found)
            for path, tokens in self.tokens.items()
            for found in reversed(outline(tokens))
        }
        self._parsed: dict[str, Function] = {}

    @classmethod
    def merged(cls, common: Definitions, arch: Sequence[Definitions]) -> Definitions:
        """``common`` and ``arch``, the first of which counts; all before what is not static."""
        made = cls({})
        made._defined = dict(common._defined)
        for functions in reversed(arch):
            for name, defined in functions._defined.items():
                if name not in common or not common._defined[name].static:
                    made._defined[name] = defined
        return made

    def mentioning(self, word: str) -> Iterator[Function]:
        """The functions in which an identifier stands; no other one is parsed."""
        for name, (_, tokens, found) in self._defined.items():
            if word in tokens.texts[found.first : found.last]:
                yield self[name]

    def __getitem__(self, name: str) -> Function:
        if name not in self._parsed:
            path, tokens, found = self._defined[name]
            self._parsed[name] = parse_function(tokens, found, path)
        return self._parsed[name]

    def __contains__(self, name: object) -> bool:
        return name in self._defined

    def __iter__(self) -> Iterator[str]:
        return iter(self._defined)

    def __len__(self) -> int:
        return len(self._defined)
