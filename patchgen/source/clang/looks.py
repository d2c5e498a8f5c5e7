# SPDX-License-Identifier: GPL-2.0-only
"""What a parse rests on: the bytes that clang read, and the names that it did not find.

Files change while they are parsed.  What is stored about a parse is stored under what the
parser itself held in its buffers, never under what the disk says afterwards; and a header
that was looked for and not there counts like one that was read.
"""

from __future__ import annotations

import os
import posixpath
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from patchgen.memo import digest
from patchgen.model.base import Value
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import (
    File,
    Stamp,
    changed,
    file_inside,
    old_enough,
    read_given,
)
from patchgen.source.clang.files import Read, buffer


class Look(Value, frozen=True, array_like=True):
    """A file in one state.

    ``silent``: none of the needles is in it; ``asks`` are the names that it asks for by
    ``__has_include``, "" one that only the preprocessor knows.
    """

    stamp: Stamp
    digest: str
    silent: bool
    asks: tuple[str, ...] = ()


class Absent(Value, frozen=True, array_like=True):
    """Names that were looked for in a folder of the tree and are not there."""

    folder: str
    names: tuple[str, ...]


class Seen(Value, frozen=True):
    """What a parse rests on beside its main file.

    ``files`` are paths in the tree, or absolute ones of a build that the user named, with
    ``digests`` of what was read; ``fresh`` are those that were read for the first time.
    ``given`` are those that clang did not read from the disk.  ``settled``: no name can have
    appeared since the parse began, and all that were looked for are known.
    """

    files: tuple[str, ...]
    digests: tuple[str, ...]
    given: tuple[str, ...]
    fresh: dict[str, Look]
    absent: tuple[Absent, ...]
    settled: bool


class Looks:
    """A worker's knowledge of the files of the tree at ``root`` (resolved).

    ``known`` are looks of earlier runs; ``needles`` are what :attr:`Look.silent` is about.
    """

    def __init__(self, root: str, needles: Iterable[bytes], known: Mapping[str, Look]) -> None:
        self.root = root
        self._needles = tuple(needles)
        self._known = dict(known)
        self._folders: dict[str, tuple[Stamp, frozenset[str]]] = {}

    def look(self, data: bytes, stamp: Stamp = (0, 0, 0, 0)) -> Look:
        """What there is to know of a file's bytes."""
        silent = not any(needle in data for needle in self._needles)
        return Look(stamp, digest(data), silent, tuple(sorted(asked_for(data))))

    def see(
        self, cindex: Any, unit: Any, files: Mapping[str, Read], given: Iterable[str]
    ) -> Seeing:
        """Look at all files of a unit but those that were ``given``.

        UserError: one is not as clang read it.
        """
        given = frozenset(given)
        looks: dict[str, Look] = {}
        fresh: dict[str, Look] = {}
        for path, read in files.items():
            if path in given:
                continue
            stamp = self._stamp(path)
            known = self._known.get(path)
            if known is None or known.stamp != stamp:
                now = time.time_ns()
                file = self._file(path)
                if file.data != buffer(cindex, unit, read.handle):
                    raise changed(path)
                known = fresh[path] = self.look(file.data, file.stamp)
                if old_enough(file.stamp[2], now):
                    self._known[path] = known
            looks[path] = known
        return Seeing(looks, fresh, tuple(path for path in files if path in given))

    def ask(
        self, seeing: Seeing, folders: Iterable[str], names: Iterable[str], given: Iterable[str]
    ) -> None:
        """Add the files that answer to ``names``: whether they are there matters, at least."""
        for name in names:
            for folder in folders:
                path = posixpath.normpath(posixpath.join(folder, name))
                if path.startswith(("/", "..")) or path in seeing.looks or path in given:
                    continue
                file = file_inside(self.root, path)
                if file is not None:
                    seeing.looks[path] = self.look(file.data, file.stamp)

    def _stamp(self, path: str) -> Stamp:
        found = look.stamp(path if path[:1] == "/" else f"{self.root}/{path}")
        if found is None:
            raise changed(path)
        return found

    def _file(self, path: str) -> File:
        if path[:1] == "/":
            stamp, data = self._stamp(path), read_given(Path(path))
            file = None if data is None else File(stamp, data)
        else:
            file = file_inside(self.root, path)
        if file is None:
            raise changed(path)
        return file

    def names(self, folder: str) -> tuple[frozenset[str], int] | None:
        """A folder's names, and when they changed; None: there is none."""
        stamp = look.stamp(f"{self.root}/{folder}")
        if stamp is None:
            return None
        known = self._folders.get(folder)
        if known is None or known[0] != stamp:
            try:
                names = look.names_inside(self.root, folder)
            except UserError:
                return None
            if names is None:
                return None
            known = self._folders[folder] = stamp, frozenset(names)
        return known[1], stamp[2]


class Seeing:
    """What was seen of one unit's files."""

    def __init__(
        self, looks: dict[str, Look], fresh: dict[str, Look], given: tuple[str, ...]
    ) -> None:
        self.looks = looks
        self.fresh = fresh
        self.given = given

    def seen(self, absent: tuple[Absent, ...], settled: bool) -> Seen:
        """Together with what was not there."""
        files = tuple(sorted(self.looks))
        digests = tuple(self.looks[path].digest for path in files)
        return Seen(files, digests, self.given, self.fresh, absent, settled)


_HAS = rb"__has_include(?:_next)?\s*\(\s*(?:<([^>\n]*)>|\"([^\"\n]*)\")\s*\)"
_WHETHER = rb"(?:ifn?def\s+|defined\s*\(?\s*)__has_include"


def asked_for(data: bytes) -> set[str]:
    """The names of ``__has_include``, "" for one that only the preprocessor knows."""
    uses = data.count(b"__has_include")
    if not uses:
        return set()
    names = [os.fsdecode(match[1] or match[2] or b"") for match in re.finditer(_HAS, data)]
    plain = len(names) + len(re.findall(_WHETHER, data))
    return {*names, ""} if plain < uses else set(names)


def search_folders(args: Iterable[str]) -> list[str]:
    """The folders that headers are looked for in, by a parse's arguments."""
    found = []
    words = iter(args)
    for word in words:
        if word in ("-I", "-isystem", "-iquote", "-idirafter"):
            found.append(next(words, ""))
        elif word.startswith("-I"):
            found.append(word[2:])
    return found


class _Trie(dict[str, "_Trie"]):
    """Names by their components."""

    def add(self, name: str) -> None:
        at = self
        for part in name.split("/"):
            if part not in at:
                at[part] = _Trie()
            at = at[part]


def inside(paths: Iterable[str]) -> dict[str, frozenset[str]]:
    """The folders that hold some paths, each with the names in it."""
    found: dict[str, set[str]] = {}
    for path in paths:
        while path:
            path, _, name = path.rpartition("/")
            found.setdefault(path, set()).add(name)
    return {folder: frozenset(names) for folder, names in found.items()}


class Absences:
    """The names that a unit's look-ups did not find, as the tree is now."""

    def __init__(self, looks: Looks, given: Iterable[str]) -> None:
        self._looks = looks
        self._given = inside(given)
        self._missing: dict[str, set[str]] = {}
        self._latest = 0

    def find(self, folders: Iterable[str], names: Iterable[str]) -> None:
        """Each of ``names`` was looked for in each of ``folders`` (of the tree; "" is its root)."""
        trie = _Trie()
        climbing = []
        for name in names:
            parts = name.split("/")
            if ".." in parts or "." in parts or "" in parts:
                climbing.append(name)
            else:
                trie.add(name)
        for folder in dict.fromkeys(folders):
            self._visit(folder, trie)
            for name in climbing:
                self._one(posixpath.normpath(posixpath.join(folder or ".", name)))

    def _one(self, path: str) -> None:
        if path.startswith("/"):
            root = self._looks.root
            if not path.startswith(f"{root}/"):
                return
            path = path[len(root) + 1 :]
        if not path.startswith(".."):
            trie = _Trie()
            trie.add(path.removeprefix("./"))
            self._visit("", trie)

    def _visit(self, folder: str, trie: _Trie) -> None:
        listed = self._looks.names(folder)
        if listed is None:
            if folder:
                self._one(folder)
            return
        names, changed = listed
        names |= self._given.get(folder, frozenset())
        self._latest = max(self._latest, changed)
        missing = self._missing.setdefault(folder, set())
        for name, below in trie.items():
            if name not in names:
                missing.add(name)
            elif below:
                self._visit(f"{folder}/{name}" if folder else name, below)

    def result(self) -> tuple[Absent, ...]:
        """By folder, sorted."""
        return tuple(
            Absent(folder, tuple(sorted(names)))
            for folder, names in sorted(self._missing.items())
            if names
        )

    def before(self, began: int) -> bool:
        """Whether no folder changed since ``began`` (ns)."""
        return old_enough(self._latest, began)


_NOT_FOUND = r"'(.+)' file not found"


class Sight:
    """What one parse rests on, as ``looks`` sees it."""

    def __init__(
        self, looks: Looks, cindex: Any, unit: Any, overrides: Mapping[str, bytes | None]
    ) -> None:
        self._looks = looks
        self._unit = unit
        self._cindex = cindex
        self._given = {path: data for path, data in overrides.items() if data is not None}
        self._seeing: Seeing | None = None

    def _see(self, read: Mapping[str, Read]) -> Seeing:
        if self._seeing is None:
            self._seeing = self._looks.see(self._cindex, self._unit, read, self._given)
        return self._seeing

    def loud(self, read: Mapping[str, Read]) -> list[str]:
        """The headers in the tree that are not silent, sorted."""
        looks = self._see(read).looks
        return sorted(
            path
            for path in read
            if path[:1] != "/"
            and not (looks[path] if path in looks else self._looks.look(self._given[path])).silent
        )

    def seen(
        self,
        read: Mapping[str, Read],
        main: str,
        args: Sequence[str],
        diagnostics: Sequence[Diagnostic],
        began: int,
    ) -> Seen:
        """All of it, with the names that were not found."""
        seeing = self._see(read)
        folders = search_folders(args)
        root = self._looks.root
        places = [f[len(root) + 1 :] for f in folders if f"{f}/".startswith(f"{root}/")]
        places += sorted({posixpath.dirname(path) for path in (main, *read) if path[:1] != "/"})
        asked = {name for look in seeing.looks.values() for name in look.asks}
        for data in self._given.values():
            asked |= asked_for(data)
        names = {m[1] for d in diagnostics if (m := re.fullmatch(_NOT_FOUND, d.text))} | asked
        for one in read.values():
            names.update(
                n[len(f) + 1 :] for n in one.names for f in folders if n.startswith(f"{f}/")
            )
        absences = Absences(self._looks, self._given)
        absences.find(places, sorted(names - {""}))
        self._looks.ask(seeing, places, asked - {""}, self._given)
        return seeing.seen(absences.result(), "" not in asked and absences.before(began))
