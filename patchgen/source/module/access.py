# SPDX-License-Identifier: GPL-2.0-only
"""The files that a module's Makefiles may look at: the module's own and the kernel's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside
from patchgen.source.config.overlay_config import evaluate, read_kconfig
from patchgen.source.config.overlay_inputs import Inputs
from patchgen.source.module.kernel import KernelDir
from patchgen.source.module.words import UNKNOWN

_LIMIT = 1 << 20  # of a Makefile
_ENTRIES = 50_000  # files and folders below a module's root
_DEPTH = 12
_SKIPPED = frozenset((".git", ".svn", ".hg", ".venv", "node_modules"))


class Access:
    """Reads below ``root`` and the ``kernel`` folders, by absolute path; nothing else."""

    def __init__(self, root: str, kernel: tuple[str, ...]) -> None:
        self.root = root
        self._roots = (root, *kernel)
        self._listed: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._options: dict[str, str] | None = None

    def _inside(self, path: str) -> tuple[str, str]:
        """The root that a path lies in, and the rest; "" where it lies in none."""
        path = os.path.normpath(path)
        for root in self._roots:
            if path == root or path.startswith(f"{root}/"):
                return root, path[len(root) + 1 :]
        return "", ""

    def covers(self, path: str) -> bool:
        """Whether a path lies below the module's root, links followed."""
        real = os.path.realpath(path)
        return path != "" and (real == self.root or real.startswith(f"{self.root}/"))

    def shown(self, path: str) -> str:
        """How people see a path."""
        return os.path.relpath(path, self.root) if f"{path}/".startswith(f"{self.root}/") else path

    def text(self, path: str) -> str | None:
        """A file's text; None where there is none that may be read.  UserError: too large."""
        root, rest = self._inside(path)
        if not rest:
            return None
        data = read_inside(root, rest, _LIMIT)
        return None if data is None else data.decode("utf-8", "replace").replace(UNKNOWN, "")

    def there(self, path: str) -> bool:
        """Whether something is there, anywhere."""
        try:
            return look.is_there(path)
        except OSError:
            return False

    def names(self, folder: str) -> tuple[str, ...]:
        """The names in a folder of the module or the kernel; none where it cannot be listed."""
        root, rest = self._inside(folder)
        if not root:
            return ()
        try:
            return (look.names_inside(root, rest or ".") or ())[:_ENTRIES]
        except UserError:
            return ()

    def _walk(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The folders below the module's root, and the files, as paths from there."""
        if self._listed is None:
            folders = [""]
            files: list[str] = []

            def skip(path: str) -> bool:
                return path.count("/") > _DEPTH or path.rpartition("/")[2] in _SKIPPED

            try:
                for count, entry in enumerate(look.below(self.root, skip)):
                    if count > _ENTRIES:
                        hint = "give --module the folder of the module alone"
                        raise UserError(f"more than {_ENTRIES} files", self.root, hint)
                    kind = folders if entry.kind == "folder" else files
                    kind.append(entry.path)
            except OSError as error:
                raise UserError(f"cannot be listed: {error.strerror}", self.root) from None
            self._listed = tuple(sorted(folders)), tuple(sorted(files))
        return self._listed

    def folders(self) -> Iterator[str]:
        """The folders below the module's root, those above first."""
        found = sorted(self._walk()[0], key=lambda path: (path.count("/") + bool(path), path))
        yield from (f"{self.root}/{path}".rstrip("/") for path in found)

    def sources(self, ending: str = ".c") -> Iterator[str]:
        """The sources below the module's root, as paths from there."""
        for path in self._walk()[1]:
            if path.endswith(ending) and path.isprintable():
                yield path

    def options(self, kernel: KernelDir) -> dict[str, str]:
        """The options of the kernel; of one that is not configured, those it is parsed with."""
        if kernel.build:
            return kernel.options
        if self._options is None:
            arch = kernel.arch or "x86"
            self._options = evaluate(read_kconfig(Inputs(Path(kernel.root)).read, arch), arch)
        return self._options
