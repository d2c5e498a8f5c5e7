# SPDX-License-Identifier: GPL-2.0-only
"""Patches → commits in a scratch repository, and their diffs as mails carry them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from patchgen.commits.fastimport import Entry, NewCommit, import_commits
from patchgen.commits.identity import Identity
from patchgen.commits.paths import check_path
from patchgen.commits.scratch import Scratch
from patchgen.commits.source import TreeSource, describe
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.model.plan import Patch
from patchgen.sandbox import look

Read = Callable[[str], bytes | None]
Known = dict[str, tuple[str, str]]

# The date of the frame's ``From <sha> Mon Sep 17 00:00:00 2001``, git's own stand-in.
NO_DATE = 1000684800

DIFF_OPTIONS = (
    "-p",
    "--stat=72",
    "--summary",
    "-M",
    "-U3",
    "--abbrev=12",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
)


class Commit(Value, frozen=True):
    """A patch as a commit: what its mail is made of.

    ``message`` is the full message without a trailing newline, ``date`` seconds
    since the epoch (written as UTC).  ``stat`` and ``diff`` are the bytes that
    ``git format-patch`` puts after ``---``: diffstat with summary, and the diff;
    neither depends on the commit's hash.
    """

    sha: str
    subject: str
    message: str
    author: Identity
    date: int
    stat: bytes
    diff: bytes
    paths: tuple[str, ...]
    recipe: str = ""
    note: str = ""


class CommittedSeries(Value, frozen=True):
    """The commits of a series, and what they stand on.

    ``base`` is the tree's commit, or "" for a plain folder and for a checkout in
    which touched files differ from its commit: those are in ``modified``.
    ``stat`` is the diffstat of the whole series.
    """

    commits: tuple[Commit, ...]
    base: str
    modified: tuple[str, ...]
    stat: bytes
    source: TreeSource


def parse_date(text: str) -> int:
    """Seconds since the epoch from a number of them or an ISO 8601 date (UTC if bare)."""
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        seconds = -1
    if seconds < 0:
        raise UserError(f"not a date: {text!r}", hint="seconds, or 2023-11-14T10:00:00+01:00")
    return seconds


def default_date(source: TreeSource) -> int:
    """The series' date, in seconds since the epoch, from the input alone.

    SOURCE_DATE_EPOCH if set, else the committer date of the tree's commit, else
    (a plain folder has no date that survives copying) git's stand-in date.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text:
        if not (text.isascii() and text.isdigit() and len(text) <= 11):
            raise UserError(f"SOURCE_DATE_EPOCH is no number of seconds: {text!r}")
        return parse_date(text)
    if not source.is_git:
        return NO_DATE
    with Scratch(source) as scratch:
        raw = scratch.git.run("cat-file", "commit", source.head)
    for line in raw.split(b"\n\n", 1)[0].splitlines():
        if line.startswith(b"committer "):
            return int(line.rsplit(b" ", 2)[1])
    return NO_DATE


def commit_patches(
    patches: Sequence[Patch],
    root: Path,
    read: Read,
    author: Identity,
    *,
    date: int | None = None,
    trailers: Sequence[str] = (),
    tags: Sequence[Sequence[str]] = (),
) -> CommittedSeries:
    """Make the patches commits, one on the other, on top of the tree at ``root``.

    ``read`` gives a file's bytes as the tree has them, or None when it is not
    there.  Patch *i* is dated ``date + i`` seconds (default: `default_date`), so
    the same input gives the same commits.  ``trailers`` are appended to every
    message, behind them ``tags[i]`` (reviews and tests) to patch *i*'s.  The tree is
    only read.
    """
    source = describe(root)
    start = default_date(source) if date is None else date
    paths = tuple(sorted({check_path(path) for patch in patches for path in patch.files}))
    old = {path: data for path in paths if (data := read(path)) is not None}
    with Scratch(source) as scratch:
        known = _entries(scratch, source, paths)
        modified = _modified(scratch, known, old) if source.is_git else ()
        modes = {path: known[path][0] for path in known} or _modes(root, paths)
        new = [
            NewCommit(
                message=_message(patch, (*trailers, *(tags[number] if tags else ()))),
                author=author,
                date=start + number,
                entries=_files(patch.files, modes),
            )
            for number, patch in enumerate(patches)
        ]
        base = source.head
        if not source.is_git or modified:
            changed = {path: data for path, data in old.items() if path in modified or not base}
            ground = NewCommit("base\n", author, start, _files(changed, modes))
            base = import_commits(scratch, [ground], parent=base)[0]
        shas = import_commits(scratch, new, parent=base)
        texts = _diffs(scratch, shas)
        total = _total(scratch, base, shas[-1]) if shas else b""
    commits = tuple(
        Commit(
            sha=sha,
            subject=patch.subject,
            message=commit.message.rstrip("\n"),
            author=author,
            date=commit.date,
            stat=stat,
            diff=diff,
            paths=tuple(sorted(patch.files)),
            recipe=patch.recipe,
            note=patch.note,
        )
        for sha, patch, commit, (stat, diff) in zip(shas, patches, new, texts, strict=True)
    )
    honest = "" if modified or not source.is_git else source.head
    return CommittedSeries(commits, honest, modified, total, source)


def _files(files: dict[str, bytes], modes: dict[str, str]) -> tuple[Entry, ...]:
    return tuple(Entry(path, modes.get(path, "100644"), files[path]) for path in sorted(files))


def _message(patch: Patch, trailers: Sequence[str]) -> str:
    message = patch.message.rstrip("\n")
    if not trailers:
        return message + "\n"
    last = message.rsplit("\n\n", 1)[-1]
    tagged = "\n\n" in message and all(_is_trailer(line) for line in last.splitlines())
    missing = [line for line in trailers if line not in last.splitlines()]
    return message + ("\n" if tagged else "\n\n") + "\n".join(missing) + "\n"


def _is_trailer(line: str) -> bool:
    key, colon, value = line.partition(": ")
    return bool(colon and value) and key.replace("-", "").isalnum()


def _entries(scratch: Scratch, source: TreeSource, paths: Iterable[str]) -> Known:
    """Mode and blob of each path in the tree's commit."""
    if not source.is_git:
        return {}
    out = scratch.git.run("--literal-pathspecs", "ls-tree", "-z", source.head, "--", *paths)
    found: Known = {}
    for record in out.split(b"\0")[:-1]:
        info, _, path = record.partition(b"\t")
        mode, kind, blob = info.decode().split()
        name = path.decode(errors="surrogateescape")
        if kind != "blob" or mode == "120000":
            raise UserError(f"is no regular file (mode {mode})", name)
        found[name] = (mode, blob)
    return found


def _modified(scratch: Scratch, known: Known, old: dict[str, bytes]) -> tuple[str, ...]:
    """Paths whose bytes in the folder are not those of the commit."""
    there = sorted(old)
    names = b"".join((_stored(scratch, number, old[path])) for number, path in enumerate(there))
    out = scratch.git.run("hash-object", "--no-filters", "--stdin-paths", stdin=names)
    blobs = dict(zip(there, out.decode().split(), strict=True))
    return tuple(
        path
        for path in sorted(set(known) | set(old))
        if known.get(path, ("", ""))[1] != blobs.get(path, "")
    )


def _stored(scratch: Scratch, number: int, data: bytes) -> bytes:
    file = scratch.path / f"old-{number}"
    file.write_bytes(data)
    return bytes(file) + b"\n"


def _modes(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Modes in a plain folder; what is no regular file cannot be patched."""
    modes = {}
    for path in paths:
        kind = look.kind(root / path)
        if kind not in ("file", ""):
            raise UserError("is no regular file", path)
        if kind:
            modes[path] = "100755" if look.is_executable(root / path) else "100644"
    return modes


def _diffs(scratch: Scratch, shas: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Diffstat and diff of each commit, in one run of git."""
    if not shas:
        return []
    ids = "".join(f"{sha}\n" for sha in shas).encode()
    out = scratch.git.run("diff-tree", "--stdin", "--root", "-r", *DIFF_OPTIONS, stdin=ids)
    texts: list[tuple[bytes, bytes]] = []
    rest = out
    for sha, after in zip(shas, [*shas[1:], ""], strict=True):
        rest = rest.removeprefix(sha.encode() + b"\n")
        # Lines of a diff start with a mark, never with a hash.
        part, _, rest = (
            rest.partition(b"\n" + after.encode() + b"\n") if after else (rest, b"", b"")
        )
        stat, _, diff = part.partition(b"\n\n")
        if not diff:
            raise UserError(f"patch {len(texts) + 1} of {len(shas)} changes nothing")
        texts.append((stat.lstrip(b"\n") + b"\n", diff.rstrip(b"\n") + b"\n"))
    return texts


def _total(scratch: Scratch, base: str, tip: str) -> bytes:
    return scratch.git.run(
        "diff-tree", "-r", "--stat=72", "--summary", "-M", "--no-ext-diff", base, tip
    )
