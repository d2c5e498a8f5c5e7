# SPDX-License-Identifier: GPL-2.0-only
"""Facts of files, taken once per content: of the file and of all it includes.

By configuration, path and content of a file the lists of files are found that its
parses included; with the contents of these the facts (:mod:`patchgen.source.facts.records`).
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.model.base import Span, Value
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import Done, Failed, UserError
from patchgen.sandbox.confine import confine
from patchgen.sandbox.reader import changed
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.clang import pool
from patchgen.source.clang.looks import Looks, Seen
from patchgen.source.clang.trees import Tree
from patchgen.source.clang.unit import HeaderUse, parse, settle
from patchgen.source.config.flags import ParseConfig
from patchgen.source.config.overlay import overlays
from patchgen.source.facts import records
from patchgen.source.facts.digests import Digests
from patchgen.source.facts.extract import Shape, extract, shape
from patchgen.source.tree.snapshot import Snapshot


class Task(Value, frozen=True):
    """One file to take facts of, under one configuration.

    ``followed`` are functions whose bodies are wanted as the compiler sees them, ``watched``
    headers of which it is wanted what was skipped, whether they mention the API or not.
    ``everything``: facts of all functions, not only of those that matter in the file alone.
    """

    root: str
    path: str
    config: ParseConfig
    names: frozenset[str]
    overrides: dict[str, bytes | None]
    tried: str = ""
    followed: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    everything: bool = False


class Taken(Value, frozen=True):
    """What one parse yields: the file's facts, and its headers that mention the API.

    ``skipped`` is what the preprocessor left out of the file.
    """

    facts: FileFacts
    headers: tuple[HeaderUse, ...]
    includes: tuple[str, ...]
    trees: tuple[Tree, ...] = ()
    skipped: tuple[Span, ...] = ()


class Parsed(Value, frozen=True):
    """What a worker answers: the facts, and what they rest on."""

    taken: Taken
    seen: Seen


def facts_of(
    tasks: Iterable[Task], digests: Digests, workers: int = 0
) -> list[Done[Taken] | Failed]:
    """Facts for every task, in order: from the cache, or by parsing in workers.

    ``tasks`` may be made while the first are parsed; then all that their parses read
    lies in the tree and the cache.  Failed: the file is not there, it or what it includes
    changed meanwhile, or libclang crashed or hung on it.
    """
    results: dict[int, Done[Taken] | Failed] = {}
    owns: dict[int, str] = {}
    chosen: list[tuple[int, Task]] = []
    given = list(tasks) if isinstance(tasks, Sequence) else []

    def missing() -> Iterator[Task]:
        for number, task in enumerate(given or tasks):
            try:
                owns[number] = digests.of(task.path, task.overrides)
                data = records.recall("facts", _key(task, owns[number]), digests, task.overrides)
            except UserError as error:
                results[number] = Failed(str(error))
                continue
            hit: Taken | None = None if data is None else memo.decoded(data, Taken)
            if hit is None:
                chosen.append((number, task))
                yield task
            else:
                results[number] = Done(hit)

    def prepare() -> None:
        _LOOKS.append(digests.looks())
        settle()
        confine(_readable(given or [task for _, task in chosen]))

    for index, answer in pool.run(take, missing(), workers, prepare=prepare):
        number, task = chosen[index]
        if isinstance(answer, Failed):
            results[number] = answer
            continue
        try:
            results[number] = Done(_stored(answer.value, task, owns[number], digests))
        except UserError as error:
            results[number] = Failed(str(error))
        except RecursionError:
            results[number] = Failed(f"{task.path}: nested too deeply to be analysed")
    digests.save()
    return [results[number] for number in sorted(results)]


def _key(task: Task, own: str) -> str:
    names = ",".join(sorted(task.names))
    parts = (*task.followed, "\0watched", *task.watched) if task.watched else task.followed
    parts += ("\0everything",) if task.everything else ()
    return memo.digest(program(), task.config.key, task.path, own, names, *parts)


def _stored(parsed: Parsed, task: Task, own: str, digests: Digests) -> Taken:
    """The facts with their identity, in the cache from now on.

    UserError: the parse saw a file in another state than this run did before.
    """
    if parsed.taken.facts.digest != own:
        raise changed(task.path)
    digests.learn(parsed.seen)
    key = _key(task, own)
    identity = records.identity(key, parsed.seen, digests, task.overrides)
    facts = msgspec.structs.replace(parsed.taken.facts, digest=identity)
    taken = msgspec.structs.replace(parsed.taken, facts=facts)
    # Of a module's kernel it is not known which names were looked for and not found.
    lost = task.everything and any(d.text.endswith("file not found") for d in facts.diagnostics)
    if parsed.seen.settled and not lost:
        data = msgspec.msgpack.encode(taken)
        records.remember("facts", key, parsed.seen, digests, task.overrides, data)
    return taken


@functools.cache
def program(*folders: str) -> str:
    """Digest of the code that takes facts: what an older program stored does not count.

    ``folders`` are further packages of patchgen whose code and data count.
    """
    return memo.digest(*(_code(folder) for folder in ("model", "source", "kernel", *folders)))


@functools.cache
def _code(folder: str) -> str:
    """Digest of a package of patchgen, in the order of its files' paths."""
    top = f"{Path(__file__).parents[2]}/{folder}"
    listed = (f"{at}/{name}" for at, _, names in os.walk(top) for name in names)
    files = sorted(name for name in listed if name.endswith((".py", ".toml")))
    return memo.digest(*(Path(file).read_bytes() for file in files))


def _readable(tasks: list[Task]) -> list[Path]:
    """What the parses of some files may read: their trees, the overlays, a build folder."""
    found = {Path(os.path.realpath(task.root)) for task in tasks}
    found.update(Path(place) for task in tasks for place in task.config.reads)
    return [overlays(), *found]


#: In a worker: what it knows of the tree.
_LOOKS: list[Looks] = []


def take(task: Task) -> Parsed:
    """Parse one file and extract its facts (runs in a worker)."""
    source = Snapshot(Path(task.root), task.overrides).read(task.path)
    if source is None:
        raise UserError("no such file in the tree", task.path)
    if b"\0" in source:
        raise UserError("holds NUL bytes, so it is no C source", task.path)

    # clang holds no lock of the interpreter: the file's own tokens are made meanwhile.
    tokens: list[Tokens] = []
    lexer = threading.Thread(target=lambda: tokens.append(lexed(source)))
    lexer.start()
    shapes: list[Shape] = []

    def asked(skipped: Sequence[Span]) -> list[int]:
        lexer.join()
        shapes.append(shape(tokens[0], skipped))
        return shapes[0].asked()

    def followed() -> list[tuple[str, int]]:
        starts = shapes[0].tokens.starts
        found = [one for one in shapes[0].outlines if one.name in task.followed]
        return [(one.name, starts[one.body_at]) for one in found]

    # clang is given the bytes that the tokens are of: the file may change in between.
    given = {**task.overrides, task.path: source}
    try:
        unit = parse(Path(task.root), task.path, task.config, given, _LOOKS[-1], asked, followed,
                     task.watched)  # fmt: skip
    finally:
        lexer.join()
    facts = extract(shapes[0], unit, task.names, memo.digest(source), task.tried, task.everything)
    if unit.seen is None:
        raise AssertionError("somebody looked")
    taken = Taken(facts, unit.headers, unit.includes, unit.trees, unit.skipped)
    return Parsed(taken, unit.seen)
