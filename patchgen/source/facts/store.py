# SPDX-License-Identifier: GPL-2.0-only
"""Facts of files, taken once per content: of the file and of all it includes.

By configuration, path and content of a file the lists of files are found that its
parses included; with the contents of these the facts.  Files are hashed once per stamp
(size, times, inode); the stamps are kept.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.model.base import Span, Value
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import Done, Failed, UserError
from patchgen.sandbox.confine import confine
from patchgen.source.c.lexer import Tokens
from patchgen.source.clang import pool
from patchgen.source.clang.unit import HeaderUse, parse, settle
from patchgen.source.config.flags import ParseConfig
from patchgen.source.config.overlay import overlays
from patchgen.source.facts.extract import Shape, extract, shape
from patchgen.source.tree.search import NEEDLES
from patchgen.source.tree.snapshot import Snapshot


class Task(Value, frozen=True):
    """One file to take facts of, under one configuration."""

    root: str
    path: str
    config: ParseConfig
    names: frozenset[str]
    overrides: dict[str, bytes | None]
    tried: str = ""


class Taken(Value, frozen=True):
    """What one parse yields: the file's facts, and its headers that mention the API."""

    facts: FileFacts
    headers: tuple[HeaderUse, ...]
    includes: tuple[str, ...]


_Stamp = tuple[int, int, int, int]


class _Stamped(msgspec.Struct, array_like=True):
    """``silent``: it is known that the file has no needle of the text search."""

    stamp: _Stamp
    digest: str
    silent: bool = False


def _stamp(path: str) -> _Stamp | None:
    """How a file looks without reading it; None where there is none."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


class Digests:
    """Content digests of a tree's files, remembered by stamp across runs."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._root = os.path.realpath(snapshot.root)
        self._key = memo.digest("stamps", os.fsencode(self._root))
        self._known = self._load()
        self._checked: dict[str, str] = {}
        self._dirty = False

    def _load(self) -> dict[str, _Stamped]:
        data = memo.read("stamps", self._key)
        try:
            return msgspec.msgpack.decode(data or b"", type=dict[str, _Stamped])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def of(self, path: str, overrides: Mapping[str, bytes | None]) -> str:
        """Digest of a file's bytes in a state; "" where it is not there."""
        if path in overrides:
            data = overrides[path]
            return "" if data is None else memo.digest(data)
        if path not in self._checked:
            self._checked[path] = self._of_disk(path)
        return self._checked[path]

    def _of_disk(self, path: str) -> str:
        stamp = _stamp(f"{self._root}/{path}")
        if stamp is None:
            return ""
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            return known.digest
        data = self.snapshot.read(path)
        found = "" if data is None else memo.digest(data)
        self._known[path] = _Stamped(stamp, found)
        self._dirty = True
        return found

    def combined(self, paths: Iterable[str], overrides: Mapping[str, bytes | None]) -> str:
        """One digest over several files."""
        # One part, not hundreds: no path and no digest has a NUL in it.
        parts = (part for path in paths for part in (path, self.of(path, overrides)))
        return memo.digest("\0".join(parts))

    def heard(self, taken: Taken, overrides: Mapping[str, bytes | None]) -> None:
        """Remember which headers of a parse turned out not to mention the API."""
        loud = {header.path for header in taken.headers}
        for path in taken.includes:
            known = self._known.get(path)
            if known is not None and path not in overrides and path not in loud:
                self._dirty = self._dirty or not known.silent
                known.silent = True

    def silent(self) -> dict[str, _Stamp]:
        """Absolute names of the files that are known not to mention the API."""
        listed = self._known.items()
        return {f"{self._root}/{path}": known.stamp for path, known in listed if known.silent}

    def save(self) -> None:
        """Remember what was hashed."""
        if self._dirty:
            memo.write("stamps", self._key, msgspec.msgpack.encode(self._known))
            self._dirty = False


def facts_of(
    tasks: Iterable[Task],
    digests: Digests,
    workers: int = 0,
    mentioning: frozenset[str] | None = None,
) -> list[Done[Taken] | Failed]:
    """Facts for every task, in order: from the cache, or by parsing in workers.

    ``tasks`` may be made while the first are parsed; then all that their parses read
    lies in the tree and the cache.  ``mentioning`` are the tree's sources on the disk that
    mention the API, where they are known.  Failed: the file is not there, or libclang crashed
    or hung on it.
    """
    results: dict[int, Done[Taken] | Failed] = {}
    keys: dict[int, str] = {}
    chosen: list[tuple[int, Task]] = []
    given = list(tasks) if isinstance(tasks, Sequence) else []

    def missing() -> Iterator[Task]:
        for number, task in enumerate(given or tasks):
            try:
                own = digests.of(task.path, task.overrides)
            except UserError as error:
                results[number] = Failed(str(error))
                continue
            names = ",".join(sorted(task.names))
            keys[number] = memo.digest(program(), task.config.key, task.path, own, names)
            hit = _cached(keys[number], task, digests)
            if hit is None:
                chosen.append((number, task))
                yield task
            else:
                results[number] = Done(hit)

    def prepare() -> None:
        if mentioning is None:
            _SILENT.update(digests.silent())
        else:
            _MENTIONING.append(mentioning)
        settle()
        confine(_readable(given or [task for _, task in chosen]))

    for index, answer in pool.run(take, missing(), workers, prepare=prepare):
        number, task = chosen[index]
        if isinstance(answer, Failed):
            results[number] = answer
            continue
        try:
            combined = digests.combined(answer.value.includes, task.overrides)
            if mentioning is None:  # else a header was not read, but looked up in a listing
                digests.heard(answer.value, task.overrides)
        except UserError as error:
            results[number] = Failed(str(error))
            continue
        identity = memo.digest(keys[number], combined)
        facts = msgspec.structs.replace(answer.value.facts, digest=identity)
        taken = msgspec.structs.replace(answer.value, facts=facts)
        memo.write("facts", identity, msgspec.msgpack.encode(taken))
        _remember_includes(keys[number], taken.includes)
        results[number] = Done(taken)
    digests.save()
    return [results[number] for number in sorted(results)]


@functools.cache
def program(*folders: str) -> str:
    """Digest of the code that takes facts: what an older program stored does not count.

    ``folders`` are further packages of patchgen whose code and data count.
    """
    package = Path(__file__).parents[2]
    files: list[Path] = []
    for folder in ("model", "source", "kernel", *folders):
        files += sorted((package / folder).rglob("*.py"))
        files += sorted((package / folder).rglob("*.toml"))
    return memo.digest(*(file.read_bytes() for file in files))


def _cached(key: str, task: Task, digests: Digests) -> Taken | None:
    """The facts for the present contents of the file and of what it included then.

    One file has as many sets of included files as there were states of its headers.
    """
    for includes in _known_includes(key):
        try:
            identity = memo.digest(key, digests.combined(includes, task.overrides))
        except UserError:
            continue  # what was included once is no file now
        data = memo.read("facts", identity)
        if data is None:
            continue
        try:
            return msgspec.msgpack.decode(data, type=Taken)
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _known_includes(key: str) -> tuple[tuple[str, ...], ...]:
    try:
        data = memo.read("includes", key) or b""
        return msgspec.msgpack.decode(data, type=tuple[tuple[str, ...], ...])
    except msgspec.DecodeError:
        return ()


def _remember_includes(key: str, includes: tuple[str, ...]) -> None:
    known = _known_includes(key)
    if includes not in known:
        memo.write("includes", key, msgspec.msgpack.encode((includes, *known)[:8]))


def _readable(tasks: list[Task]) -> list[Path]:
    """What the parses of some files may read: their trees, the overlays, a build folder."""
    found = {Path(os.path.realpath(task.root)) for task in tasks}
    found.update(Path(place) for task in tasks for place in task.config.reads)
    return [overlays(), *found]


def take(task: Task) -> Taken:
    """Parse one file and extract its facts (runs in a worker)."""
    snapshot = Snapshot(Path(task.root), task.overrides)
    source = snapshot.read(task.path)
    if source is None:
        raise UserError("no such file in the tree", task.path)
    if b"\0" in source:
        raise UserError("holds NUL bytes, so it is no C source", task.path)

    # clang holds no lock of the interpreter: the file's own tokens are made meanwhile.
    lexed: list[Tokens] = []
    lexer = threading.Thread(target=lambda: lexed.append(Tokens(source)))
    lexer.start()
    root = os.path.realpath(task.root)
    shapes: list[Shape] = []

    def asked(skipped: Sequence[Span]) -> list[int]:
        lexer.join()
        shapes.append(shape(lexed[0], skipped))
        return shapes[0].asked()

    try:
        unit = parse(
            Path(task.root), task.path, task.config, task.overrides,
            lambda header: _mentions_api(snapshot, root, header), asked,
        )  # fmt: skip
    finally:
        lexer.join()
    facts = extract(shapes[0], unit, task.names, memo.digest(source), task.tried)
    return Taken(facts, unit.headers, unit.includes)


#: In a worker: headers that do not mention the API, by absolute name.
_SILENT: dict[str, _Stamp] = {}
#: In a worker: what a text search of the tree found, if there was one.
_MENTIONING: list[frozenset[str]] = []


def _mentions_api(snapshot: Snapshot, root: str, header: str) -> bool:
    """Whether a header has a needle of the text search; each is read once a worker."""
    name = f"{root}/{header}"
    replaced = header in snapshot.overrides
    if _MENTIONING and not replaced and header.endswith((".c", ".h")):
        return header in _MENTIONING[0]
    stamp = None if replaced else _stamp(name)
    if stamp is not None and _SILENT.get(name) == stamp:
        return False
    data = snapshot.read(header) or b""
    found = any(needle in data for needle in _NEEDLES)
    if stamp is not None and not found:
        _SILENT[name] = stamp
    return found


_NEEDLES = tuple(needle.encode() for needle in NEEDLES)
