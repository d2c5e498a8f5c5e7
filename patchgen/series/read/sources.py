# SPDX-License-Identifier: GPL-2.0-only
"""Where mails come from: an mbox, a maildir, a folder, files, or stdin."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given
from patchgen.series.read.bare import bare_patch
from patchgen.series.read.quilt import listed

# A mail of the largest driver dumps on the lists has some 20 MB; git am needs 690 MB
# of memory for one of 200 MB.
MAX_MAIL = 64 << 20
MAX_SERIES = 256 << 20

SUFFIXES = (".patch", ".eml", ".mbox", ".mbx", ".mail")
# git's own idea of a From_ line (mailsplit.c): a time of day with a year behind it.
_FROM = re.compile(rb"From [^\n]*\n")
#: One after the other: in one pattern they take cubic time.
_TIME, _YEAR = re.compile(rb"\d:\d\d"), re.compile(rb" \d{4}")
_NEXT_FROM = re.compile(rb"\n(?=" + _FROM.pattern + rb")")  # begins with what is searched fast
_HEADER = re.compile(rb"[!-9;-~]+:")
_BLANK = re.compile(rb"\A(?:[ \t]*\n)+")


class RawMail(Value, frozen=True):
    """One mail as it came: ``where`` names its file, and which message in it.

    A patch that is no mail comes as one; ``lacks`` says what it has not.  ``place`` is
    its place (from 1) where something but the mail itself gives the order: a ``series``
    file, or the command line; ``binding`` tells that the mail's own number does not count.
    """

    where: str
    data: bytes
    lacks: str = ""
    place: int = 0
    binding: bool = False


def read_mails(sources: Sequence[str | Path], stdin: BinaryIO | None = None) -> list[RawMail]:
    """All mails of ``sources``: paths, or ``-`` for stdin.

    A folder is a maildir when it has ``cur`` or ``new``, quilt's when it has a file
    ``series``, which gives the order; else its ``*.patch``, ``*.eml`` and ``*.mbox``
    files are read in the order of their names.  Raises
    UserError for what cannot be read, holds no mail, or is over the size caps.
    """
    mails: list[RawMail] = []
    total = 0
    for source in sources:
        if source != "-":
            _look_up(source)
        quilt = source != "-" and look.is_file(Path(source, "series"))
        for name, data in _blobs(source, stdin):
            total += len(data)
            if total > MAX_SERIES:
                hint = "name fewer files"
                raise UserError(f"the series has more than {MAX_SERIES >> 20} MiB", name, hint)
            found = split_mbox(data, name)
            if quilt and len(found) > 1:
                raise UserError("a file of a series file holds several mails", name, "split it")
            if quilt or (len(found) == 1 and not look.is_folder(source)):
                place = len(mails) + 1
                found = [msgspec.structs.replace(found[0], place=place, binding=quilt)]
            mails += found
    if not mails:
        hint = "name an mbox, a maildir, a folder of patches, patch files, or - for stdin"
        raise UserError("no mail found", ", ".join(str(source) for source in sources), hint)
    return mails


def _look_up(source: str | Path) -> None:
    try:
        if not look.is_there(source):
            raise UserError("cannot be read: No such file or directory", str(source))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", str(source)) from None


def _blobs(source: str | Path, stdin: BinaryIO | None) -> Iterator[tuple[str, bytes]]:
    if source == "-":
        stream = sys.stdin.buffer if stdin is None else stdin
        yield "stdin", _capped(stream, "stdin")
        return
    path = Path(source)
    if look.is_folder(path):
        files = list(_files(path))
        if not files:
            what = f"the folder holds no series file and no {', '.join(SUFFIXES)} files"
            raise UserError(what, str(path), "name the files themselves")
        for file in files:
            yield str(file), _read(file)
        return
    yield str(path), _read(path)


def _files(folder: Path) -> Iterator[Path]:
    try:
        if look.is_folder(folder / "cur") or look.is_folder(folder / "new"):
            for part in (folder / "cur", folder / "new"):
                if look.is_folder(part):
                    files = (part / name for name in look.names(part))
                    yield from (file for file in files if look.is_file(file))
            return
        if look.is_file(folder / "series"):
            yield from listed(folder, _read(folder / "series").decode(errors="surrogateescape"))
            return
        files = (folder / name for name in look.names(folder))
        yield from (file for file in files if file.suffix in SUFFIXES)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", str(folder)) from error


def _read(path: Path) -> bytes:
    try:
        data = read_given(path, MAX_SERIES)
    except UserError as error:
        raise UserError(error.what, error.where, "use - to read from a pipe") from None
    if data is None:
        raise UserError("cannot be read: No such file or directory", str(path))
    return data


def _capped(stream: BinaryIO, where: str) -> bytes:
    data = stream.read(MAX_SERIES + 1)
    if len(data) > MAX_SERIES:
        raise UserError(f"has more than {MAX_SERIES >> 20} MiB", where, "name fewer files")
    return data


def _separator(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the line that begins at ``at`` lies, if it separates mails: From, a time, a year."""
    line = _FROM.match(data, at)
    time = line and _TIME.search(data, at + 5, line.end())
    return line.span() if line and time and _YEAR.search(data, time.end(), line.end()) else None


def split_mbox(data: bytes, name: str) -> list[RawMail]:
    """The mails of an mbox, or the one mail of a file that is none."""
    given, data = data, data.replace(b"\r\n", b"\n")  # as git mailsplit without --keep-cr
    data = _BLANK.sub(b"", data, count=1)
    starts = [0, *(match.end() for match in _NEXT_FROM.finditer(data))]
    borders = [span for at in starts if (span := _separator(data, at))]
    if not borders or borders[0][0] != 0:
        saved = given[:4096].split(b"\n", 1)[0].endswith(b"\r")  # with network line ends
        if not borders and (bare := bare_patch(data if saved else given.lstrip(), name)):
            return [RawMail(name, bare.mail, bare.lacks)]
        begin = line.end() if (line := _FROM.match(data)) else 0
        if not _HEADER.match(data, begin):
            what = "is no mail: it begins with neither a From line nor a header"
            raise UserError(what, name, "write it with git format-patch")
        borders.insert(0, (0, begin))
    ends = [start for start, _ in borders[1:]] + [len(data)]
    mails = []
    for number, ((_, start), end) in enumerate(zip(borders, ends, strict=True), 1):
        where = name if len(borders) == 1 else f"{name}: message {number}"
        if end - start > MAX_MAIL:
            hint = "such a patch cannot be reviewed: split it"
            raise UserError(f"the mail has more than {MAX_MAIL >> 20} MiB", where, hint)
        if not _HEADER.match(data, start):
            what = "a line that starts with From cuts a mail in two"
            raise UserError(what, where, "write >From in that line, or indent it")
        mails.append(RawMail(where, data[start:end]))
    return mails
