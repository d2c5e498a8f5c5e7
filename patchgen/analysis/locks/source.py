# SPDX-License-Identifier: GPL-2.0-only
"""Code that calls lead to besides the functions at hand: macros and inlines of headers.

A file's headers are those that it includes by name in quotes, with theirs, those in folders
of its own, and the kernel's that it includes itself.
"""

from __future__ import annotations

import posixpath
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from patchgen.analysis.locks.expanded import Expander
from patchgen.analysis.locks.headers import may_define
from patchgen.analysis.locks.made import made_functions
from patchgen.analysis.values.distinct import distinct
from patchgen.analysis.values.naming import asks
from patchgen.kernel.knowledge import names
from patchgen.kernel.locks import primitives
from patchgen.model.code import Function
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.macros import Macro, Macros

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)

#: A call at the beginning of a line, as definitions by macros are.
_AT_LINE = re.compile(rb"^([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)

#: Words of a macro's body that make it more than an expression without effect.
_ACTS = frozenset({"return", "goto", "break", "continue", "guard", "scoped_guard", "for", "while",
                   "if", "do", "switch", "scoped_cond_guard"})  # fmt: skip
#: Words before a bracket that are no call.
_WORDS = frozenset(
    {"if", "while", "for", "switch", "return", "sizeof", "typeof", "__typeof__", "defined"}
)
_STORES = frozenset({"=", "+=", "-=", "|=", "&=", "++", "--"})

#: Headers of one file that are looked into; where private headers include the kernel's.
_HEADERS, _PROGRAM_HEADERS = 64, 400


class Source:
    """What the bytes of a tree's files say, asked for when a call leads there."""

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        folders: Sequence[str] = (),
        defined: Callable[[str, str], bool] | None = None,
        own: Callable[[str], bool] = lambda path: True,
        files: Iterable[str] = (),
    ) -> None:
        """``folders`` hold further headers of the files' own; ``defined`` tells whether some
        file has a function, as seen from another, where all are one program, ``own`` whether
        a file is no foreign one.  ``files`` are those that a run is about.
        """
        self._files = tuple(files)
        self._one_program = defined is not None
        self._elsewhere = defined or (lambda name, near: False)
        self._is_own = own
        self.read = read
        self._folders = tuple(folders)
        self._foreign: set[str] = set()
        self._headers: dict[str, tuple[str, ...]] = {}
        self._macros: dict[str, Mapping[str, Macro | None]] = {}
        self._own: dict[str, Macros] = {}
        self._bytes: dict[str, bytes] = {}
        self._expanders: dict[str, Expander | None] = {}
        self._definitions: dict[str, Definitions] = {}
        self._ambiguous: dict[str, frozenset[str]] = {}
        self._made: dict[str, dict[str, Function]] = {}
        self._inlines: dict[tuple[str, str], tuple[Function, ...]] = {}
        self._expanded: dict[int, tuple[Function, Function]] = {}

    def expanded(self, function: Function) -> Function:
        """The function with the macros of its file that do something replaced.

        No two of its variables have one name.
        """
        known = self._expanded.get(id(function))
        if known is None:
            expander = self._expander(function.path)
            made = distinct(function if expander is None else expander.function(function))
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
            folder = posixpath.dirname(path)
            near = [
                header
                for header in self.headers(path)
                if posixpath.dirname(header) == folder
                or (self._folders and header not in self._foreign)
            ]
            self._macros[path] = ChainMap(*(self._defined(file) for file in (path, *near)))  # type: ignore[arg-type]
        return self._macros[path]

    def _defined(self, path: str) -> Macros:
        if path not in self._own:
            self._own[path] = Macros(self.bytes_of(path))
        return self._own[path]

    def bytes_of(self, path: str) -> bytes:
        """A file's bytes; none where it is not at hand."""
        if path not in self._bytes:
            self._bytes[path] = self.read(path) or b""
        return self._bytes[path]

    def _matters(self, path: str, name: str, depth: int = 0) -> bool:
        """Whether a macro does more than to compute, as far as its body shows."""
        macros = self.macros(path)
        macro = macros[name]
        if macro is None:
            return name not in primitives() and name in self._acting(path)
        words = macro.names
        if name in names("evaluation", "pure", "functions"):
            return True  # what the file says of it wins
        if asks(words):
            return True
        if words & _ACTS or any(text in _STORES for _, text in macro.body):
            return True
        sleeping = names("sleep", "sleeps", "functions") | names("sleep", "allocates", "functions")
        if words & (primitives().keys() | sleeping):
            return True
        if any(kind == "name" and self._calls(path, text) for kind, text in macro.body):
            return True
        for (_, text), (_, following) in zip(macro.body, macro.body[1:], strict=False):
            if following == "(" and text in (macro.params or ()):
                return True  # it calls what it is given
        inner = (word for word in words if word in macros and word != name)
        return depth < 8 and any(self._matters(path, word, depth + 1) for word in inner)

    def leads(self, path: str, name: str, known: Callable[[str], bool], depth: int = 0) -> str:
        """What a call of ``name`` leads to that is not ``known``; "" where there is nothing.

        A macro of the file that only computes leads to what its body calls.
        """
        if known(name):
            return ""
        macro = self.macros(path).get(name) if depth < 8 else None
        if macro is None:
            return name
        for (kind, text), (_, following) in pairwise(macro.body):
            called = kind == "name" and following == "(" and text not in _WORDS
            if called and text not in (macro.params or ()):
                inner = self.leads(path, text, known, depth + 1)
                if inner:
                    return inner
        return ""

    def _acting(self, path: str) -> frozenset[str]:
        """Macros with several definitions, one of which takes or drops something."""
        if path not in self._ambiguous:
            found: set[str] = set()
            for file in (path, *self.headers(path)):
                for name, texts in self._defined(file).texts.items():
                    words = set(re.findall(r"\w+", " ".join(texts))) if len(texts) > 1 else set()
                    found |= {name} if words & primitives().keys() else set()
            self._ambiguous[path] = frozenset(found)
        return self._ambiguous[path]

    def _calls(self, path: str, name: str) -> bool:
        """Whether a name is a function's: of the file, of its own headers, of another file."""
        own = (header for header in self.headers(path) if header not in self._foreign)
        return any(self._is_function(file, name) for file in (path, *own)) or (
            self._elsewhere(name, path)
        )

    def _is_function(self, path: str, name: str) -> bool:
        if path not in self._definitions and not may_define(self.bytes_of(path), name):
            return False
        return name in self._functions(path)

    def _functions(self, path: str) -> Definitions:
        if path not in self._definitions:
            self._definitions[path] = Definitions({path: self.bytes_of(path)})
        return self._definitions[path]

    # -- headers ----------------------------------------------------------

    def headers(self, path: str) -> tuple[str, ...]:
        """The headers that are looked into for a file, nearest first."""
        if path not in self._headers:
            found: dict[str, None] = {}
            pending = [path]
            most = _PROGRAM_HEADERS if self._one_program else _HEADERS
            while pending and len(found) < most:
                current = pending.pop(0)
                data = self.bytes_of(current)
                for quoted, angled in _INCLUDE.findall(data):
                    header = self._resolve(
                        current, quoted, angled, current == path or self._one_program
                    )
                    if header and header not in found:
                        found[header] = None
                        if quoted or header not in self._foreign:
                            pending.append(header)
            self._headers[path] = tuple(found)
        return self._headers[path]

    def _resolve(self, path: str, quoted: bytes, angled: bytes, direct: bool) -> str:
        name = (quoted or angled).decode("utf-8", "replace")
        folder = posixpath.dirname(path)
        own = (folder, *self._folders) if quoted else self._folders
        for place in own:
            near = posixpath.normpath(posixpath.join(place, name))
            if not near.startswith("..") and self._exists(near) and self._is_own(near):
                return near
        known = f"include/{name}"
        if quoted or not direct or not self._exists(known):
            return ""
        self._foreign.add(known)
        return known

    def _exists(self, path: str) -> bool:
        if path in self._bytes:
            return bool(self._bytes[path])
        return self.bytes_of(path) != b""

    def inline(self, name: str, near: str) -> tuple[Function, ...]:
        """A function that a macro of ``near`` makes, a header has or a file beside it defines.

        The latter are the run's own files of the same folder.
        """
        key = (name, near)
        if key not in self._inlines:
            self._inlines[key] = self._inline(name, near)
        return self._inlines[key]

    def _inline(self, name: str, near: str) -> tuple[Function, ...]:
        made = self.made(near).get(name)
        if made is not None:
            return (made,)
        for header in self.headers(near):
            if self._is_function(header, name):
                return (self._functions(header)[name],)
        folder = posixpath.dirname(near)
        for file in self._files:
            beside = file != near and posixpath.dirname(file) == folder and file.endswith(".c")
            if beside and self._is_function(file, name):
                found = self._functions(file)[name]
                return () if found.static else (found,)
        return ()

    def made(self, path: str) -> Mapping[str, Function]:
        """Functions that macros of a file make at file scope, by name."""
        if path not in self._made:
            source = self.read(path)
            lines = () if source is None else sorted(set(_AT_LINE.findall(source)))
            foreign = self._making(path, lines)
            used = foreign or any(self._makes(path, word) for word in lines)
            macros: Mapping[str, Macro | None] = self.macros(path)
            if foreign:
                macros = ChainMap(*(self._defined(file) for file in foreign), macros)  # type: ignore[arg-type]
            made = made_functions(source or b"", path, macros) if used else ()
            self._made[path] = {one.name: one for one in made}
        return self._made[path]

    def _making(self, path: str, words: Sequence[bytes]) -> list[str]:
        """Of one program, the kernel's headers whose macros may make functions of a file."""
        if not self._one_program:
            return []
        found = []
        for header in self.headers(path):
            data = self.bytes_of(header) if header in self._foreign else b""
            there = [word for word in words if re.search(rb"\bdefine[ \t]+%s\(" % word, data)]
            texts = self._defined(header).texts if there else {}
            if any("{" in text for word in there for text in texts.get(word.decode(), ())):
                found.append(header)
        return found

    def _makes(self, path: str, word: bytes) -> bool:
        """Whether a macro that a file sees may make a function."""
        name = word.decode()
        return name in self.macros(path) and any(
            "{" in text
            for file in (path, *self.headers(path))
            if word in self.bytes_of(file)
            for text in self._defined(file).texts.get(name, ())
        )
