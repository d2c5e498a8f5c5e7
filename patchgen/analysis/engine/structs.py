# SPDX-License-Identifier: GPL-2.0-only
"""Which structure an expression leads to, from the declarations in a file and its headers.

A structure is named by its tag, and by the file where that is a .c file: two drivers may
have a private one of the same tag.  "" is not known, and never equal to anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from patchgen.analysis.engine.typed import Declared, declared
from patchgen.model.code import Block, Decl, Expr, For, Function, Stmt
from patchgen.source.c.text import bare, statements

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)

#: What a declaration of a name looks like, to leave out the files that have none.
_LIKE = {
    "members": rb"\b%s\s*(?:__\w+\s*)*\{",
    "aliases": rb"\b%s\s*;",
    "globals": rb"\b%s\s*[;=,\[]",
}

#: Headers that are looked through for one name, nearest first.
_HEADERS = 400
#: Types that are other names of types, at most.
_ALIASES = 8

#: Macros that give the structure in which a member lies: the type is their second argument.
_WITHIN = frozenset({"container_of", "container_of_const", "list_entry", "list_first_entry",
                     "list_last_entry", "hlist_entry", "rb_entry", "list_entry_rcu"})  # fmt: skip


class Structs:
    """The structures that expressions of a tree's files lead to."""

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        results: Callable[[str, str], Iterator[str]] = lambda name, near: iter(()),
        folders: Sequence[str] = (),
    ) -> None:
        """``read`` gives a file's bytes; ``results`` what functions of a name return;
        ``folders`` hold further headers of the files' own."""
        self._folders = tuple(folders)
        self._read = read
        self._results = results
        self._bytes: dict[str, bytes] = {}
        self._declared: dict[str, Declared] = {}
        #: By file: it and its headers as far as they were asked for, and where those of
        #: the next one are to be looked for.
        self._reach: dict[str, dict[str, None]] = {}
        self._grown: dict[str, int] = {}
        self._includes: dict[str, tuple[str, ...]] = {}
        self._found: dict[tuple[str, str, str], tuple[str, str]] = {}

    def of(self, expr: Expr, function: Function) -> str:
        """The structure that ``expr``, or what it points to, is; "" where that is not known."""
        if expr.kind == "cast":
            return self.named(expr.name, function.path)
        expr = bare(expr)
        kind, path = expr.kind, function.path
        if kind == "name":
            return self._variable(expr, function)
        if kind in ("arrow", "member"):
            return self.member(self.of(expr.args[0], function), expr.name, path)
        if kind in ("index", "postfix") or (kind == "unary" and expr.name in "*&++--"):
            return self.of(expr.args[0], function)
        if kind == "compound":
            return self.named(expr.name, path)
        if kind == "call" and expr.name in _WITHIN and len(expr.args) > 2:
            return self.named(expr.args[2].name, path)
        if kind == "call" and expr.name:
            return self._agreed(self.named(one, path) for one in self._results(expr.name, path))
        if kind == "cond":
            return self._agreed(self.of(one, function) for one in expr.args[1:])
        if kind == "assign":
            return self.of(expr.args[0], function)
        return ""

    @staticmethod
    def _agreed(found: Iterator[str]) -> str:
        different = set(found)
        return different.pop() if len(different) == 1 else ""

    def _variable(self, expr: Expr, function: Function) -> str:
        types = {type for start, type in scopes(function, expr.name) if _holds(start, expr)}
        if len(types) == 1:
            return self.named(types.pop(), function.path)
        if types:
            return ""
        tag = self._search(expr.name, function.path, "globals")[1]
        return self.named(tag, function.path) if tag else ""

    def named(self, written: str, path: str) -> str:
        """The structure of a type as written in ``path``: ``const struct x *``, ``x_t *``."""
        words = re.findall(r"\w+", written)
        for _ in range(_ALIASES):
            tagged = [b for a, b in pairwise(words) if a in ("struct", "union")]
            if tagged:
                return self._placed(tagged[0], path)
            words = [word for word in words if word not in ("const", "volatile", "static")]
            words = [word for word in words if not word.startswith("__")]
            if len(words) != 1:
                return ""
            where, alias = self._search(words[0], path, "aliases")
            if not alias:
                return ""
            words = re.findall(r"[\w.]+", alias)
            if words[0] == "struct" and "." in words[1]:
                return f"{words[1]}@{where}"
        return ""

    def _placed(self, tag: str, path: str) -> str:
        if "@" in tag:
            return tag
        where = self._search(tag, path, "members")[0]
        return f"{tag}@{where}" if where.endswith(".c") else tag

    def member(self, struct: str, name: str, path: str) -> str:
        """The structure that a member of ``struct`` is or points to; "" if not known."""
        tag, _, where = struct.partition("@")
        if not tag:
            return ""
        where = where or self._search(tag, path, "members")[0]
        written = self._of(where).members.get(tag, {}).get(name, "") if where else ""
        if written.startswith("struct .") or written.startswith(f"struct {tag}."):
            return f"{written.split()[1]}@{where}"
        return self.named(written, where) if written else ""

    def member_type(self, struct: str, name: str, path: str) -> str:
        """The type of a member as written (see :class:`Declared`); "" if not known."""
        tag, _, where = struct.partition("@")
        where = where or self._search(tag, path, "members")[0]
        return self._of(where).members.get(tag, {}).get(name, "") if where else ""

    def members(self, struct: str, path: str) -> tuple[str, ...]:
        """The members of a structure in their order; () if not known."""
        tag, _, where = struct.partition("@")
        where = where or self._search(tag, path, "members")[0]
        return tuple(self._of(where).members.get(tag, {})) if where else ()

    def variable(self, name: str, path: str) -> str:
        """The type of a variable at file scope as written; "" if not known."""
        return self._search(name, path, "globals")[1]

    def alias(self, name: str, path: str) -> str:
        """What a typedef's name stands for, as written; "" if not known."""
        return self._search(name, path, "aliases")[1]

    # -- files ------------------------------------------------------------

    def _search(self, name: str, path: str, kind: str) -> tuple[str, str]:
        """The nearest file with a declaration of ``name``, and what that says."""
        key = (name, path, kind)
        if key not in self._found:
            self._found[key] = ("", "")
            word = name.encode()
            like = re.compile(_LIKE[kind] % re.escape(word))
            for file in self.reachable(path):
                data = self._data(file)
                if word not in data or not like.search(data):
                    continue
                said = getattr(self._of(file), kind).get(name)
                if said is not None:
                    self._found[key] = (file, said if isinstance(said, str) else name)
                    break
        return self._found[key]

    def _of(self, path: str) -> Declared:
        if path not in self._declared:
            self._declared[path] = declared(self._data(path))
        return self._declared[path]

    def _data(self, path: str) -> bytes:
        if path not in self._bytes:
            self._bytes[path] = self._read(path) or b""
        return self._bytes[path]

    def reachable(self, path: str) -> Iterator[str]:
        """The file and its headers with theirs, nearest first; read as far as is asked for."""
        found = self._reach.setdefault(path, {path: None})
        at = 0
        while True:
            known = tuple(found)
            yield from known[at:]
            at = len(known)
            if len(found) > at:
                continue  # another search went further meanwhile
            grown = self._grown.get(path, 0)
            if grown >= at or at >= _HEADERS:
                return
            self._grown[path] = grown + 1
            found.update(dict.fromkeys(self._included(known[grown])))

    def _included(self, path: str) -> tuple[str, ...]:
        if path not in self._includes:
            self._includes[path] = tuple(self._named_in(path))
        return self._includes[path]

    def _named_in(self, path: str) -> Iterator[str]:
        for quoted, angled in _INCLUDE.findall(self._data(path)):
            name = (quoted or angled).decode("utf-8", "replace")
            near = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            arch = path.split("/")[1] if path.startswith("arch/") else "x86"
            tried = [near] if quoted else []
            tried += [f"arch/{arch}/include/{name}"] if name.startswith("asm/") else []
            tried += [posixpath.normpath(f"include/{name}")]
            tried = [one for one in tried if not one.startswith("..")][:2]
            own = (posixpath.normpath(posixpath.join(place, name)) for place in self._folders)
            tried += [one for one in own if not one.startswith("..")]
            yield from (one for one in tried if self._data(one))


def scopes(function: Function, name: str) -> Iterator[tuple[tuple[int, int], str]]:
    """The types, as written, of the variables of this name, with where each counts."""
    local: list[tuple[tuple[int, int], str]] = []
    for inner in (function.body, *statements(function.body)):
        for stmt in _declaring(inner):
            for variable in stmt.variables:
                if variable.name == name:
                    local.append(((variable.span.start, inner.span.end), variable.type))
    yield from local
    for param in function.params:
        if param.name == name and not local:
            yield (function.span.start, function.span.end), param.type


def _declaring(stmt: Stmt) -> Iterator[Decl]:
    """The declarations that count to the end of ``stmt``."""
    inner = stmt.body if isinstance(stmt, Block) else (stmt.init,) if isinstance(stmt, For) else ()
    yield from (one for one in inner if isinstance(one, Decl))


def _holds(where: tuple[int, int], expr: Expr) -> bool:
    return where[0] <= expr.span.start < where[1]
