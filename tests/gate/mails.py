# SPDX-License-Identifier: GPL-2.0-only
"""Mails by message id: from a folder of them, and from public-inbox repositories."""

from __future__ import annotations

import email
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from email.message import Message
from pathlib import Path

_ID = re.compile(rb"^message-id:\s*<([^>\s]+)>", re.IGNORECASE | re.MULTILINE)
_DIFF = re.compile(rb"^(?:diff --git |--- a/)", re.MULTILINE)


def file_name(message_id: str) -> str:
    """The name under which a mail is kept."""
    return re.sub(r"[^\w.@+-]", "_", message_id)[:180] + ".mail"


def gather(wanted: Collection[str], sources: Collection[Path], kept: Path) -> None:
    """Put the mails with ``wanted`` ids that ``sources`` have into the folder ``kept``.

    A source is a folder of mails, one a file, or a public-inbox git repository (bare, or with
    a ``.git``).  Raises OSError where a source cannot be read.
    """
    kept.mkdir(parents=True, exist_ok=True)
    missing = {name for name in wanted if not (kept / file_name(name)).exists()}
    for source in sources:
        if not missing:
            return
        for data in _mails(source):
            head = _ID.search(data.replace(b"\r\n", b"\n").split(b"\n\n", 1)[0])
            name = head[1].decode("ascii", "replace") if head else ""
            if name in missing:
                (kept / file_name(name)).write_bytes(data)
                missing.discard(name)


def _mails(source: Path) -> Iterator[bytes]:
    """All mails of a source."""
    repository = next((one for one in (source / ".git", source) if (one / "HEAD").is_file()), None)
    if repository is None:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                yield path.read_bytes()
        return
    git = ["git", f"--git-dir={repository}"]
    only = ["--objects", "--missing=allow-any", "--filter=object:type=blob"]
    ids = subprocess.run(
        [*git, "rev-list", "--all", *only], stdout=subprocess.PIPE, check=True
    ).stdout
    names = b"".join(line.split()[0] + b"\n" for line in ids.splitlines() if line)
    with tempfile.TemporaryFile() as file:
        file.write(names)
        file.seek(0)
        with subprocess.Popen(
            [*git, "cat-file", "--batch", "--buffer"], stdin=file, stdout=subprocess.PIPE
        ) as reader:
            assert reader.stdout is not None
            while head := reader.stdout.readline().split():
                if head[1] == b"missing":
                    continue
                data = reader.stdout.read(int(head[2]) + 1)[:-1]
                yield data
            if reader.wait():
                raise OSError(f"git cannot read {source}")


def diff_of(mail: bytes) -> bytes:
    """The diff of a mail, without what stands before it and without its signature; b"" for none."""
    text = _text(email.message_from_bytes(mail)).replace(b"\r\n", b"\n")
    start = _DIFF.search(text)
    if start is None:
        return b""
    return re.split(rb"^-- $", text[start.start() :], flags=re.MULTILINE)[0]


def _text(message: Message) -> bytes:
    """The text of a message's parts."""
    if message.is_multipart():
        parts = [part for part in message.get_payload() if isinstance(part, Message)]
        return b"\n".join(map(_text, parts))
    data = message.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
