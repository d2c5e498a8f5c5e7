# SPDX-License-Identifier: GPL-2.0-only
"""A module as the rules see it: its folder as the tree, the kernel's headers beside it.

Paths are those of the module's folder; a path ``include/…`` that the module has not is the
kernel's header.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from patchgen.kernel.api.surface import HEADER, Surface
from patchgen.model.base import Place, Span
from patchgen.model.outcome import Failed, UserError
from patchgen.source.config.flags import Outside, ParseConfig, outside
from patchgen.source.facts.digests import Digests
from patchgen.source.facts.interface import surface_of
from patchgen.source.facts.state import TreeState
from patchgen.source.module.access import Access
from patchgen.source.module.description import Module, Source
from patchgen.source.tree.describe import Tree
from patchgen.source.tree.snapshot import Snapshot


class ModuleState(TreeState):
    """The files of a module on disk, parsed as they are built against its kernel.

    ``arch`` is the kernel's name of the architecture.
    """

    everything = True

    def __init__(self, module: Module, arch: str) -> None:
        tree = Tree(module.root, Path(module.root).name, module.kernel.version, False)
        super().__init__(tree, None, None, arch)
        self.module = module
        self._arch = arch
        self._sources = {source.path: source for source in module.sources}
        self._headers = tuple(sorted(Access(module.root, ()).sources(".h")))
        self._watched = self._headers
        self.folders = tuple(dict.fromkeys(_folders(module)))
        self._kernel = Snapshot(Path(module.kernel.root))
        self._masked: dict[str, bytes] = {}
        self._macros: dict[str, str] = {}
        on: set[str] = set()
        off: set[str] = set()
        for name, value in module.settings:
            if name.startswith("CONFIG_"):
                (off if value in ("n", "") else on).add(name.removeprefix("CONFIG_"))
        self._on, self._off = frozenset(on), frozenset(off)

    def after(
        self,
        files: Mapping[str, bytes | None],
        followed: Mapping[str, frozenset[str]] | None = None,
    ) -> TreeState:
        """UserError: a module's files are only looked at."""
        raise UserError("changes to a module are not looked at", self.module.root)

    def defined(self, macros: Mapping[str, str]) -> None:
        """Macros that every source is parsed with; before the first parse."""
        self._macros = dict(macros)

    def read(self, path: str) -> bytes | None:
        """A file of the module; of ``include/``, else the kernel's header."""
        found = super().read(path)
        if found is None and path.startswith("include/"):
            return self._kernel.read(path)
        return found

    def owns(self, path: str) -> bool:
        """Whether a file is the module's, and no header of the kernel's."""
        return super().read(path) is not None

    def candidates(self) -> tuple[str, ...]:
        """The module's sources and headers."""
        return tuple(sorted({*self._sources, *self._headers}))

    def refused(self) -> tuple[tuple[str, str], ...]:
        """Nothing: what is not read of a module is told by its description."""
        return ()

    def expect_search(self) -> None:
        """Nothing is searched for."""

    def is_built(self, path: str) -> bool:
        """Whether the configuration is that of a build, which nothing turns."""
        return self.module.kernel.build != ""

    def config(
        self,
        path: str,
        arch: str | None = None,
        on: frozenset[str] = frozenset(),
        off: frozenset[str] = frozenset(),
    ) -> ParseConfig:
        """How a source of the module is parsed."""
        key = ("", path, arch or self._arch, on, off)
        if key not in self._configs:
            source = self._sources.get(path, Source(path, Path(path).stem, _NOWHERE))
            defines = (f"-D{name}={value}" for name, value in sorted(self._macros.items()))
            known = Outside(
                path, source.module, source.before, (*source.after, *defines, *self._options())
            )
            self._configs[key] = self._config(known, arch or self._arch, on, off)
        return self._configs[key]

    def _options(self) -> Iterable[str]:
        """Options that no Kconfig file of the kernel may know."""
        for name, value in self.module.settings:
            if name.startswith("CONFIG_") and value not in ("n", ""):
                yield f"-D{name}_MODULE=1" if value == "m" else f"-D{name}=1"

    def _config(
        self, source: Outside, arch: str, on: frozenset[str], off: frozenset[str]
    ) -> ParseConfig:
        kernel = self.module.kernel
        build = Path(kernel.build) if kernel.build else None
        on, off = (on | self._on) - off, (off | self._off) - on
        return outside(Path(kernel.root), build, arch, source, on, off, kernel.options)

    def surface(self) -> Surface:
        """The API of the kernel that the module is built against."""
        if self._surface is None:
            header = self._kernel.read(HEADER)
            if header is None:
                raise UserError("the kernel has no mmu notifier header", HEADER)

            def config(path: str, *, off: frozenset[str]) -> ParseConfig:
                on = frozenset() if off else frozenset({"MMU_NOTIFIER"})
                return self._config(Outside(path, "surface"), self._arch, on, off)

            self._surface = surface_of(header, config, Digests(self._kernel), self._kernel)
        return self._surface

    # -- what the preprocessor left -----------------------------------------

    def seen(self, path: str) -> bytes | None:
        """A file without what every parse of it skipped: blanks stand there instead."""
        if path not in self._masked:
            data = self.read(path)
            if data is None:
                return None
            self._masked[path] = masked(data, self._skipped(path))
        return self._masked[path]

    def _skipped(self, path: str) -> tuple[Span, ...]:
        """What no parse so far had active."""
        found: list[Sequence[Span]] = []
        for (source, *_), outcome in self._taken.items():
            if isinstance(outcome, Failed):
                continue
            if source == path:
                found.append(outcome.value.skipped)
            found += (use.skipped for use in outcome.value.headers if use.path == path)
        return common(found)


_NOWHERE = Place("", 0)


def _folders(module: Module) -> Iterable[str]:
    """The module's own include folders, as paths from its root."""
    for source in module.sources:
        for option, path in pairwise((*source.before, *source.after)):
            if option == "-I" and f"{path}/".startswith(f"{module.root}/"):
                yield path[len(module.root) + 1 :]


def common(lists: Sequence[Sequence[Span]]) -> tuple[Span, ...]:
    """The bytes that are in a span of each of some sorted lists."""
    if not lists:
        return ()
    found = list(lists[0])
    for other in lists[1:]:
        both: list[Span] = []
        first = second = 0
        while first < len(found) and second < len(other):
            start = max(found[first].start, other[second].start)
            end = min(found[first].end, other[second].end)
            if start < end:
                both.append(Span(start, end))
            if found[first].end < other[second].end:
                first += 1
            else:
                second += 1
        found = both
    return tuple(found)


def masked(data: bytes, spans: Iterable[Span]) -> bytes:
    """``data`` with blanks for some bytes; the lines stay where they are."""
    out = bytearray(data)
    for span in spans:
        part = data[span.start : span.end]
        out[span.start : span.end] = b"\n".join(b" " * len(row) for row in part.split(b"\n"))
    return bytes(out)
