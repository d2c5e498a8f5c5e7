# SPDX-License-Identifier: GPL-2.0-only
"""Reading any series: in order, whole, of one version, or refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

from patchgen.commits.patchset import CoverMail, ReadPatch, Series
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.read.body import has_diff, read_patch
from patchgen.series.read.mail import Mail, decode
from patchgen.series.read.sources import RawMail, read_mails
from patchgen.series.subject import Subject, parse_subject

_BASE = re.compile(r"^base-commit: ([0-9a-f]{7,64})$", re.MULTILINE)
_CHANGE_ID = re.compile(r"^change-id: (\S+)$", re.MULTILINE)
_FILE_NUMBER = re.compile(r"(?:v\d+-)?(\d{4})-")


class _Numbered(Value, frozen=True):
    """A mail and the place that its subject gives it."""

    mail: Mail
    subject: Subject
    number: int


def read_series(
    source: str | Path | Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    version: int | None = None,
    allow: Collection[str] = (),
) -> Series:
    """The series in ``source``: an mbox, a maildir, a folder, files, ``-`` for stdin.

    Mails are put in order by their n/m.  A cover letter is set aside, replies and
    identical duplicates are dropped (``notes`` says so); a gap, two versions (unless
    ``version`` picks one), different mails with one number, and every mail that git
    would read otherwise than a person are a UserError.  A single mail on stdin may
    be one of a series (``partial``).  ``allow`` names paths for which odd modes and
    control characters are let through.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    notes: list[str] = []
    mails = _numbered(read_mails(sources, stdin), version, notes)
    one = len(mails) == 1 and sources == ["-"]
    found, total = _whole(mails, notes, partial=one)
    cover = found.pop(0, None)
    patches = tuple(read_patch(found[number].mail, number, allow) for number in sorted(found))
    if not patches:
        raise UserError("a cover letter alone: no patch", mails[0].mail.where)
    text = _text(cover.mail) if cover else ""
    everything = text + "\n" + "\n".join(_text(found[number].mail) for number in sorted(found))
    base, change_id = _BASE.search(everything), _CHANGE_ID.search(everything)
    return Series(
        patches=patches,
        version=mails[0].subject.version,
        total=total,
        cover=_cover(cover, text) if cover else None,
        base=base[1] if base else "",
        change_id=change_id[1] if change_id else "",
        partial=one and total > 1,
        notes=tuple(notes),
    )


def _cover(cover: _Numbered, text: str) -> CoverMail:
    message_id = cover.mail.headers.get("message-id", b"").decode(errors="replace")
    return CoverMail(cover.subject.summary, text, message_id.strip("<> "))


def _text(mail: Mail) -> str:
    return mail.body.decode(errors="replace")


def _numbered(raw: Sequence[RawMail], version: int | None, notes: list[str]) -> list[_Numbered]:
    """Decode; drop replies; give every mail its number."""
    mails: list[tuple[Mail, Subject]] = []
    for one in raw:
        mail = decode(one)
        subject = parse_subject(mail.headers["subject"])
        if subject.reply:
            notes.append(f"{mail.where}: a reply, set aside: {subject.text!a}")
        elif version is not None and subject.version != version:
            notes.append(f"{mail.where}: version {subject.version}, set aside")
        else:
            mails.append((mail, subject))
    if not mails:
        raise UserError("no patch among the mails", raw[0].where)
    versions = sorted({subject.version for _, subject in mails})
    if len(versions) > 1:
        both = " and ".join(f"v{one}" for one in versions)
        raise UserError(f"the mails mix {both}", mails[0][0].where, "pick one version")
    plain = [mail for mail, subject in mails if subject.number is None]
    if plain and len(mails) > 1:
        return _by_file_name(mails, plain, notes)
    return [
        _Numbered(mail, subject, 1 if subject.number is None else subject.number)
        for mail, subject in mails
    ]


def _by_file_name(
    mails: list[tuple[Mail, Subject]], plain: list[Mail], notes: list[str]
) -> list[_Numbered]:
    """Mails of ``format-patch -N``: only their files' names hold their order."""
    names = [_FILE_NUMBER.match(Path(mail.where).name) for mail, _ in mails]
    if len(plain) < len(mails) or not all(names):
        raise UserError(
            "the mail is not numbered n/m, and the series cannot be shown to be whole",
            plain[0].where,
            "write it with git format-patch -n",
        )
    notes.append("the mails are not numbered: ordered by the numbers of their files")
    return [
        _Numbered(mail, subject, int(name[1]))
        for (mail, subject), name in zip(mails, names, strict=True)
        if name
    ]


def _whole(
    mails: list[_Numbered], notes: list[str], *, partial: bool
) -> tuple[dict[int, _Numbered], int]:
    """Number → mail, shown to be 1..n; and n."""
    totals = sorted({one.subject.total for one in mails if one.subject.total is not None})
    if len(totals) > 1:
        raise UserError(f"the mails count to {totals[0]} and to {totals[1]}", mails[0].mail.where)
    found: dict[int, _Numbered] = {}
    for one in mails:
        other = found.setdefault(one.number, one)
        if other is one:
            continue
        if _content(one) != _content(other):
            raise UserError(
                f"a second, different mail with number {one.number}",
                one.mail.where,
                f"the first is {other.mail.where}",
            )
        notes.append(f"{one.mail.where}: identical to {other.mail.where}, dropped")
    total = totals[0] if totals else max(found)
    for number, one in found.items():
        if number > total:
            raise UserError(f"patch {number} of {total}", one.mail.where)
    if 0 in found and has_diff(found[0].mail):
        raise UserError("a diff in the cover letter", found[0].mail.where)
    missing = [str(number) for number in range(1, total + 1) if number not in found]
    if missing and not partial:
        raise UserError(
            f"the series is not whole: {', '.join(missing[:10])} of {total} missing",
            mails[0].mail.where,
        )
    return found, total


def _content(one: _Numbered) -> tuple[str, bytes, bytes, bytes]:
    headers = one.mail.headers
    # A list's footer stands behind the signature.
    body = re.split(rb"^-- $", one.mail.body, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
    return one.subject.text, headers["from"], headers["date"], body


__all__ = ["ReadPatch", "Series", "read_series"]
