# SPDX-License-Identifier: GPL-2.0-only
"""A light reader of Kconfig files: text in, symbol definitions out.

Understood is what decides a value: types, defaults, selects, implies, dependencies,
``if`` and ``menu`` nesting, choices, ``source``.  Prompts, ranges and help are passed
over.  The language is the kernel's Documentation/kbuild/kconfig-language.rst;
:mod:`patchgen.tree.kconfig_eval` gives the symbols their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from patchgen.tree.kconfig_expr import LONGEST


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


class _Entry:
    """One ``config`` or ``choice`` while its lines are read."""

    def __init__(self, name: str, is_choice: bool, depends: list[str]) -> None:
        self.name = name
        self.is_choice = is_choice
        self.type = ""
        self.defaults: list[tuple[str, str]] = []
        self.selects: list[tuple[str, str, bool]] = []
        self.depends = depends
        self.prompt = False


_DEEPEST = 40  # levels of source: a loop of files ends, not the stack
_CONTINUED = re.compile(r"\\\n\s*")
_WORD = re.compile(r"[A-Za-z0-9_]+")
_IF = re.compile(r"\s+if\s+(?=[^\"]*(?:\"[^\"]*\"[^\"]*)*$)")
_TYPES = frozenset(("bool", "boolean", "tristate", "int", "hex", "string"))


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
        if "\\\n" in text:
            text = _CONTINUED.sub(" ", text)
        self._depth += 1
        self._lines(text.split("\n"), path)
        self._depth -= 1

    def _lines(self, lines: list[str], path: str) -> None:
        entry: _Entry | None = None
        menu: list[str] | None = None  # dependencies of the menu whose header we are in
        depth = (len(self._conditions), len(self._choices))
        index, count = 0, len(lines)
        while index < count:
            raw = lines[index]
            index += 1
            line = raw.strip()
            if not line or line[0] == "#" or len(line) > LONGEST:
                continue
            word, _, rest = line.partition(" ")
            if "\t" in word:
                word, _, rest = line.partition("\t")
            if word in ("help", "---help---"):
                index = _skip_help(lines, index)
                continue
            rest = rest.strip()
            if "$" in rest:
                rest = self._expand(rest)
            if word == "depends":
                condition = _uncomment(rest.removeprefix("on").strip())
                if entry is not None:
                    entry.depends.append(condition)
                elif menu is not None:
                    menu.append(condition)
                continue
            if entry is not None and self._property(entry, word, rest):
                continue
            if word in ("config", "menuconfig", "choice"):
                self._close(entry)
                menu = None
                entry = self._open(word, rest, path, index)
            elif word in ("if", "menu", "endif", "endmenu", "endchoice", "comment", "source"):
                self._close(entry)
                entry, menu = None, None
                if word == "if":
                    self._conditions.append([_uncomment(rest)])
                elif word == "menu":
                    menu = []
                    self._conditions.append(menu)
                elif word == "endchoice":
                    if len(self._choices) > depth[1]:
                        self._choices.pop()
                        self._conditions.pop()
                elif word in ("endif", "endmenu"):
                    if len(self._conditions) > depth[0]:
                        self._conditions.pop()
                elif word == "source":
                    self.load(rest.strip("\"'"))
                else:
                    menu = []  # a comment's own dependencies concern nothing else
            elif word in ("rsource", "osource", "orsource"):
                self._close(entry)
                entry, menu = None, None
                target = rest.strip("\"'")
                self.load(target if word == "osource" else f"{path.rpartition('/')[0]}/{target}")
        self._close(entry)
        del self._conditions[depth[0] :], self._choices[depth[1] :]

    def _open(self, word: str, rest: str, path: str, line: int) -> _Entry:
        if word == "choice":
            name = f"choice {path}:{line}"
            entry = _Entry(name, True, [])
            self.result.members.setdefault(name, [])
            return entry
        match = _WORD.match(rest)
        return _Entry(match.group() if match else "", False, [])

    def _property(self, entry: _Entry, word: str, rest: str) -> bool:
        """Take a line that belongs to the open entry; False when it is none."""
        if word in _TYPES:
            entry.type = entry.type or word
            entry.prompt = entry.prompt or bool(rest)
        elif word in ("def_bool", "def_tristate", "default"):
            entry.type = word[4:] if word != "default" else entry.type
            value, _, condition = _split_if(rest)
            entry.defaults.append((value, condition))
        elif word in ("select", "imply"):
            target, _, condition = _split_if(rest)
            entry.selects.append((target, condition, word == "imply"))
        elif word == "prompt":
            entry.prompt = True
        elif word not in ("range", "option", "visible", "optional", "modules"):
            return False
        return True

    def _close(self, entry: _Entry | None) -> None:
        if entry is None or not entry.name:
            return
        outer = [text for texts in self._conditions for text in texts]
        depends = [text for text in outer + entry.depends if text]
        symbol = self.result.symbols.get(entry.name)
        if symbol is None:
            symbol = self.result.symbols[entry.name] = Symbol(entry.name, "", [], [], [])
        symbol.type = symbol.type or entry.type
        symbol.prompt = symbol.prompt or entry.prompt
        symbol.depends.append(depends)
        for value, condition in entry.defaults:
            symbol.defaults.append((value, [*depends, condition] if condition else depends))
        for target, condition, implied in entry.selects:
            symbol.selects.append((target, depends, condition, implied))
        if entry.is_choice:
            symbol.type = "choice"
            self._choices.append(entry.name)
            self._conditions.append(entry.depends)
        elif self._choices and not symbol.choice:
            symbol.choice = self._choices[-1]
            self.result.members[symbol.choice].append(entry.name)

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


def _split_if(text: str) -> tuple[str, str, str]:
    """(value, "if", condition) of ``value if condition``."""
    text = _uncomment(text) if '"' not in text else text
    match = _IF.search(text)
    if match is None:
        return text, "", ""
    return text[: match.start()], "if", text[match.end() :]
