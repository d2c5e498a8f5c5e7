# SPDX-License-Identifier: GPL-2.0-only
"""What stands between commits and mails: the version before, and who gets it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from patchgen.commits.build import CommittedSeries
from patchgen.commits.patchset import Series
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.series.read.read import read_series
from patchgen.series.reroll.range_diff import range_diff
from patchgen.series.reroll.reroll import Reroll, compare
from patchgen.series.write.cover import Cover, VersionChanges, earlier_changes
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.recipients import Recipients, ask, union
from patchgen.series.write.write import Extra, SeriesFiles, series_files

Commit = Callable[[Sequence[Sequence[str]]], CommittedSeries]


class Prepared(Value, frozen=True):
    """Everything that `write_series` takes beside the cover letter's own text.

    ``notes`` are lines for the user: reviews that were dropped, no range-diff.
    """

    series: CommittedSeries
    options: MailOptions
    extras: tuple[Extra, ...] = ()
    cover_people: Extra = Extra()
    changes: tuple[VersionChanges, ...] = ()
    range_diff: str = ""
    notes: tuple[str, ...] = ()

    def completed(self, cover: Cover) -> Cover:
        """``cover`` with the changelog and the range-diff."""
        return msgspec.structs.replace(cover, changes=self.changes, range_diff=self.range_diff)


def prepare(
    commit: Commit,
    root: Path,
    options: MailOptions,
    *,
    previous: Series | None = None,
    maintainers: bool = False,
    version: int | None = None,
) -> Prepared:
    """Commit a series and compare it with ``previous``; ask for its recipients.

    ``commit`` makes the commits, given the reviews of each patch (none: ``()``).
    ``maintainers`` runs the tree's scripts/get_maintainer.pl.  ``version`` is the one that
    was asked for (None: that of ``options`` where it is above 1); where none was, it is the
    one behind ``previous``.  UserError: it was asked for, and is not above ``previous``'s.
    """
    if version is None and options.version > 1:
        version = options.version
    options = msgspec.structs.replace(options, version=version or 1)
    series = commit(())
    prepared = Prepared(series, options)
    if previous is not None:
        prepared = _rerolled(commit, root, options, previous, series, version)
    elif options.resend and options.version == 1 and not options.change_id:
        prepared = msgspec.structs.replace(
            prepared, notes=("RESEND without --previous: nothing shows that nothing changed",)
        )
    return _addressed(prepared, root) if maintainers else prepared


def _rerolled(
    commit: Commit,
    root: Path,
    options: MailOptions,
    previous: Series,
    series: CommittedSeries,
    asked: int | None,
) -> Prepared:
    version = _version(options, previous, asked)
    _check_reply(options, previous)
    reroll = compare(previous, series, version)
    if options.resend:
        _check_resend(reroll, previous)
    if any(reroll.tags):
        series = commit(reroll.tags)
    options = msgspec.structs.replace(
        options, version=version, change_id=options.change_id or reroll.change_id
    )
    earlier = earlier_changes(previous.cover.text) if previous.cover else ()
    if options.resend:
        return Prepared(series, options, changes=earlier)
    text, note = range_diff(root, previous, _as_read(series, options))
    lost = tuple(
        f"patch {entry.number} changed, not carried over: {tag}"
        for entry in reroll.entries
        for tag in entry.lost
    )
    notes = (*lost, note) if note else lost
    return Prepared(
        series,
        options,
        extras=reroll.extras,
        changes=(reroll.changes, *(one for one in earlier if one.version < version)),
        range_diff=text,
        notes=notes,
    )


def _version(options: MailOptions, previous: Series, asked: int | None) -> int:
    if options.resend:
        if asked not in (None, previous.version):
            raise UserError(f"a RESEND is of the same version: v{previous.version}, not v{asked}")
        return previous.version
    if asked is None:
        return previous.version + 1
    if asked <= previous.version:
        raise UserError(
            f"version {asked} is not above the previous series' v{previous.version}",
            hint=f"without a version it is v{previous.version + 1}",
        )
    return asked


def _check_reply(options: MailOptions, previous: Series) -> None:
    earlier = {patch.message_id for patch in previous.patches}
    if previous.cover:
        earlier.add(previous.cover.message_id)
    if options.in_reply_to and options.in_reply_to in earlier:
        raise UserError(
            "a new version does not reply to the one before, it links to it",
            hint="leave --in-reply-to out",
        )


def _check_resend(reroll: Reroll, previous: Series) -> None:
    odd = [entry for entry in reroll.entries if entry.status != "unchanged"]
    if odd or reroll.dropped:
        what = f"patch {odd[0].number} is {odd[0].status}" if odd else "a patch was dropped"
        hint = f"leave --resend out, for a v{previous.version + 1}"
        raise UserError(f"RESEND is for a series in which nothing changed, and {what}", hint=hint)


def _as_read(series: CommittedSeries, options: MailOptions) -> Series:
    """The new series as its mails will be read."""
    plain = msgspec.structs.replace(options, resend=False)
    files: SeriesFiles = series_files(series, Cover("x", ()), plain)
    return read_series("-", stdin=io.BytesIO(b"".join(list(files.files.values())[1:])))


def _addressed(prepared: Prepared, root: Path) -> Prepared:
    """To and Cc of each patch; the cover letter goes to all of them."""
    commits = prepared.series.commits
    people: list[Recipients] = [ask(root, commit.diff) for commit in commits]
    extras = prepared.extras or tuple(Extra() for _ in commits)
    everybody = union(people)
    return msgspec.structs.replace(
        prepared,
        extras=tuple(
            msgspec.structs.replace(extra, to=one.to, cc=one.cc)
            for extra, one in zip(extras, people, strict=True)
        ),
        cover_people=Extra(to=everybody.to, cc=everybody.cc),
    )
