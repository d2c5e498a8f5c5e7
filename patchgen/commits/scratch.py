# SPDX-License-Identifier: GPL-2.0-only
"""The scratch repository: bare, outside the tree, gone afterwards.

It borrows the objects of a git tree through ``objects/info/alternates`` and holds
just the touched files of a plain folder.  Its skeleton is written by hand: a
``git init`` would copy a user's template folder, and costs a process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from patchgen.commits.git import Git
from patchgen.commits.source import TreeSource
from patchgen.memo import cache_dir
from patchgen.sandbox.aside import Aside

# The kernel's own .gitattributes, for the function names in hunk headers; a bare
# repository does not read the tree's.
_ATTRIBUTES = "*.c diff=cpp\n*.h diff=cpp\n"


class Scratch:
    """A context manager around one scratch repository; ``git`` runs in it."""

    def __init__(self, source: TreeSource) -> None:
        self.source = source
        self._aside = Aside(_parent(source))
        self.path = self._aside.path
        try:
            _skeleton(self.path, source)
        except BaseException:
            self.close()
            raise
        self.index = self.path / "index"
        self.git = Git(self.path, index=self.index)

    def close(self) -> None:
        self._aside.close()

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _parent(source: TreeSource) -> Path | None:
    """Where to work: the temporary folder, unless that lies inside the tree."""
    usual = Path(tempfile.gettempdir()).resolve()
    if not usual.is_relative_to(Path(source.root).resolve()):
        return None
    folder = cache_dir() / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _skeleton(path: Path, source: TreeSource) -> None:
    for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
        (path / folder).mkdir(parents=True)
    (path / "HEAD").write_text("ref: refs/heads/patchgen\n")
    config = "[core]\n\trepositoryformatversion = {}\n\tbare = true\n"
    if source.object_format == "sha1":
        (path / "config").write_text(config.format(0))
    else:
        extension = f"[extensions]\n\tobjectformat = {source.object_format}\n"
        (path / "config").write_text(config.format(1) + extension)
    (path / "info/attributes").write_text(_ATTRIBUTES)
    if source.is_git:
        alternates = quote_path(source.objects.encode(errors="surrogateescape")) + b"\n"
        (path / "objects/info/alternates").write_bytes(alternates)
        if source.shallow:
            (path / "shallow").write_bytes(source.shallow)


def quote_path(path: bytes) -> bytes:
    """``path`` as git's files take it: C-quoted when it holds an odd byte."""
    if not any(byte < 0x20 or byte in b'"\\' or byte >= 0x7F for byte in path):
        return path
    special = {0x22: b'\\"', 0x5C: b"\\\\"}
    quoted = b"".join(
        special.get(byte, b"\\%03o" % byte if byte < 0x20 or byte >= 0x7F else bytes([byte]))
        for byte in path
    )
    return b'"' + quoted + b'"'
