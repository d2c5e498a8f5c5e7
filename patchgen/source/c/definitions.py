# SPDX-License-Identifier: GPL-2.0-only
"""Function definitions by name, of a file or of several, parsed as they are asked for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from patchgen.model.base import Place
from patchgen.model.code import Function
from patchgen.source.c.body import parse_function
from patchgen.source.c.lexer import Directive, Tokens, lexed
from patchgen.source.c.outline import Outline, outline

_DEFINE = r"\s*#\s*define\s+(\w+)(?:\([^()]*\))?"


class _Defined(NamedTuple):
    """Where a function is defined."""

    path: str
    tokens: Tokens
    outline: Outline

    @property
    def static(self) -> bool:
        """Whether it is its file's own."""
        return "static" in self.tokens.texts[self.outline.first : self.outline.name_at]

    @property
    def texts(self) -> list[str]:
        """Its tokens."""
        return self.tokens.texts[self.outline.first : self.outline.last + 1]

    @property
    def directives(self) -> tuple[Directive, ...]:
        """The preprocessor lines inside it."""
        start = self.tokens.starts[self.outline.first]
        end = self.tokens.ends[self.outline.last]
        return tuple(d for d in self.tokens.directives if start < d.span.start < end)


class Definitions(Mapping[str, Function]):
    """Definitions by name, each parsed when it is first asked for: few of a file's are.

    ``tokens`` are those of each file, by its path; ``asked`` the names that were looked up,
    defined or not; ``macros`` the bodies of each macro that the files
    define, as written.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.tokens = {path: lexed(data) for path, data in files.items()}
        self.asked: set[str] = set()
        self._defined: dict[str, _Defined] = {}
        self._others: dict[str, list[_Defined]] = {}
        # Of two definitions under opposite conditions the first is the full one.
        for path, tokens in self.tokens.items():
            for found in reversed(outline(tokens)):
                if found.name in self._defined:
                    self._others.setdefault(found.name, []).append(self._defined[found.name])
                self._defined[found.name] = _Defined(path, tokens, found)
        self._parsed: dict[str, Function] = {}
        self._bodies: dict[str, tuple[tuple[int, int], ...]] = {}
        self.macros: dict[str, tuple[str, ...]] = {}
        for tokens in self.tokens.values():
            for directive in tokens.directives:
                if match := re.match(_DEFINE, directive.text):
                    body = directive.text[match.end() :].replace("\\\n", " ")
                    self.macros[match[1]] = (*self.macros.get(match[1], ()), body)

    @classmethod
    def merged(cls, common: Definitions, arch: Sequence[Definitions]) -> Definitions:
        """``common`` and ``arch``, the first of which counts; all before what is not static."""
        made = cls({})
        made._defined = dict(common._defined)
        made._others = dict(common._others)
        for functions in (common, *arch):
            for name, bodies in functions.macros.items():
                made.macros[name] = (*made.macros.get(name, ()), *bodies)
        for functions in reversed(arch):
            for name, defined in functions._defined.items():
                if name not in common._defined or not common._defined[name].static:
                    made._defined[name] = defined
                    made._others[name] = functions._others.get(name, [])
        return made

    def undetermined(self, name: str) -> tuple[Place, str] | None:
        """Where what ``name`` does depends on the configuration, and how; None: nowhere."""
        defined = self._defined[name]
        for directive in defined.directives:
            return Place(defined.path, directive.line), "code under a preprocessor condition"
        for other in self._others.get(name, ()):
            if other.texts != defined.texts:
                line = other.tokens.line(other.tokens.starts[other.outline.name_at])
                return Place(other.path, line), f"a second definition of {name}()"
        return None

    def bodies(self, path: str) -> tuple[tuple[int, int], ...]:
        """From and to which byte the functions' bodies go in a file."""
        if path not in self._bodies:
            tokens = self.tokens[path]
            found = [(tokens.starts[o.body_at], tokens.ends[o.last]) for o in outline(tokens)]
            self._bodies[path] = tuple(found)
        return self._bodies[path]

    def is_static(self, name: str) -> bool:
        """Whether ``name`` is defined here as its file's own function."""
        return name in self and self._defined[name].static

    def words(self, name: str, start: int, end: int) -> list[str]:
        """The tokens between two byte offsets of the file that defines ``name``."""
        tokens = self._defined[name].tokens
        first, last = (bisect_left(tokens.starts, offset) for offset in (start, end))
        return tokens.texts[first:last]

    def was_asked(self) -> Iterator[tuple[str, ...]]:
        """What was looked up, with the text that was found: equal where nothing else is."""
        for name in sorted(self.asked):
            found = [d for d in (self._defined.get(name), *self._others.get(name, ())) if d]
            yield (name, *(" ".join([*d.texts, *(x.text for x in d.directives)]) for d in found))

    def found(self) -> Iterator[tuple[str, Place]]:
        """The functions that were looked up and are defined here, and where."""
        for name in sorted(self.asked & self._defined.keys()):
            one = self._defined[name]
            line = one.tokens.line(one.tokens.starts[one.outline.name_at])
            yield name, Place(one.path, line)

    def mentioning(self, word: str) -> Iterator[Function]:
        """The functions in which an identifier stands; no other one is parsed."""
        for name, (_, tokens, found) in self._defined.items():
            if word in tokens.texts[found.first : found.last]:
                yield self[name]

    def __getitem__(self, name: str) -> Function:
        self.asked.add(name)
        if name not in self._parsed:
            path, tokens, found = self._defined[name]
            self._parsed[name] = parse_function(tokens, found, path)
        return self._parsed[name]

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return name in self._defined

    def __iter__(self) -> Iterator[str]:
        return iter(self._defined)

    def __len__(self) -> int:
        return len(self._defined)
