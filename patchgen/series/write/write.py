# SPDX-License-Identifier: GPL-2.0-only
"""A series as mails, ready for ``git am``, ``git send-email`` and ``b4``."""

from __future__ import annotations

import binascii
import re
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from patchgen import __version__
from patchgen.commits import git
from patchgen.commits.build import Commit, CommittedSeries
from patchgen.commits.identity import PLACEHOLDER, Identity
from patchgen.memo import digest
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.read.guard import check_text
from patchgen.series.write import headers
from patchgen.series.write.cover import Cover, cover_text
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.outgoing import write_folder

GENERATOR = f"patchgen {__version__}"

# RFC 5322, 2.1.1: longer lines are broken on the way.
_LONGEST_LINE = 998
_NAME_MAX = 64
_SUMMARY_MAX = 75


class Extra(Value, frozen=True):
    """What one patch's mail has beside its commit.

    ``note`` stands below the ``---`` (the changelog), ``to`` and ``cc`` beside the
    series' own.
    """

    note: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()


class SeriesFiles(Value, frozen=True):
    """The mails: file name → bytes, the cover letter first; and the folder."""

    folder: str
    files: dict[str, bytes]
    message_ids: tuple[str, ...]
    change_id: str


def write_series(
    series: CommittedSeries,
    cover: Cover,
    options: MailOptions,
    out: Path,
    *,
    extras: Sequence[Extra] = (),
    cover_people: Extra | None = None,
    force: bool = False,
) -> SeriesFiles:
    """Write the mails into the folder ``out``: all of them or nothing.

    ``out`` may be absent, empty, or (with ``force``) hold an earlier series of
    patchgen's; anything else is a UserError, as is a folder that cannot be written
    and a message that git would misread.
    """
    files = series_files(series, cover, options, str(out), extras=extras, cover_people=cover_people)
    write_folder(out, files.files, force=force)
    return files


def series_files(
    series: CommittedSeries,
    cover: Cover,
    options: MailOptions,
    folder: str = "",
    *,
    extras: Sequence[Extra] = (),
    cover_people: Extra | None = None,
) -> SeriesFiles:
    """The mails as bytes; the same input gives the same bytes.

    ``extras`` is what each patch's mail has beside its commit, ``cover_people`` who
    gets the cover letter beside the series' own recipients.
    """
    commits = series.commits
    if not commits:
        raise UserError("a series needs at least one patch")
    _check_subjects(commits)
    change_id = options.change_id or make_change_id(cover.title, commits)
    options = msgspec.structs.replace(options, change_id=change_id)
    sender = options.sender or commits[0].author
    body = cover_text(cover, commits, series.stat, change_id)
    check_text(body, "cover letter", in_cover=True)
    key = digest(change_id, headers.tag(options, 0, len(commits)), body)
    ids = [_message_id(options, 0, key, sender)]
    people = cover_people or Extra()
    prefix = f"v{options.version}-" if options.version > 1 else ""
    first = _mail(
        sha="0" * 40,
        ids=ids,
        parent=options.in_reply_to,
        sender=sender,
        date=commits[0].date,
        subject=f"{headers.tag(options, 0, len(commits))} {cover.title}",
        people=Extra(to=_joined(options.to, people.to), cc=_joined(options.cc, people.cc)),
        body=body.encode() + b"\n",
    )
    files = {f"{prefix}0000-cover-letter.patch": first}
    for number, commit in enumerate(commits, 1):
        extra = extras[number - 1] if extras else Extra()
        mail = _patch_mail(commit, number, len(commits), options, sender, extra, ids, key)
        files[file_name(prefix, number, commit.subject)] = mail
    return SeriesFiles(folder, files, tuple(ids), change_id)


def _patch_mail(
    commit: Commit,
    number: int,
    total: int,
    options: MailOptions,
    sender: Identity,
    extra: Extra,
    ids: list[str],
    key: str,
) -> bytes:
    """One patch's mail; its Message-ID is added to ``ids``."""
    subject, _, text = commit.message.partition("\n")
    where = f"patch {number}/{total}"
    if subject != commit.subject:
        raise UserError("the message does not begin with the subject", where)
    text = text.strip("\n")
    check_text(text, f"{where}, message")
    check_text(extra.note, f"{where}, note", in_cover=True)
    ids.append(_message_id(options, number, key, sender, commit))
    parts = []
    if commit.author != sender:
        parts.append(f"From: {commit.author}\n\n".encode())
    parts += [f"{text}\n".encode() if text else b"", b"---\n"]
    if extra.note:
        parts.append(extra.note.strip("\n").encode() + b"\n\n")
    parts += [commit.stat, b"\n", commit.diff]
    people = Extra(to=_joined(options.to, extra.to), cc=_joined(options.cc, extra.cc))
    return _mail(
        sha=commit.sha,
        ids=ids,
        parent=ids[0],
        sender=sender,
        date=commit.date,
        subject=f"{headers.tag(options, number, total)} {subject}",
        people=people,
        body=b"".join(parts),
    )


def _mail(
    *,
    sha: str,
    ids: Sequence[str],
    parent: str,
    sender: Identity,
    date: int,
    subject: str,
    people: Extra,
    body: bytes,
) -> bytes:
    """Header order and frame are those of ``git format-patch``."""
    head = [f"From {sha} Mon Sep 17 00:00:00 2001\n", f"Message-ID: <{ids[-1]}>\n"]
    if parent:
        head += [f"In-Reply-To: <{parent}>\n", f"References: <{parent}>\n"]
    head += [f"From: {headers.mailbox(sender)}\n", f"Date: {headers.date(date)}\n"]
    body += f"-- \n{git.version()}\n\n".encode()
    mime, body = _encoded(body)
    return b"".join(
        (
            "".join(head).encode(),
            headers.subject(subject),
            headers.addresses("To", people.to),
            headers.addresses("Cc", tuple(one for one in people.cc if one not in people.to)),
            f"X-Generated-By: {GENERATOR}\n".encode(),
            mime,
            b"\n",
            body,
        )
    )


def _encoded(body: bytes) -> tuple[bytes, bytes]:
    """MIME headers and the body, so that no mail transport rewrites it."""
    mime = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
    mime += "Content-Transfer-Encoding: {}\n"
    if b"\r" in body or b"\0" in body or any(len(one) > _LONGEST_LINE for one in body.split(b"\n")):
        return mime.format("quoted-printable").encode(), _quoted(body)
    if body.isascii():
        return b"", body
    return mime.format("8bit").encode(), body


def _quoted(body: bytes) -> bytes:
    """Quoted-printable in which carriage returns are data, not line ends."""
    lines = (binascii.b2a_qp(line, istext=False) for line in body.split(b"\n"))
    return b"\n".join(lines)


def _message_id(
    options: MailOptions,
    number: int,
    key: str,
    sender: Identity,
    commit: Commit | None = None,
) -> str:
    """Like b4's: ``<change-id>-v<version>-<number>-<digest>@<sender's host>``."""
    content = digest(key, commit.message, commit.diff) if commit else digest(key)
    stem = options.change_id.rpartition("-")[0] or options.change_id
    return f"{stem}-v{options.version}-{number}-{content[:12]}@{sender.domain}"


def make_change_id(title: str, commits: Sequence[Commit]) -> str:
    """``20231114-slug-0123456789ab`` as b4 makes it, here from the series alone."""
    day = datetime.fromtimestamp(commits[0].date, UTC).strftime("%Y%m%d")
    words = re.findall(r"[a-z0-9]+", title.lower())
    slug = textwrap.shorten(" ".join(words), 40, placeholder="").replace(" ", "-") or "series"
    return f"{day}-{slug}-{digest(title, *(commit.recipe for commit in commits))[:12]}"


def file_name(prefix: str, number: int, subject: str) -> str:
    """``0001-mm-say-so.patch``, as git names it."""
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", subject)
    slug = re.sub(r"\.+", ".", slug).lstrip("-")
    room = _NAME_MAX - len(".patch") - len(prefix) - len("0000-") - 1
    return f"{prefix}{number:04}-{slug[:room].rstrip('.-')}.patch"


def _joined(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _check_subjects(commits: Sequence[Commit]) -> None:
    seen: dict[str, int] = {}
    for number, commit in enumerate(commits, 1):
        where = f"patch {number}/{len(commits)}"
        if len(commit.subject) > _SUMMARY_MAX:
            raise UserError(f"the subject is over {_SUMMARY_MAX} columns: {commit.subject}", where)
        if commit.subject in seen:
            raise UserError(f"has the subject of patch {seen[commit.subject]}", where)
        seen[commit.subject] = number


def sender_or_placeholder(author: Identity | None) -> tuple[Identity, str]:
    """The author, or the placeholder and the line to print about it on stderr."""
    if author is not None:
        return author, ""
    hint = (
        "git has no identity here: mails are from a placeholder; git config user.name, user.email"
    )
    return PLACEHOLDER, hint
