# SPDX-License-Identifier: GPL-2.0-only
"""A light reader of Kconfig files: text in, symbol definitions out.

Understood is what decides a value: types, defaults, selects, implies, dependencies,
``if`` and ``menu`` nesting, choices, ``source``.  Prompts, ranges and help are passed
over.  The language is the kernel's Documentation/kbuild/kconfig-language.rst;
:mod:`patchgen.source.config.kconfig_eval` gives the symbols their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from patchgen.source.config.kconfig_expr import LONGEST


class Symbol(msgspec.Struct, array_like=True):
    """One configuration symbol, all its definitions merged.

    ``defaults`` are (value, condition) in order, ``depends`` one list of conditions a
    definition, ``selects`` (target, dependencies, condition, implied only).  Expressions are text.
    ``prompt`` tells that a person may set it.
    """

    name: str
    type: str = ""
    defaults: list[tuple[str, list[str]]] = []
    selects: list[tuple[str, list[str], str, bool]] = []
    depends: list[list[str]] = []
    choice: str = ""
    prompt: bool = False


class Kconfig(msgspec.Struct):
    """What a set of Kconfig files defines: symbols, choices, and the files read."""

    symbols: dict[str, Symbol] = {}
    members: dict[str, list[str]] = {}
    files: list[str] = []


class _Line(NamedTuple):
    """A line's first word and the rest, as written; ``number`` of the line, from 1."""

    word: str
    rest: str
    number: int


class _Entry:
    """What the lines of one ``config`` or ``choice`` say; its own name apart for a choice."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        match = _WORD.match(lines[0].rest)
        self.name = match.group() if match else ""
        self.type = ""
        self.prompt = False
        self.depends: list[str] = []
        self.defaults: list[tuple[str, str]] = []
        self.selects: list[tuple[str, str, bool]] = []
        for word, rest, _ in lines[1:]:
            if word == "depends":
                self.depends.append(_condition(rest))
            elif word in _TYPES:
                self.type = self.type or word
                self.prompt = self.prompt or bool(rest)
            elif word in ("def_bool", "def_tristate", "default"):
                self.type = word[4:] if word != "default" else self.type
                value, _, condition = _split_if(rest)
                self.defaults.append((value, condition))
            elif word in ("select", "imply"):
                target, _, condition = _split_if(rest)
                self.selects.append((target, condition, word == "imply"))
            elif word == "prompt":
                self.prompt = True


class _Part:
    """A line that opens or ends something, and the lines behind it that are its own.

    ``entry`` is what they say where that does not depend on variables, else None.
    """

    __slots__ = ("entry", "lines")

    def __init__(self, lines: Sequence[_Line]) -> None:
        self.lines = lines
        plain = lines[0].word in _ENTRIES and not any("$" in line.rest for line in lines)
        self.entry = _Entry(lines) if plain else None


_DEEPEST = 40  # levels of source: a loop of files ends, not the stack
_CONTINUED = re.compile(r"\\\n\s*")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_IF = re.compile(r"\s+if\s+(?=[^\"]*(?:\"[^\"]*\"[^\"]*)*$)")
_TYPES = frozenset(("bool", "boolean", "tristate", "int", "hex", "string"))
_ENTRIES = frozenset(("config", "menuconfig", "choice"))
_SOURCES = frozenset(("source", "rsource", "osource", "orsource"))
_STARTS = _ENTRIES | _SOURCES | {"if", "endif", "menu", "endmenu", "endchoice", "comment"}


@cache
def _parts(text: str) -> tuple[_Part, ...]:
    """A file's parts; a tree's files are read again for each set of options."""
    if "\\\n" in text:
        text = _CONTINUED.sub(" ", text)
    found: list[list[_Line]] = []
    lines = text.split("\n")
    index, count = 0, len(lines)
    while index < count:
        line = lines[index].strip()
        index += 1
        if not line or line[0] == "#" or len(line) > LONGEST:
            continue
        word, _, rest = line.partition(" ")
        if "\t" in word:
            word, _, rest = line.partition("\t")
        if word in ("help", "---help---"):
            index = _skip_help(lines, index)
        elif word in _STARTS:
            found.append([_Line(word, rest.strip(), index)])
        elif found:
            found[-1].append(_Line(word, rest.strip(), index))
    return tuple(_Part(lines) for lines in found)


class Reader:
    """Reads files into a :class:`Kconfig`; ``read(path)`` gives a file's text or None.

    ``wanted(path)`` tells whether a sourced file is followed; ``variables`` are the
    values of ``$(NAME)`` and ``$NAME``, and ``probe`` answers ``$(function,...)``.
    """

    def __init__(
        self,
        read: Callable[[str], str | None],
        wanted: Callable[[str], bool],
        variables: dict[str, str],
        probe: Callable[[str], str],
        into: Kconfig | None = None,
    ) -> None:
        self.read = read
        self.wanted = wanted
        self.variables = variables
        self.probe = probe
        self.result = into or Kconfig()
        self._seen = set(self.result.files)
        self._conditions: list[list[str]] = []
        self._choices: list[str] = []
        self._depth = 0

    def load(self, path: str) -> None:
        """Read ``path`` and what it sources; each file is read once."""
        if path in self._seen or not self.wanted(path) or self._depth > _DEEPEST:
            return
        self._seen.add(path)
        text = self.read(path)
        if text is None:
            return
        self.result.files.append(path)
        self._depth += 1
        self._take(_parts(text), path)
        self._depth -= 1

    def _take(self, parts: tuple[_Part, ...], path: str) -> None:
        depth = (len(self._conditions), len(self._choices))
        for part in parts:
            word = part.lines[0].word
            if word in _ENTRIES:
                entry = part.entry or _Entry([self._expanded(line) for line in part.lines])
                name = f"choice {path}:{part.lines[0].number}" if word == "choice" else ""
                self._add(entry, name)
            elif word == "if":
                self._conditions.append([_uncomment(self._expanded(part.lines[0]).rest)])
            elif word == "menu":
                inner = [self._expanded(line) for line in part.lines if line.word == "depends"]
                self._conditions.append([_condition(line.rest) for line in inner])
            elif word == "endchoice":
                if len(self._choices) > depth[1]:
                    self._choices.pop()
                    self._conditions.pop()
            elif word in ("endif", "endmenu"):
                if len(self._conditions) > depth[0]:
                    self._conditions.pop()
            elif word in _SOURCES:
                target = self._expanded(part.lines[0]).rest.strip("\"'")
                here = word in ("rsource", "orsource")
                self.load(f"{path.rpartition('/')[0]}/{target}" if here else target)
        del self._conditions[depth[0] :], self._choices[depth[1] :]

    def _add(self, entry: _Entry, choice: str) -> None:
        """Merge what an entry says into its symbol; ``choice`` is the name of a choice."""
        name = choice or entry.name
        if not name:
            return
        depends = [text for texts in self._conditions for text in texts if text]
        depends += [text for text in entry.depends if text]
        symbol = self.result.symbols.get(name)
        if symbol is None:
            symbol = self.result.symbols[name] = Symbol(name, "", [], [], [])
        symbol.type = symbol.type or entry.type
        symbol.prompt = symbol.prompt or entry.prompt
        symbol.depends.append(depends)
        for value, condition in entry.defaults:
            symbol.defaults.append((value, [*depends, condition] if condition else depends))
        for target, condition, implied in entry.selects:
            symbol.selects.append((target, depends, condition, implied))
        if choice:
            self.result.members.setdefault(choice, [])
            symbol.type = "choice"
            self._choices.append(choice)
            self._conditions.append(entry.depends)
        elif self._choices and not symbol.choice:
            symbol.choice = self._choices[-1]
            self.result.members[symbol.choice].append(name)

    def _expanded(self, line: _Line) -> _Line:
        return line._replace(rest=self._expand(line.rest)) if "$" in line.rest else line

    def _expand(self, text: str) -> str:
        """Replace ``$(...)``: variables by their values, functions by the probe's answer."""
        out: list[str] = []
        index = 0
        while True:
            start = text.find("$", index)
            if start < 0:
                return "".join((*out, text[index:]))
            out.append(text[index:start])
            if text.startswith("$(", start):
                end = _closing(text, start + 2)
                inner = text[start + 2 : end]
                plain = self.variables.get(inner)
                out.append(plain if plain is not None else self.probe(inner))
                index = end + 1
            else:
                match = _WORD.match(text, start + 1)
                name = match.group() if match else ""
                out.append(self.variables.get(name, ""))
                index = start + 1 + len(name)


def _closing(text: str, index: int) -> int:
    """Offset of the parenthesis that closes the one before ``index``."""
    depth = 1
    while index < len(text):
        if text[index] == "(":
            depth += 1
        elif text[index] == ")":
            depth -= 1
            if not depth:
                break
        index += 1
    return index


def _skip_help(lines: list[str], index: int) -> int:
    """Index of the first line after the help text: less indented than its first line."""
    indent = -1
    while index < len(lines):
        line = lines[index]
        text = line.lstrip()
        if text:
            expanded = line.expandtabs()
            width = len(expanded) - len(expanded.lstrip())
            if indent < 0:
                if width == 0:
                    break
                indent = width
            elif width < indent:
                break
        index += 1
    return index


def _uncomment(text: str) -> str:
    """The expression without a trailing ``# comment``."""
    return text.partition("#")[0].strip() if "#" in text else text


def _condition(rest: str) -> str:
    """The expression of ``depends on EXPRESSION``."""
    return _uncomment(rest.removeprefix("on").strip())


def _split_if(text: str) -> tuple[str, str, str]:
    """(value, "if", condition) of ``value if condition``."""
    text = _uncomment(text) if '"' not in text else text
    match = _IF.search(text)
    if match is None:
        return text, "", ""
    return text[: match.start()], "if", text[match.end() :]
