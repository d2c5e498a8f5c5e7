# SPDX-License-Identifier: GPL-2.0-only
"""A tree in one state, with everything that can be asked of it, each thing once.

This is what recipes, rules and the proof see (:class:`patchgen.recipes.base.State`).
A state never changes; :meth:`TreeState.after` makes the one behind a patch.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from patchgen import memo
from patchgen.kernel.api.surface import HEADER, Surface
from patchgen.model.code import Function
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import Done, Failed, UserError, located
from patchgen.source.c.body import functions_in
from patchgen.source.c.definitions import Definitions
from patchgen.source.config.arch import arches_of
from patchgen.source.config.flags import ParseConfig, parse_config
from patchgen.source.config.overlay_inputs import describes_build
from patchgen.source.facts.digests import Digests
from patchgen.source.facts.interface import surface_of
from patchgen.source.facts.store import Taken, Task, facts_of, program
from patchgen.source.tree.describe import Tree
from patchgen.source.tree.snapshot import Snapshot

if TYPE_CHECKING:
    from patchgen.source.tree.search import Found

Job = tuple[str, str, frozenset[str], frozenset[str]]
"""A parse: path, architecture or "", options on, options off."""

_ConfigKey = tuple[str, str | None, frozenset[str], frozenset[str]]
_AnyConfigKey = tuple[str, str, str | None, frozenset[str], frozenset[str]]


def tried_as(arch: str, on: frozenset[str], off: frozenset[str]) -> str:
    """A configuration in words: ``x86 +KVM -NUMA``."""
    turned = [f"+{name}" for name in sorted(on)] + [f"-{name}" for name in sorted(off)]
    return " ".join([arch, *turned])


@functools.cache
def api_names() -> frozenset[str]:
    """Every name of the mmu notifier API, of all generations (no struct members)."""
    key = memo.digest("api-names", program())
    known: frozenset[str] | None = memo.recall("api", key, frozenset[str])
    if known is not None:
        return known
    from patchgen.kernel.api.descriptor import all_descriptors

    found = frozenset(
        item.name for known in all_descriptors() for item in known.items if "." not in item.name
    )
    memo.remember("api", key, sorted(found))
    return found


class TreeState:
    """One state of a tree: the disk, with the files that patches replaced.

    ``build_dir`` is a configured build folder whose flags are used, or None.
    """

    #: Whether facts are of all functions, not only of those that matter within their file.
    everything = False
    #: Folders of the tree in which the files look for headers of their own.
    folders: tuple[str, ...] = ()

    def __init__(
        self,
        tree: Tree,
        build_dir: Path | None = None,
        snapshot: Snapshot | None = None,
        arch: str | None = None,
    ) -> None:
        self.tree = tree
        self.root = Path(tree.root)
        self.build_dir = build_dir
        self.arch = arch
        self.snapshot = snapshot or Snapshot(self.root)
        self._followed: dict[str, frozenset[str]] = {}
        self._watched: tuple[str, ...] = ()
        self._functions: dict[str, tuple[Function, ...]] = {}
        self._taken: dict[_ConfigKey, Done[Taken] | Failed] = {}
        self._by_content: dict[str, tuple[Function, ...]] = {}
        self._definitions: dict[str, Definitions] = {}
        self._found: Found | None = None
        self._surface: Surface | None = None
        self._configs: dict[_AnyConfigKey, ParseConfig] = {}

    def after(
        self,
        files: Mapping[str, bytes | None],
        followed: Mapping[str, frozenset[str]] | None = None,
    ) -> TreeState:
        """The state in which ``files`` have been replaced.

        ``followed`` names functions by file; each parse of it keeps their bodies as the
        compiler sees them, in this state and in those behind it.
        """
        state = TreeState(self.tree, self.build_dir, self.snapshot.with_files(files), self.arch)
        state._found = self._found
        state._followed = dict(self._followed)
        for path, names in (followed or {}).items():
            state._followed[path] = state._followed.get(path, frozenset()) | names
        state._configs = self._configs
        state._by_content = self._by_content
        state._definitions = self._definitions
        state._digests = self._digests.beside(state.snapshot)
        state._watched = self._watched
        return state

    def watching(self, headers: Sequence[str]) -> TreeState:
        """The same state; each parse of it also tells what it skipped of ``headers``."""
        state = self.after({})
        state._watched = tuple(sorted(headers))
        return state

    @functools.cached_property
    def _digests(self) -> Digests:
        return Digests(self.snapshot)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file in this state; None where there is none."""
        return self.snapshot.read(path)

    def seen(self, path: str) -> bytes | None:
        """As :meth:`read`: what rules see of a file."""
        return self.read(path)

    def owns(self, path: str) -> bool:
        """Whether a file that can be read is the tree's own."""
        return True

    def candidates(self) -> tuple[str, ...]:
        """Sources that may mention the API (a text search over the disk), sorted."""
        added = (path for path, data in self.snapshot.overrides.items() if data is not None)
        found = self._search().paths
        return tuple(sorted({*found, *(p for p in added if p.endswith((".c", ".h")))}))

    def expect_search(self) -> None:
        """Begin to list the tree: :meth:`candidates` will be asked for soon."""
        from patchgen.source.tree.search import begin

        begin(self.root)

    def list_sources(self) -> None:
        """List and search the tree here: for the states made of this one, in forks as well.

        Where it cannot be listed, whoever asks for it says so.
        """
        from patchgen.source.tree.search import state_of

        with contextlib.suppress(UserError):
            self._search()
            state_of(self.root)

    def refused(self) -> tuple[tuple[str, str], ...]:
        """Entries of the tree that are not looked into: path and reason, sorted."""
        return self._search().refused

    def _search(self) -> Found:
        if self._found is None:
            from patchgen.source.tree.search import search  # no run on a few files needs it

            self._found = search(self.root)
        return self._found

    def paths_mentioning(self, *names: str) -> tuple[str, ...]:
        """Sources in which one of the identifiers occurs, comments apart or not, sorted."""
        pattern = re.compile(rb"\b(?:%s)\b" % b"|".join(re.escape(n.encode()) for n in names))
        return tuple(p for p in self.candidates() if pattern.search(self.read(p) or b""))

    def functions(self, path: str) -> tuple[Function, ...]:
        """All function definitions of a file, parsed; both branches of conditionals.

        UserError: there is no such file.
        """
        if path not in self._functions:
            source = self.read(path)
            if source is None:
                raise UserError("no such file in the tree", path)
            key = memo.digest(path, source)
            if key not in self._by_content:
                self._by_content[key] = functions_in(source, path)
            self._functions[path] = self._by_content[key]
        return self._functions[path]

    def definitions(self, path: str) -> Definitions:
        """The function definitions of a file by name, each parsed when it is asked for.

        UserError: there is no such file.
        """
        source = self.read(path)
        if source is None:
            raise UserError("no such file in the tree", path)
        key = memo.digest(path, source)
        if key not in self._definitions:
            self._definitions[key] = Definitions({path: source})
        return self._definitions[key]

    def generation(self) -> str:
        """Which API generation the tree has, and how it deviates from it, in words."""
        found = self.surface()
        key = memo.digest("generation", msgspec.msgpack.encode(found), program())
        known: str | None = memo.recall("api", key, str)
        if known is not None:
            return known
        from patchgen.kernel.api.check import identify

        said = str(identify(found))
        memo.remember("api", key, said)
        return said

    def surface(self) -> Surface:
        """The mmu notifier API as this state's header has it, in both CONFIG branches.

        Found once per content of the header, of what it includes, and configuration.
        UserError: there is no header, or it cannot be parsed.
        """
        if self._surface is None:
            header = self.read(HEADER)
            if header is None:
                text = "the tree has no mmu notifier header"
                raise UserError(text, HEADER, "is it a kernel tree?")
            self._surface = surface_of(header, self.config, self._digests, self.snapshot)
        return self._surface

    def config(
        self,
        path: str,
        arch: str | None = None,
        on: frozenset[str] = frozenset(),
        off: frozenset[str] = frozenset(),
    ) -> ParseConfig:
        """How a file is parsed: by the Makefiles and Kconfig files of this state."""
        given, identity = self._build_files
        key = (identity, path, arch or self.arch, on, off)
        if key not in self._configs:
            self._configs[key] = parse_config(
                self.root, path, arch or self.arch, on, off, self.build_dir, given
            )
        return self._configs[key]

    @functools.cached_property
    def _build_files(self) -> tuple[dict[str, bytes | None], str]:
        """What tells how files are built and is not as on the disk; its digest, "" for nothing."""
        given = {
            path: data
            for path, data in self.snapshot.overrides.items()
            if describes_build(path) and data != self._on_disk(path)
        }
        parts = [repr((path, given[path])) for path in sorted(given)]
        return given, memo.digest(*parts) if parts else ""

    def _on_disk(self, path: str) -> bytes | None:
        found = self.snapshot.file(path)
        return None if found is None else found.data

    def is_built(self, path: str) -> bool:
        """Whether a build's own flags are known for the file: one architecture, then."""
        return self.config(path).real

    def facts(self, path: str, arch: str | None = None) -> FileFacts:
        """Clang-checked facts of one file.

        UserError: the file is not there, or libclang crashed or hung on it.
        """
        outcome = self.facts_of([path], arch)[0]
        if isinstance(outcome, Failed):
            raise UserError(located(path, outcome.error))
        return outcome.value

    def facts_of(
        self, paths: Sequence[str], arch: str | None = None
    ) -> list[Done[FileFacts] | Failed]:
        """Facts of many files, parsed in parallel where they are not cached."""
        nothing: frozenset[str] = frozenset()
        outcomes = self.taken([(path, arch or "", nothing, nothing) for path in paths])
        return [o if isinstance(o, Failed) else Done(o.value.facts) for o in outcomes]

    def taken(self, jobs: Sequence[Job]) -> list[Done[Taken] | Failed]:
        """What each parse yields, in order; one that failed is not tried twice."""
        keys = [(path, arch or self._arch_of(path), on, off) for path, arch, on, off in jobs]
        wanted = [key for key in dict.fromkeys(keys) if key not in self._taken]
        made: list[_ConfigKey] = []

        def tasks() -> Iterator[Task]:
            for key in wanted:
                try:
                    task = self._task(*key)
                except UserError as error:
                    self._taken[key] = Failed(str(error))
                    continue
                made.append(key)
                yield task

        # Flags of a build folder name places outside the tree: all are asked for first.
        listed = tasks() if self.build_dir is None else [*tasks()]
        found = facts_of(listed, self._digests)
        self._taken.update(zip(made, found, strict=True))
        return [self._taken[key] for key in keys]

    def _arch_of(self, path: str) -> str | None:
        return self.arch or next(iter(arches_of(self.root, path)), None)

    def _task(self, path: str, arch: str | None, on: frozenset[str], off: frozenset[str]) -> Task:
        config = self.config(path, arch, on, off)
        tried = tried_as(config.arch, on, off)
        followed = tuple(sorted(self._followed.get(path, ())))
        return Task(
            str(self.root), path, config, api_names(), self.snapshot.overrides, tried, followed,
            self._watched, self.everything,
        )  # fmt: skip
