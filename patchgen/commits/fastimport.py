# SPDX-License-Identifier: GPL-2.0-only
"""Commits through ``git fast-import``: any number of them in one process."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.commits.identity import Identity
from patchgen.commits.scratch import Scratch, quote_path
from patchgen.model.base import Value


class Entry(Value, frozen=True):
    """One file of a commit; ``mode`` as git writes it.

    ``data`` is its contents, or ``blob`` the hash of contents that the repository
    has; with neither the file is deleted.
    """

    path: str
    mode: str
    data: bytes | None = None
    blob: str = ""


class NewCommit(Value, frozen=True):
    """A commit to make; ``date`` in seconds since the epoch, ``zone`` as ``+0100``."""

    message: str
    author: Identity
    date: int
    entries: tuple[Entry, ...]
    zone: str = "+0000"


def import_commits(
    scratch: Scratch,
    commits: Sequence[NewCommit],
    *,
    parent: str = "",
    committer: tuple[Identity, int] | None = None,
) -> tuple[str, ...]:
    """Make the commits, each on the one before, the first on ``parent`` ("": none).

    Returns their hashes.  Without a ``committer`` (and the time, in seconds) it is
    the author at the author's date, so that the hashes depend on the input alone.
    """
    if not commits:
        return ()
    stream = [b"feature done\n"]
    for number, commit in enumerate(commits, 1):
        stream += _commit(number, commit, parent if number == 1 else f":{number - 1}", committer)
    stream += [b"get-mark :%d\n" % number for number in range(1, len(commits) + 1)]
    stream.append(b"done\n")
    out = scratch.git.run(
        "fast-import",
        "--quiet",
        "--force",
        "--date-format=raw",
        stdin=b"".join(stream),
        config=("fastimport.unpackLimit=0",),
    )
    return tuple(out.decode().split())


def _commit(
    number: int, commit: NewCommit, parent: str, committer: tuple[Identity, int] | None
) -> list[bytes]:
    author = f"{commit.author} {commit.date} {commit.zone}"
    by = f"{committer[0]} {committer[1]} +0000" if committer else author
    message = commit.message.encode(errors="surrogateescape")
    lines = [
        b"commit refs/heads/patchgen\nmark :%d\n" % number,
        f"author {author}\ncommitter {by}\n".encode(errors="surrogateescape"),
        b"data %d\n%s\n" % (len(message), message),
    ]
    lines.append(f"from {parent}\n".encode() if parent else b"deleteall\n")
    for entry in commit.entries:
        path = quote_path(entry.path.encode(errors="surrogateescape"))
        if entry.blob:
            lines.append(f"M {entry.mode} {entry.blob} ".encode() + path + b"\n")
            continue
        if entry.data is None:
            lines.append(b"D %s\n" % path)
            continue
        header = b"M %s inline %s\ndata %d\n" % (entry.mode.encode(), path, len(entry.data))
        lines += [header, entry.data, b"\n"]
    return [*lines, b"\n"]
