# SPDX-License-Identifier: GPL-2.0-only
"""The patches that come before a slice of a series: named, or lying beside its files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from patchgen.commits.patchset import ReadPatch, Series
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given
from patchgen.series.read.body import read_patch
from patchgen.series.read.mail import decode, subject_of
from patchgen.series.read.read import read_series
from patchgen.series.read.sources import MAX_MAIL, SUFFIXES, RawMail, split_mbox
from patchgen.series.read.thread import thread_of
from patchgen.series.subject import parse_subject

#: What is looked through beside a file: threads of the lists have a few hundred mails.
MOST_FILES, MOST_BYTES = 1000, MAX_MAIL
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FROM = re.compile(rb"^from:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)


class Parents(Value, frozen=True):
    """Patches to put on the tree before those that are asked about, in order.

    ``named``: the user named them.  ``where`` is the folder that they were found in;
    ``missing`` are numbers below the first one asked about that no mail was found for.
    """

    patches: tuple[ReadPatch, ...] = ()
    named: bool = False
    where: str = ""
    missing: tuple[int, ...] = ()


def named_parents(
    series: Series, after: Sequence[str | Path], version: int | None, allow: Collection[str]
) -> Parents:
    """The patches of ``after``, each an mbox, a maildir, a folder or a file.

    Where one of them is of the thread of ``series`` itself, the patches before the first that
    is asked about.  UserError: unreadable, or none is before it.
    """
    found: list[ReadPatch] = []
    for source in after:
        read = read_series(source, version=version, allow=allow, sliced=True)
        own = [n for n, patch in enumerate(read.patches) if _same(patch, series.patches[0])]
        here = read.patches[: own[0]] if own else read.patches
        if not here:
            hint = "leave --after out: it goes on the tree as it is"
            raise UserError("holds no patch before the one asked about", str(source), hint)
        found += here
    return Parents(tuple(found), named=True)


def _same(one: ReadPatch, other: ReadPatch) -> bool:
    return (one.message, one.author, one.changes) == (other.message, other.author, other.changes)


def parents_beside(
    series: Series, sources: Sequence[str | Path], allow: Collection[str]
) -> Parents:
    """The patches of the same series below a slice's first, from the folders of its files.

    A mail is of the same series when it counts to the same total in the same version, and
    was sent in the same thread (without any, by the same sender).  What cannot be read is
    no parent; of two different mails with one number neither is.
    """
    first = series.patches[0].number
    wanted = range(1, first)
    files = [Path(source) for source in sources if source != "-"]
    if not series.partial or not wanted or not files or not all(map(look.is_file, files)):
        return Parents(missing=tuple(wanted) if series.partial else ())
    own = split_mbox(read_given(files[0], MAX_MAIL) or b"", str(files[0]))[0].data
    subject, mark = parse_subject(subject_of(own)), _thread(own)
    found: dict[int, list[ReadPatch]] = {}
    for folder in dict.fromkeys(file.parent for file in files):
        for raw in _beside(folder, {file.suffix for file in files}):
            its = parse_subject(subject_of(raw.data))
            number = its.number or 0
            counted = (its.total, its.version) == (subject.total, subject.version)
            if not counted or its.reply or number not in wanted or _thread(raw.data) != mark:
                continue
            try:
                patch = read_patch(decode(raw), number, allow)
            except UserError:
                continue  # said as missing
            if not any(_same(patch, other) for other in found.setdefault(number, [])):
                found[number].append(patch)
    missing = tuple(number for number in wanted if len(found.get(number, ())) != 1)
    patches = () if missing else tuple(found[number][0] for number in wanted)
    return Parents(patches, where=str(files[0].parent), missing=missing)


def _beside(folder: Path, suffixes: Collection[str]) -> Iterator[RawMail]:
    """The mails in a folder, in files of the usual names or of the same ending."""
    total = 0
    try:
        found = (folder / name for name in look.names(folder))
        files = [path for path in found if path.suffix in {*SUFFIXES, *suffixes}]
        for path in files[:MOST_FILES]:
            seen = look.stamp(str(path))
            if seen is None or not look.is_file(path) or total + seen[0] > MOST_BYTES:
                continue
            total += seen[0]
            try:
                yield from split_mbox(read_given(path, MOST_BYTES) or b"", str(path))
            except UserError:
                continue  # no mail: nobody named it
    except OSError:
        return


def _head(mail: bytes) -> bytes:
    end = _HEAD_END.search(mail)
    return mail[: end.start()] if end else mail


def _thread(mail: bytes) -> str:
    """What holds a series' mails together: their thread, else their sender."""
    thread = thread_of(mail)
    sender = _FROM.search(_head(mail))
    return thread or b" ".join((sender[1] if sender else b"").split()).decode(errors="replace")
