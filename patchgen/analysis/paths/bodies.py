# SPDX-License-Identifier: GPL-2.0-only
"""Functions and macros of some files by name, in every state of the conditionals around.

A function that holds an ``#ifdef``, or is defined again in another branch, is several
functions; each of them counts, since some configuration compiles it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from patchgen.model.base import Evidence, Place
from patchgen.model.code import Expr, Function, Stmt
from patchgen.source.c.body import parse_function
from patchgen.source.c.branches import Group, groups, left_out, reaching, texts
from patchgen.source.c.lexer import Directive, Tokens, lexed
from patchgen.source.c.outline import outline
from patchgen.source.c.placed import Placed, expression, statements

Read = Callable[[str], bytes | None]

_DEFINE = re.compile(r"\s*#\s*define\s+(\w+)(\(([^()]*)\))?(.*)", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*", re.DOTALL)


class NotUnderstood(Exception):
    """The judgement cannot be made: where, and what was not understood."""

    def __init__(self, path: str, line: int, text: str) -> None:
        super().__init__(text)
        self.evidence = Evidence(Place(path, line), text)


class MacroBody(NamedTuple):
    """A macro: where; its parameters, None for one without; its body's tokens, all there."""

    name: str
    path: str
    params: tuple[str, ...] | None
    tokens: Placed

    @property
    def line(self) -> int:
        """The line of its ``#define``."""
        return self.tokens.line(0)

    def expression(self) -> Expr | None:
        """The body as an expression; None where it is none."""
        return expression(self.tokens)

    def statements(self) -> tuple[Stmt, ...]:
        """The body as statements."""
        return statements(self.tokens)


class _File(NamedTuple):
    tokens: Tokens
    groups: tuple[Group, ...]


class Bodies:
    """The definitions of ``paths``, later files only where earlier ones have none.

    ``holds`` are conditions that hold in what is asked about, as they are written behind
    ``#if``, or as an option's name: branches that contradict them are left out.
    """

    def __init__(
        self, read: Read, paths: Iterable[str], holds: Mapping[str, bool] | None = None
    ) -> None:
        self._files: dict[str, _File] = {}
        self.holds = dict(holds or {})
        for path in paths:
            source = read(path)
            if source is None:
                continue
            tokens = lexed(source)
            try:
                self._files[path] = _File(tokens, groups(tokens))
            except ValueError as error:
                raise NotUnderstood(path, 1, str(error)) from None
        #: What was put in where it is called or used, by where it is defined.
        self.put_in: dict[Place, str] = {}
        self._functions: dict[str, tuple[Function, ...]] = {}
        self._heads: dict[str, list[str]] | None = None
        self._macros: dict[str, list[tuple[str, Directive, re.Match[str]]]] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that there are."""
        return tuple(self._files)

    def tokens(self, path: str) -> Tokens:
        """A file's tokens, all branches."""
        return self._files[path].tokens

    def functions(self, name: str, seen_from: str = "") -> tuple[Function, ...]:
        """Every definition of ``name`` that some configuration compiles; () for none.

        Those of the file ``seen_from`` win; else a header's, or one that is not static.
        NotUnderstood: the conditions are too many.
        """
        paths = self._named(name)
        own = [path for path in paths if path == seen_from]
        for path in own or paths:
            found = tuple(
                one
                for one in self._defined(name, path)
                if path == seen_from or path.endswith(".h") or not one.static or not seen_from
            )
            if found:
                return found
        return ()

    def _named(self, name: str) -> list[str]:
        if self._heads is None:
            self._heads = {}
            for path, (tokens, _) in self._files.items():
                for found in outline(tokens):
                    held = self._heads.setdefault(found.name, [])
                    if path not in held:
                        held.append(path)
        return self._heads.get(name, [])

    def _defined(self, name: str, path: str) -> tuple[Function, ...]:
        key = f"{path}:{name}"
        if key not in self._functions:
            self._functions[key] = tuple(dict.fromkeys(self._variants(name, path)))
        return self._functions[key]

    def _variants(self, name: str, path: str) -> Iterable[Function]:
        tokens, conditionals = self._files[path]
        for whole in outline(tokens):
            if whole.name != name:
                continue
            start, end = tokens.starts[whole.first], tokens.ends[whole.last]
            inner = [g for g in conditionals if start < g.span.start and g.span.end < end]
            offset = tokens.starts[whole.name_at]
            try:
                choices = [*texts(conditionals, offset, inner)]
            except ValueError as error:
                raise NotUnderstood(path, tokens.line(offset), str(error)) from None
            for truth in choices:
                if self._contradicts(truth):
                    continue
                active = tokens.active(left_out(conditionals, truth)) if inner else tokens
                mine = next(
                    (o for o in outline(active) if active.starts[o.name_at] == offset), None
                ) if inner else whole  # fmt: skip
                if mine is None:
                    text = f"{name}() is not the same function in every configuration"
                    raise NotUnderstood(path, tokens.line(offset), text)
                yield parse_function(active, mine, path)

    def _contradicts(self, truth: Mapping[str, bool]) -> bool:
        return any(truth.get(atom, value) != value for atom, value in self.holds.items())

    def macros(self, name: str) -> tuple[MacroBody, ...]:
        """Every ``#define`` of ``name`` that some configuration has."""
        if self._macros is None:
            self._macros = {}
            for path, (tokens, _) in self._files.items():
                for one in tokens.directives:
                    match = _DEFINE.match(_COMMENT.sub(" ", one.text.replace("\\\n", "\n")))
                    if match is not None:
                        self._macros.setdefault(match[1], []).append((path, one, match))
        found = []
        for path, directive, match in self._macros.get(name, ()):
            if self._contradicts(reaching(self._files[path].groups, directive.span.start)):
                continue
            params: tuple[str, ...] | None = None
            if match[2] is not None:
                params = tuple(word.strip() for word in match[3].split(",") if word.strip())
            words = Tokens(match[4].encode())
            made = Placed(words.kinds, words.texts, directive.span, directive.line)
            found.append(MacroBody(name, path, params, made))
        return tuple(found)

    def names(self) -> tuple[str, ...]:
        """The names of all macros."""
        self.macros("")
        return tuple(self._macros or ())
