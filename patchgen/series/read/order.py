# SPDX-License-Identifier: GPL-2.0-only
"""Which mail is which patch of its series, and whether the series is whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.read.bare import DIFF
from patchgen.series.read.body import has_diff
from patchgen.series.read.mail import Mail, decode, subject_of
from patchgen.series.read.sources import RawMail
from patchgen.series.subject import Subject, parse_subject

_FILE_NUMBER = re.compile(r"(?:v\d+-)?(\d{4})-")


class Numbered(Value, frozen=True):
    """A mail and the place that its subject gives it."""

    mail: Mail
    subject: Subject
    number: int


def numbered(raw: Sequence[RawMail], version: int | None, notes: list[str]) -> list[Numbered]:
    """Decode; drop replies; give every mail its number.

    ``notes`` gets what was set aside.  UserError: two versions, or no order.
    """
    if all(one.binding for one in raw):
        return [_listed(decode(one), one.place) for one in raw]
    mails: list[tuple[Mail, Subject, int]] = []
    for one in raw:
        subject = parse_subject(subject_of(one.data))
        if subject.reply and len(raw) > 1:  # in whatever form it is
            notes.append(f"{one.where}: a reply, set aside: {subject.text!a}")
        elif version is not None and subject.version != version:
            notes.append(f"{one.where}: version {subject.version}, set aside")
        elif subject.number is None and len(raw) > 1 and not _may_hold_a_diff(one):
            notes.append(f"{one.where}: no patch, set aside: {subject.text!a}")
        else:
            mail = decode(one)
            mails.append((mail, _subject(mail), one.place))
    if not mails:
        hint = "replies quote patches: name the mails that they answer"
        raise UserError("no patch among the mails", raw[0].where, hint)
    versions = sorted({subject.version for _, subject, _ in mails})
    if len(versions) > 1:
        both = " and ".join(f"v{one}" for one in versions)
        hint = "pick one version: verify and am take --only-version"
        raise UserError(f"the mails mix {both}", mails[0][0].where, hint)
    plain = [mail for mail, subject, _ in mails if subject.number is None]
    if plain and len(mails) > 1:
        return _by_file(mails, plain, notes)
    return [
        Numbered(mail, subject, 1 if subject.number is None else subject.number)
        for mail, subject, _ in mails
    ]


def _may_hold_a_diff(raw: RawMail) -> bool:
    """Whether a mail holds a diff as it stands, or may hold one in another form."""
    try:
        return has_diff(decode(raw))
    except UserError:  # a robot's page of html
        return bool(DIFF.search(raw.data)) or b"base64" in raw.data.lower()


def _subject(mail: Mail) -> Subject:
    return parse_subject(mail.headers.get("subject", b""))


def _listed(mail: Mail, place: int) -> Numbered:
    """A mail of a ``series`` file, whose order counts: numbers in subjects are history."""
    plain = msgspec.structs.replace(_subject(mail), number=None, total=None, version=1)
    return Numbered(mail, plain, place)


def _by_file(
    mails: list[tuple[Mail, Subject, int]], plain: list[Mail], notes: list[str]
) -> list[Numbered]:
    """Mails without numbers: by those of their files' names (``format-patch -N``), else
    as they were named on the command line."""
    names = [_FILE_NUMBER.match(Path(mail.where).name) for mail, _, _ in mails]
    found = [int(name[1]) for name in names if name]
    if len(plain) == len(mails) and len(found) == len(mails):
        notes.append("the mails are not numbered: ordered by the numbers of their files")
    elif len(plain) == len(mails) and all(place for _, _, place in mails):
        notes.append("the patches are not numbered: taken in the order in which they are named")
        found = [place for _, _, place in mails]
    else:
        raise UserError(
            "the mail is not numbered n/m, and the series cannot be shown to be whole",
            plain[0].where,
            "write it with git format-patch -n, or name the files in their order",
        )
    return [
        Numbered(mail, subject, number)
        for (mail, subject, _), number in zip(mails, found, strict=True)
    ]


def whole(
    mails: list[Numbered], notes: list[str], *, named: bool
) -> tuple[dict[int, Numbered], int, bool]:
    """Number → mail, shown to be 1..n; n; and whether only a slice of them is there.

    A slice (no gap in it) is let through where each file was ``named`` by the user.
    """
    totals = sorted({one.subject.total for one in mails if one.subject.total is not None})
    if len(totals) > 1:
        raise UserError(
            f"the mails count to {totals[0]} and to {totals[1]}",
            mails[0].mail.where,
            "name the mails of one series",
        )
    found = _unique(mails, notes)
    total = totals[0] if totals else max(found)
    if max(found) > total:
        where = found[max(found)].mail.where
        notes.append(f"{where}: patch {max(found)} of {total}: taken for one of {max(found)}")
        total = max(found)
    if 0 in found and has_diff(found[0].mail):
        raise UserError("a diff in the cover letter", found[0].mail.where, "number it 1/n")
    missing = [number for number in range(1, total + 1) if number not in found]
    there = sorted(number for number in found if number)
    slice_of_it = there and there == list(range(there[0], there[-1] + 1))
    if missing and not (named and slice_of_it):
        raise UserError(
            f"the series is not whole: {', '.join(map(str, missing[:10]))} of {total} missing",
            mails[0].mail.where,
            "get the others (b4 am does), or name the files of a part without a gap"
            " (behind what comes before it: patchgen verify --after)",
        )
    return found, total, bool(missing)


def _unique(mails: list[Numbered], notes: list[str]) -> dict[int, Numbered]:
    found: dict[int, Numbered] = {}
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
    return found


def _content(one: Numbered) -> tuple[str, bytes | None, bytes | None, bytes]:
    headers = one.mail.headers
    # A list's footer stands behind the signature.
    body = re.split(rb"^-- $", one.mail.body, maxsplit=1, flags=re.MULTILINE)[0].rstrip()
    return one.subject.text, headers.get("from"), headers.get("date"), body
