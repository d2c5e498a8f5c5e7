# SPDX-License-Identifier: GPL-2.0-only
"""One series → a folder of series, one for each part of `split`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from patchgen.commits.build import CommittedSeries, Read, commit_patches
from patchgen.commits.identity import Identity
from patchgen.commits.patch_id import patch_ids
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.model.plan import Patch
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.outgoing import write_folder
from patchgen.series.write.split import Part, parse_maintainers, split
from patchgen.series.write.write import series_files


class PartSeries(Value, frozen=True):
    """A part, its commits, and the patch-ids of what must be applied before it."""

    part: Part
    series: CommittedSeries
    prerequisites: tuple[str, ...]


def cut(
    patches: Sequence[Patch],
    root: Path,
    read: Read,
    author: Identity,
    *,
    date: int | None = None,
    trailers: Sequence[str] = (),
) -> tuple[PartSeries, ...]:
    """Cut ``patches`` by the MAINTAINERS file of the tree at ``root``.

    Each part's commits stand on all parts before it, so that applying the folders in
    order gives what the one series gives.
    """
    text = read("MAINTAINERS")
    if text is None:
        raise UserError("the tree has no such file", "MAINTAINERS", "leave --split out")
    entries = parse_maintainers(text.decode(errors="replace"))
    paths = [sorted(patch.files) for patch in patches]
    parts = split(paths, entries, recipes=[patch.recipe for patch in patches])
    done: dict[str, bytes] = {}
    ids: list[str] = []
    made = []
    clean: CommittedSeries | None = None
    for part in parts:
        ours = [patches[number - 1] for number in part.patches]
        series = commit_patches(
            ours, root, _over(read, dict(done)), author, date=date, trailers=trailers
        )
        if clean is None:
            # What an earlier part changed is no change of the user's.
            clean = series
        series = msgspec.structs.replace(series, base=clean.base, modified=clean.modified)
        made.append(PartSeries(part, series, tuple(ids)))
        ids += patch_ids(series.commits)
        for patch in ours:
            done |= patch.files
    return tuple(made)


def _over(read: Read, files: dict[str, bytes]) -> Read:
    return lambda path: files[path] if path in files else read(path)


def write_parts(
    parts: Sequence[PartSeries],
    cover: Callable[[CommittedSeries], Cover],
    options: MailOptions,
    out: Path,
    *,
    force: bool = False,
) -> dict[str, bytes]:
    """Write every part into its own folder below ``out``: all of them or nothing."""
    files: dict[str, bytes] = {}
    for number, one in enumerate(parts, 1):
        letter = cover(one.series)
        place = f"Part {number} of {len(parts)}: {one.part.title}."
        if one.part.after:
            needed = ", ".join(str(other) for other in one.part.after)
            place += f"  It builds on part {needed}, which must be merged first."
        if len(parts) > 1:
            whole = sum(len(other.series.commits) for other in parts)
            place += f"  What follows is said of all {whole} patches."
        letter = msgspec.structs.replace(
            letter,
            title=_title(letter.title, number, len(parts)),
            sections=(Section("", place), *letter.sections),
            prerequisites=one.prerequisites,
        )
        folder = f"{number}-{_slug(one.part.title)}"
        mails = series_files(one.series, letter, options)
        files |= {f"{folder}/{name}": data for name, data in mails.files.items()}
    write_folder(out, files, force=force)
    return files


def _title(title: str, number: int, count: int) -> str:
    return title if count == 1 else f"{title} (part {number} of {count})"


def _slug(title: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", title.lower())
    short = textwrap.shorten(words, 40, placeholder="") or words.strip()[:40]
    return short.replace(" ", "-") or "part"
