# SPDX-License-Identifier: GPL-2.0-only
"""Reading any series: in order, whole, of one version, or refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from patchgen.commits.patchset import CoverMail, ReadPatch, Series
from patchgen.model.outcome import UserError
from patchgen.series.read.body import read_patch
from patchgen.series.read.mail import Mail
from patchgen.series.read.order import Numbered, numbered, whole
from patchgen.series.read.sources import read_mails

_BASE = re.compile(r"^base-commit: ([0-9a-f]{7,64})$", re.MULTILINE)
_CHANGE_ID = re.compile(r"^change-id: (\S+)$", re.MULTILINE)


def read_series(
    source: str | Path | Sequence[str | Path],
    *,
    stdin: BinaryIO | None = None,
    version: int | None = None,
    allow: Collection[str] = (),
    sliced: bool = False,
) -> Series:
    """The series in ``source``: an mbox, a maildir, a folder, files, ``-`` for stdin.

    Mails are put in order by their n/m.  A cover letter is set aside, replies and
    identical duplicates are dropped (``notes`` says so); a gap, two versions (unless
    ``version`` picks one), different mails with one number, and every mail that git
    would read otherwise than a person are a UserError.  Files that were named one by
    one, and a single mail on stdin, may be a slice of a series (``partial``); where it is
    known what comes before it (``sliced``), every source may.  ``allow`` names paths for
    which odd modes and control characters are let through.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    notes: list[str] = []
    raw = read_mails(sources, stdin)
    mails = numbered(raw, version, notes)
    found, total, partial = whole(mails, notes, named=sliced or all(one.place for one in raw))
    cover = found.pop(0, None)
    patches = tuple(read_patch(found[number].mail, number, allow) for number in sorted(found))
    if not patches:
        hint = "name the patches, too"
        raise UserError("a cover letter alone: no patch", mails[0].mail.where, hint)
    text = _text(cover.mail) if cover else ""
    everything = text + "\n" + "\n".join(_text(found[number].mail) for number in sorted(found))
    base, change_id = _BASE.search(everything), _CHANGE_ID.search(everything)
    series = Series(
        patches=patches,
        version=mails[0].subject.version,
        total=total,
        cover=_cover(cover, text) if cover else None,
        base=base[1] if base else "",
        change_id=change_id[1] if change_id else "",
        partial=partial,
        notes=tuple(notes),
    )
    return msgspec.structs.replace(series, caveats=_caveats(series))


def _caveats(series: Series) -> tuple[str, ...]:
    alone = f"{series.which} alone: put on the tree as it is"
    lacking = [
        f"{patch.where}: no {patch.lacks}: am refuses it" for patch in series.patches if patch.lacks
    ]
    return (*([alone] if series.partial else ()), *lacking)


def _cover(cover: Numbered, text: str) -> CoverMail:
    message_id = cover.mail.headers.get("message-id", b"").decode(errors="replace")
    return CoverMail(cover.subject.summary, text, message_id.strip("<> "))


def _text(mail: Mail) -> str:
    return mail.body.decode(errors="replace")


__all__ = ["ReadPatch", "Series", "read_series"]
