# SPDX-License-Identifier: GPL-2.0-only
"""Which files of a tree contain given strings: a fast text search with a memory.

``find`` lists sources with size and time stamps (0.2 s for a kernel); only files
whose stamp is new are searched, by ``grep`` on all processors.  A tree that patchgen
fetched has a first memory beside it, made when it was unpacked.  Links that lead out
of the tree are not followed; they and all else that is not read are listed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from patchgen import memo
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import child, look
from patchgen.sandbox.reader import SIZE_LIMIT
from patchgen.source.tree.registry import trees_dir
from patchgen.source.tree.searched import NEEDLES, NOT_SEARCHED


class Found(Value, frozen=True):
    """``paths`` contain a needle; ``refused`` were not looked into: path and reason.

    All are relative to the tree and sorted.  Bytes of a refused name that are no
    UTF-8 are surrogates (os.fsdecode).
    """

    paths: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


#: The memory of a fetched tree, in the folder that the tree lies in; of these needles.
_FIRST = f"search-{memo.digest(str(memo.VERSION), *NEEDLES)[:12]}.memory"


class _Memory(msgspec.Struct):
    stamps: dict[str, str]
    hits: list[str]


def candidates(root: Path, needles: tuple[str, ...] = NEEDLES) -> tuple[str, ...]:
    """The ``.c`` and ``.h`` files of a tree that contain a needle."""
    return search(root, needles).paths


def search(root: Path, needles: tuple[str, ...] = NEEDLES) -> Found:
    """The ``.c`` and ``.h`` files that contain a needle, and what was not looked into.

    UserError: the tree cannot be listed, or a file of it cannot be read.
    """
    stamps, refused = _stamps(root)
    _LISTED.clear()
    _LISTED[os.path.realpath(root)] = stamps
    return Found(_hits(root, stamps, needles), tuple(sorted(refused.items())))


def index(root: Path) -> None:
    """Search a tree that is being fetched, and keep the memory beside it.

    UserError: as :func:`search`.
    """
    stamps, _ = _stamps(root)
    hits = sorted(grep(root, list(stamps), NEEDLES))
    memory = msgspec.msgpack.encode(_Memory(stamps, hits))
    memo.write_sealed(root.parent / _FIRST, _FIRST, memory)


#: Seconds that a listing or a search of a whole tree may take.
_PATIENCE = 600.0
#: The sources of the tree that this process listed last.
_LISTED: dict[str, dict[str, str]] = {}


def listed(root: Path) -> dict[str, str]:
    """The sources of a tree with their stamps, as this process listed them last.

    UserError: the tree cannot be listed.
    """
    real = os.path.realpath(root)
    if real not in _LISTED:
        stamps, _ = _stamps(root)
        _LISTED.clear()
        _LISTED[real] = stamps
    return _LISTED[real]


#: Of a listing its digest.
_STATES: dict[str, tuple[dict[str, str], str]] = {}


def state_of(root: Path) -> str:
    """A digest of what :func:`listed` says of a tree.  UserError: as there."""
    real, stamps = os.path.realpath(root), listed(root)
    known = _STATES.get(real)
    if known is None or known[0] is not stamps:
        said = "\0".join(f"{path} {stamp}" for path, stamp in stamps.items())
        _STATES.clear()
        known = _STATES[real] = (stamps, memo.digest(os.fsencode(real), said))
    return known[1]


def is_indexed(root: Path) -> bool:
    """Whether :func:`index` was called for a fetched tree."""
    return look.is_file(root.parent / _FIRST)


def _hits(root: Path, stamps: dict[str, str], needles: tuple[str, ...]) -> tuple[str, ...]:
    key = memo.digest(os.fsencode(os.path.realpath(root)), *needles)
    before = _remembered(key) or _first(root, needles)
    if before.stamps == stamps:
        return tuple(before.hits)
    changed = [path for path, stamp in stamps.items() if before.stamps.get(path) != stamp]
    kept = {path for path in before.hits if before.stamps.get(path) == stamps.get(path)}
    hits = sorted(kept | grep(root, changed, needles))
    memo.remember("search", key, _Memory(stamps, hits))
    return tuple(hits)


def _remembered(key: str) -> _Memory | None:
    known: _Memory | None = memo.recall("search", key, _Memory)
    return known


def _first(root: Path, needles: tuple[str, ...]) -> _Memory:
    """What was found when the tree was fetched; only where we fetched it ourselves."""
    real = Path(os.path.realpath(root))
    ours = Path(os.path.realpath(trees_dir()))
    if needles == NEEDLES and real.parent.parent == ours:
        data = memo.read_sealed(real.parent / _FIRST, _FIRST)
        known: _Memory | None = None if data is None else memo.decoded(data, _Memory)
        if known is not None:
            return known
    return _Memory({}, [])


class _Listing(NamedTuple):
    """``find`` at work on a tree."""

    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    opened: contextlib.ExitStack
    owner: int

    def fields(self, root: Path) -> list[str]:
        """What it printed, once it is done."""
        with self.opened:
            status = self.process.wait(_PATIENCE)
            self.out.seek(0)
            self.err.seek(0)
            if status:
                lines = os.fsdecode(self.err.read()).strip().splitlines()
                reason = lines[-1] if lines else f"find ended with status {status}"
                raise UserError(f"cannot list the tree: {reason}", str(root))
            return os.fsdecode(self.out.read()).split("\0")


_BEGUN: dict[str, _Listing] = {}


def begin(root: Path) -> None:
    """List a tree now, since :func:`search` will be asked for it soon."""
    real = os.path.realpath(root)
    if real not in _BEGUN:
        _BEGUN[real] = _list(root)


def _list(root: Path) -> _Listing:
    prune: list[str] = []
    for folder in NOT_SEARCHED:
        prune += ["-path", f"./{folder}", "-prune", "-o"]
    command = ["find", ".", *prune, "(", "-type", "l", "-o", "-name", "*.[ch]", ")"]
    command += ["-printf", r"%y\0%P\0%s\0%T@ %C@ %i\0"]
    # In other locales * does not match bytes that are no text.
    env = {**os.environ, "LC_ALL": "C"}
    # Files, not pipes: it lists on while nobody reads.
    with contextlib.ExitStack() as opened:
        out, err = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        process = opened.enter_context(
            child.started(command, cwd=root, env=env, stdout=out, stderr=err)
        )
        return _Listing(process, out, err, opened.pop_all(), os.getpid())


def _stamps(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The sources with their stamps, and what is refused with the reason."""
    real = os.path.realpath(root)
    listing = _BEGUN.pop(real, None)
    if listing is None or listing.owner != os.getpid():  # a fork cannot wait for it
        listing = _list(root)
    fields = listing.fields(root)
    stamps: dict[str, str] = {}
    refused: dict[str, str] = {}
    for kind, path, size, times in zip(*(fields[i::4] for i in range(4)), strict=False):
        reason = _refusal(real, kind, path, int(size))
        if reason:
            refused[path] = reason
        elif kind == "f":
            stamps[path] = f"{size} {times}"
    return stamps, refused


def _refusal(real: str, kind: str, path: str, size: int) -> str:
    """Why an entry is not read; "" for a source, and for what holds no sources."""
    source = path.endswith((".c", ".h"))
    if kind == "d":
        return ""
    if kind == "l":
        # A link that stays inside leads to a source that is listed itself.
        full = os.path.realpath(f"{real}/{path}")
        outside = not full.startswith(f"{real}/") and full != real
        leads_to_sources = source or look.is_folder(full)
        return "symbolic link leads out of the tree" if outside and leads_to_sources else ""
    if kind != "f":
        return "not a regular file"
    if not path.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in path):
        return "the name is no UTF-8"
    if size > SIZE_LIMIT:
        return f"{size >> 20} MiB, larger than the {SIZE_LIMIT >> 20} MiB that are read"
    return ""


def grep(root: Path, paths: list[str], needles: tuple[str, ...]) -> set[str]:
    """Which of some files of the tree contain one of the strings.

    UserError: one of them cannot be read.
    """
    if not paths:
        return set()
    patterns = [word for needle in needles for word in ("-e", needle)]
    command = ["xargs", "-0", "-r", "-P", str(os.cpu_count() or 1), "-n", "4000"]
    command += ["grep", "--line-buffered", "-lZF", *patterns, "--"]
    if shutil.which("grep") is None:
        raise UserError("this machine has no program grep")
    given = b"".join(os.fsencode(path) + b"\0" for path in paths)
    env = {**os.environ, "LC_ALL": "C"}
    try:
        done = child.answer(command, cwd=root, given=given, env=env, seconds=_PATIENCE)
    except TimeoutError as error:
        raise UserError(f"cannot be searched: {error}", str(root)) from None
    # grep's 1 (no hit in a batch) comes back as xargs' 123; 2 (unreadable file) too.
    if done.err.strip():
        raise UserError(os.fsdecode(done.err).strip().splitlines()[0], str(root))
    return {os.fsdecode(name) for name in done.out.split(b"\0") if name}
