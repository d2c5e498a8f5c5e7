# SPDX-License-Identifier: GPL-2.0-only
"""Brings kernel trees in: from a path, from git, from Debian.

A tree is made aside in the folder of the fetched trees and renamed into place
when it is whole, together with a note of its origin.  A killed run leaves only a
``.part-`` folder, which the next run removes; concurrent runs wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import child, look
from patchgen.sandbox.reader import read_given
from patchgen.source.tree import fetch_debian, fetch_git, fetch_path, link, registry, search, unpack
from patchgen.source.tree.describe import Tree, describe

# Linux 7.2 takes 1.64 GB in files and 0.16 GB as a package; git needs more.
NEEDED_BYTES = 2_200_000_000
_ORIGIN = "origin.json"


class Origin(Value, frozen=True):
    """Where a fetched tree came from; ``size`` is the bytes in its files."""

    name: str
    source: str
    detail: str
    version: str
    size: int


def add(
    name: str,
    source: str = "",
    alias: str = "",
    report: child.Report = child.silent,
    base: Path | None = None,
) -> Tree:
    """Bring the tree ``name`` in and link it as ``kernel-tree/<alias or name>``.

    ``source`` is "git", "debian", a path, or "" for the first that works: the
    environment's path, git, Debian.  A tree that is there already is not fetched
    again.  Raises UserError with every source's reason when none works.
    """
    called = alias or name
    for word in (name, called):
        if not registry.is_name(word):
            raise UserError(f"{word!r} cannot name a tree", "", "letters, digits and . _ + -")
    entry = registry.load(base).tree.get(name)
    here = (base or registry.kernel_tree_dir()) / called
    given = Path(source) if source not in ("", *registry.SOURCES) else None
    if not source:
        given = fetch_path.from_environment(name)
    if given is None and not source and look.is_folder(here):
        tree = fetch_path.adopt(here, called, "" if alias else _series(entry))
        if origin(tree.path) is not None:
            _indexed(tree.path.resolve())
        return tree
    if given is not None:
        tree = fetch_path.adopt(given, called, "" if alias else _series(entry))
        link.point(here, tree.path)
        return tree
    if entry is None:
        known = ", ".join(registry.load(base).tree)
        raise UserError(f"unknown kernel tree {name}", "", f"known: {known}; or --from PATH")
    if entry.bundled:
        return registry.resolve(name, base)
    root = _first_that_works(name, entry, source, registry.load(base).git, report)
    try:
        link.point(here, root)
    except UserError:
        # Without the link the tree is still found by its own name.
        if alias:
            raise
    return describe(root, called)


def origin(root: Path) -> Origin | None:
    """The origin of the tree at ``root``, or None when it was not fetched."""
    try:
        data = read_given(root.resolve().parent / _ORIGIN) or b""
        return msgspec.json.decode(data, type=Origin)
    except (OSError, ValueError, RuntimeError, UserError, msgspec.ValidationError):
        return None


def _first_that_works(
    name: str, entry: registry.Entry, source: str, git: str, report: child.Report
) -> Path:
    wanted = [source] if source else list(registry.SOURCES)
    for kind in wanted:
        if look.is_folder(registry.fetched(name, kind)):
            return _indexed(registry.fetched(name, kind).resolve())
    reasons: list[str] = []
    for kind in wanted:
        getter = _getter(entry, kind, git, report)
        if getter is None:
            reasons.append(f"{kind}: not a source of this tree")
            continue
        try:
            return _store(name, kind, getter, _series(entry), report)
        except UserError as error:
            reasons.append(f"{kind}: {error}")
            if kind != wanted[-1]:
                report(f"not from {kind}: {error}", 0, 0)
    hint = f"patchgen tree add {name} --from PATH takes any kernel checkout"
    raise UserError(f"cannot get kernel tree {name}: " + "; ".join(reasons), "", hint)


def _indexed(root: Path) -> Path:
    """A fetched tree that is there, with the text search's memory beside it if it can be."""
    ours = root.parent.parent == registry.trees_dir().resolve()
    if ours and not search.is_indexed(root) and look.may_write(root.parent):
        search.index(root)
    return root


def _getter(
    entry: registry.Entry, kind: str, git: str, report: child.Report
) -> Callable[[Path], str] | None:
    """What fetches into a folder that is still to be made, or None."""
    debian = entry.debian
    if kind == "git" and entry.tag:
        url = os.environ.get("PATCHGEN_STABLE_GIT") or git
        return lambda into: fetch_git.fetch(url, entry.tag, into, report)
    if kind == "debian" and debian is not None:
        return lambda into: fetch_debian.fetch(debian, into, report)
    return None


def _store(
    name: str, kind: str, get: Callable[[Path], str], series: str, report: child.Report
) -> Path:
    """Fetch aside, look at what came, rename into place."""
    final = registry.fetched(name, kind)
    try:
        with _locked(name, kind, report):
            if look.is_folder(final):
                return final
            _require_space(registry.trees_dir())
            with _aside(name, kind) as part:
                detail = get(part / final.name)
                tree = describe(part / final.name, name)
                fetch_path.require_series(tree, series)
                size = unpack.survey(tree.path)
                note = Origin(name, kind, detail, tree.version, size)
                (part / _ORIGIN).write_bytes(msgspec.json.encode(note))
                report("indexing", 0, 0)
                search.index(tree.path)
                if look.is_there(final.parent):
                    unpack.remove(final.parent)
                part.rename(final.parent)
    except OSError as error:
        where = str(error.filename or registry.trees_dir())
        raise UserError(f"cannot store the tree: {error.strerror}", where) from None
    return final


@contextlib.contextmanager
def _locked(name: str, kind: str, report: child.Report) -> Iterator[None]:
    """Hold the lock of one tree; it is free again when its holder dies."""
    folder = registry.trees_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".lock-{name}-{kind}").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another patchgen", 0, 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _aside(name: str, kind: str) -> Iterator[Path]:
    """A new folder to work in; those that killed runs left are removed first."""
    prefix = f".part-{name}-{kind}-"
    for name_there in look.names(registry.trees_dir()):
        if name_there.startswith(prefix):
            unpack.remove(registry.trees_dir() / name_there)
    part = Path(tempfile.mkdtemp(prefix=prefix, dir=registry.trees_dir()))
    try:
        yield part
    finally:
        if look.is_there(part):
            unpack.remove(part)
    # Readable for the machine's other users, as any checkout is.
    final = registry.fetched(name, kind).parent
    final.chmod(0o777 & ~_umask())


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise UserError(
            f"{free / 1e9:.1f} GB free, a kernel tree needs {NEEDED_BYTES / 1e9:.1f} GB",
            str(folder),
            "free some, or set PATCHGEN_TREES to another folder",
        )


def _series(entry: registry.Entry | None) -> str:
    """The series that a listed tree belongs to, like "5.10"; "" for others."""
    text = (entry.tag or (entry.debian.package if entry.debian else "")) if entry else ""
    match = re.search(r"\d+\.\d+", text)
    return match[0] if match else ""
