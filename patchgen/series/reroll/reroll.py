# SPDX-License-Identifier: GPL-2.0-only
"""A new version of a series: what became of each patch since the one before."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from patchgen.commits.build import Commit, CommittedSeries
from patchgen.commits.diff import FileChange, parse_diff
from patchgen.commits.patchset import ReadPatch, Series
from patchgen.model.base import Value
from patchgen.series.write.cover import VersionChanges
from patchgen.series.write.write import Extra

# Reviews of a patch hold for the patch as it was reviewed, and for no other.
_REVIEWS = ("Reviewed-by", "Tested-by", "Acked-by")
_TRAILER = re.compile(r"([A-Z][A-Za-z-]*): (\S.*)")
# As git range-diff: patches that share less are not versions of one another.
_SIMILAR = 0.6
_ARCHIVE = "https://lore.kernel.org/r/"


class Entry(Value, frozen=True):
    """One patch of the new version.

    ``status`` is "unchanged", "changed" or "new"; ``old`` the number that it had,
    ``what`` the parts that differ.  ``tags`` are reviews that carry over, ``lost``
    those that do not, because the patch is no longer the one that was reviewed.
    """

    number: int
    subject: str
    status: str
    old: int = 0
    what: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Reroll(Value, frozen=True):
    """A series compared with its previous version.

    ``dropped`` are subjects that are gone.  ``change_id`` is the previous one, or ""
    when it had none; ``link`` points at it, version ``before``, in the archive, or is "".
    """

    version: int
    before: int
    entries: tuple[Entry, ...]
    dropped: tuple[str, ...]
    change_id: str
    link: str

    @property
    def tags(self) -> tuple[tuple[str, ...], ...]:
        """For `commit_patches`: the reviews of each patch."""
        return tuple(entry.tags for entry in self.entries)

    @property
    def extras(self) -> tuple[Extra, ...]:
        """For `write_series`: the changelog below each patch's ``---``."""
        return tuple(Extra(note=_note(entry, self.version)) for entry in self.entries)

    @property
    def changes(self) -> VersionChanges:
        """For the cover letter."""
        lines = [_line(entry) for entry in self.entries]
        lines += [f'dropped: "{subject}"' for subject in self.dropped]
        if all(entry.status == "unchanged" for entry in self.entries) and not self.dropped:
            lines = ["no patch changed"]
        return VersionChanges(self.version, tuple(lines), self.link, self.before)


def compare(previous: Series, series: CommittedSeries, version: int | None = None) -> Reroll:
    """Match the patches of two versions by subject, else by likeness of their diffs."""
    new_version = previous.version + 1 if version is None else version
    pairs = _match(previous.patches, series.commits)
    entries = tuple(
        _entry(number, commit, pairs.get(number)) for number, commit in enumerate(series.commits, 1)
    )
    used = {old.number for old in pairs.values()}
    dropped = tuple(one.subject for one in previous.patches if one.number not in used)
    first = previous.cover.message_id if previous.cover else previous.patches[0].message_id
    link = f"{_ARCHIVE}{first}" if first else ""
    return Reroll(new_version, previous.version, entries, dropped, previous.change_id, link)


def _match(old: Sequence[ReadPatch], new: Sequence[Commit]) -> dict[int, ReadPatch]:
    """New number → previous patch."""
    by_subject = {patch.subject: patch for patch in old}
    pairs = {
        number: by_subject[commit.subject]
        for number, commit in enumerate(new, 1)
        if commit.subject in by_subject
    }
    left = [patch for patch in old if patch not in pairs.values()]
    for number, commit in enumerate(new, 1):
        if number in pairs or not left:
            continue
        best = max(left, key=lambda patch: _likeness(patch, commit))
        if _likeness(best, commit) >= _SIMILAR:
            pairs[number] = best
            left.remove(best)
    return pairs


def _likeness(patch: ReadPatch, commit: Commit) -> float:
    old, new = (_changed_lines(parse_diff(diff, "")) for diff in (patch.diff, commit.diff))
    return difflib.SequenceMatcher(a=old, b=new, autojunk=False).ratio()


def _changed_lines(changes: Sequence[FileChange]) -> list[bytes]:
    return [line for change in changes for hunk in change.hunks for line in hunk.lines
            if line[:1] in (b"+", b"-")]  # fmt: skip


def _entry(number: int, commit: Commit, old: ReadPatch | None) -> Entry:
    if old is None:
        return Entry(number, commit.subject, "new")
    message, tags = split_tags(old.message)
    what = []
    if old.subject != commit.subject:
        what.append(f'subject, was "{old.subject}"')
    if _text(message) != _text(split_tags(commit.message)[0]):
        what.append("message")
    what += _files(old.changes, parse_diff(commit.diff, commit.subject))
    if old.author != commit.author:
        what.append("author")
    if what:
        return Entry(number, commit.subject, "changed", old.number, tuple(what), lost=tags)
    return Entry(number, commit.subject, "unchanged", old.number, tags=tags)


def _text(message: str) -> str:
    """The body, without sign-offs: adding one is no change to review."""
    lines = message.partition("\n")[2].strip("\n").split("\n")
    return "\n".join(one for one in lines if not one.startswith("Signed-off-by: ")).strip("\n")


def _files(old: Sequence[FileChange], new: Sequence[FileChange]) -> list[str]:
    """Files whose change differs; line numbers and blob hashes do not count."""

    def content(changes: Sequence[FileChange]) -> dict[str, object]:
        return {
            change.new or change.old: (
                change.old,
                change.new,
                change.new_mode,
                [hunk.lines for hunk in change.hunks],
            )
            for change in changes
        }

    before, after = content(old), content(new)
    paths = sorted(set(before) | set(after))
    return [path for path in paths if before.get(path) != after.get(path)]


def split_tags(message: str) -> tuple[str, tuple[str, ...]]:
    """A message without its reviews, and the reviews."""
    body, gap, last = message.rpartition("\n\n")
    lines = last.split("\n")
    if not gap or not all(_TRAILER.fullmatch(line) for line in lines):
        return message, ()
    tags = tuple(line for line in lines if line.partition(":")[0] in _REVIEWS)
    kept = [line for line in lines if line not in tags]
    return (f"{body}\n\n" + "\n".join(kept)).rstrip("\n"), tags


def _line(entry: Entry) -> str:
    moved = f" (was {entry.old})" if entry.old and entry.old != entry.number else ""
    if entry.status != "changed":
        return f"{entry.number}{moved}: {entry.status}"
    lost = f"; not carried over: {', '.join(entry.lost)}" if entry.lost else ""
    return f"{entry.number}{moved}: changed: {', '.join(entry.what)}{lost}"


def _note(entry: Entry, version: int) -> str:
    lines = {
        "new": ["- new patch"],
        "unchanged": ["- unchanged"],
        "changed": [f"- changed: {part}" for part in entry.what],
    }[entry.status]
    lines += [f"- not carried over, the patch changed: {tag}" for tag in entry.lost]
    return "\n".join([f"Changes in v{version}:", *lines])
