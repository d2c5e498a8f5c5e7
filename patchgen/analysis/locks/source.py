# SPDX-License-Identifier: GPL-2.0-only
"""Code that calls lead to besides the functions at hand: macros and inlines of headers.

A file's headers are those that it includes by name in quotes, with theirs, and the
kernel's own that it includes itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping

from patchgen.analysis.locks.expanded import Expander
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import primitives
from patchgen.model.code import Function
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.macros import Macro, macros_in

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)

#: Words of a macro's body that make it more than an expression without effect.
_ACTS = frozenset({"return", "goto", "break", "continue", "guard", "scoped_guard", "for", "while",
                   "if", "do", "switch", "scoped_cond_guard"})  # fmt: skip
_STORES = frozenset({"=", "+=", "-=", "|=", "&=", "++", "--"})

#: Headers of one file that are looked into.
_HEADERS = 64


class Source:
    """What the bytes of a tree's files say, asked for when a call leads there."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self.read = read
        self._headers: dict[str, tuple[str, ...]] = {}
        self._macros: dict[str, Mapping[str, Macro | None]] = {}
        self._own: dict[str, Mapping[str, Macro | None]] = {}
        self._expanders: dict[str, Expander | None] = {}
        self._definitions: dict[str, Definitions] = {}
        self._inlines: dict[tuple[str, str], tuple[Function, ...]] = {}
        self._expanded: dict[int, tuple[Function, Function]] = {}

    def expanded(self, function: Function) -> Function:
        """The function with the macros of its file that do something replaced."""
        known = self._expanded.get(id(function))
        if known is None:
            expander = self._expander(function.path)
            made = function if expander is None else expander.function(function)
            known = self._expanded[id(function)] = (function, made)
        return known[1]

    def _expander(self, path: str) -> Expander | None:
        if path not in self._expanders:
            source = self.read(path)
            macros = self.macros(path)
            found = None
            if source is not None and macros:
                found = Expander(source, macros, lambda name: self._matters(path, name))
            self._expanders[path] = found
        return self._expanders[path]

    def macros(self, path: str) -> Mapping[str, Macro | None]:
        """The macros of a file and of the headers that it includes in quotes, by name."""
        if path not in self._macros:
            found: dict[str, Macro | None] = {}
            for header in reversed(self.headers(path)):
                if header.rpartition("/")[0] == path.rpartition("/")[0]:
                    found.update(self._defined(header))
            found.update(self._defined(path))
            self._macros[path] = found
        return self._macros[path]

    def _defined(self, path: str) -> Mapping[str, Macro | None]:
        if path not in self._own:
            self._own[path] = macros_in(self.read(path) or b"")
        return self._own[path]

    def _matters(self, path: str, name: str, depth: int = 0) -> bool:
        """Whether a macro does more than to compute, as far as its body shows."""
        macros = self.macros(path)
        macro = macros[name]
        if macro is None:
            return name not in primitives() and name in self._acting(path)
        words = macro.names
        if words & _ACTS or any(text in _STORES for _, text in macro.body):
            return True
        if words & (primitives().keys() | names("sleep", "sleeps", "functions")):
            return True
        if any(kind == "name" and self._is_function(path, text) for kind, text in macro.body):
            return True
        for (_, text), (_, following) in zip(macro.body, macro.body[1:], strict=False):
            if following == "(" and text in (macro.params or ()):
                return True  # it calls what it is given
        inner = (word for word in words if word in macros and word != name)
        return depth < 8 and any(self._matters(path, word, depth + 1) for word in inner)

    def _acting(self, path: str) -> frozenset[str]:
        """Macros with several definitions, one of which takes or drops something."""
        found = set()
        source = self.read(path) or b""
        for directive in Tokens(source).directives:
            words = set(re.findall(r"\w+", directive.text))
            if "define" in words and words & primitives().keys():
                found |= words
        return frozenset(found)

    def _is_function(self, path: str, name: str) -> bool:
        return name in self._functions(path)

    def _functions(self, path: str) -> Definitions:
        if path not in self._definitions:
            self._definitions[path] = Definitions({path: self.read(path) or b""})
        return self._definitions[path]

    # -- headers ----------------------------------------------------------

    def headers(self, path: str) -> tuple[str, ...]:
        """The headers that are looked into for a file, nearest first."""
        if path not in self._headers:
            found: dict[str, None] = {}
            pending = [path]
            while pending and len(found) < _HEADERS:
                current = pending.pop(0)
                data = self.read(current) or b""
                for quoted, angled in _INCLUDE.findall(data):
                    header = self._resolve(current, quoted, angled, current == path)
                    if header and header not in found:
                        found[header] = None
                        if quoted:
                            pending.append(header)
            self._headers[path] = tuple(found)
        return self._headers[path]

    def _resolve(self, path: str, quoted: bytes, angled: bytes, direct: bool) -> str:
        name = (quoted or angled).decode("utf-8", "replace")
        folder = posixpath.dirname(path)
        if quoted:
            near = posixpath.normpath(posixpath.join(folder, name))
            return near if not near.startswith("..") and self._exists(near) else ""
        known = f"include/{name}"
        return known if direct and self._exists(known) else ""

    def _exists(self, path: str) -> bool:
        return self.read(path) is not None

    def inline(self, name: str, near: str) -> tuple[Function, ...]:
        """The definition of a function that a macro of ``near`` makes, or that a header has."""
        key = (name, near)
        if key not in self._inlines:
            self._inlines[key] = self._inline(name, near)
        return self._inlines[key]

    def _inline(self, name: str, near: str) -> tuple[Function, ...]:
        made = self.made(near, frozenset({name}))
        if made:
            return made
        word = re.compile(rb"\b%s\s*\(" % re.escape(name.encode()))
        for header in self.headers(near):
            if word.search(self.read(header) or b"") and name in self._functions(header):
                return (self._functions(header)[name],)
        return ()

    def made(self, path: str, wanted: frozenset[str]) -> tuple[Function, ...]:
        """Functions that macros of a file make at file scope, of those that are ``wanted``."""
        from patchgen.analysis.locks.made import made_functions

        source = self.read(path)
        if source is None or not wanted:
            return ()
        return made_functions(source, path, self.macros(path), wanted)
