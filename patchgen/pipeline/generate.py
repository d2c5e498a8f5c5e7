# SPDX-License-Identifier: GPL-2.0-only
"""The whole way: plan, commits, verification, series; files appear last, all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from patchgen.commits.build import CommittedSeries, commit_patches
from patchgen.commits.identity import Identity, user_identity
from patchgen.model import Value
from patchgen.outcome import CheckFailed
from patchgen.pipeline.check import check_patch, require
from patchgen.pipeline.plan import make_plan, refuse
from patchgen.recipes.base import Options
from patchgen.recipes.planned import Choice, SeriesPlan
from patchgen.series.cover import Cover
from patchgen.series.headers import MailOptions
from patchgen.series.outgoing import check_target
from patchgen.series.write import SeriesFiles, sender_or_placeholder, series_files, write_series
from patchgen.verify.checked import PatchCheck


class Request(Value, frozen=True):
    """What the user asked for beside the recipes: mails, trailers, evidence."""

    mail: MailOptions = MailOptions()
    author: Identity | None = None
    signoff: bool = False
    force: bool = False
    checkpatch: bool = True
    date: int | None = None


class Generated(Value, frozen=True):
    """A verified series; ``files`` is None where nothing was to be done."""

    checks: tuple[PatchCheck, ...]
    files: SeriesFiles | None
    hint: str = ""


def generate(
    plan: SeriesPlan,
    cover: Callable[[SeriesPlan, CommittedSeries, Sequence[PatchCheck]], Cover],
    request: Request,
    out: Path,
    progress: Callable[[str], None] = lambda line: None,
) -> Generated:
    """Verify a plan's patches and write the series into ``out``: all of it or nothing.

    Refused: the tree cannot take it.  CheckFailed: a patch failed a check.  Nothing
    of the tree is written in any case.
    """
    refuse(plan)
    if not plan.planned:
        return Generated((), None)
    check_target(out, force=request.force)
    author, hint = sender_or_placeholder(request.author or user_identity())
    trailers = [f"Signed-off-by: {author}"] if request.signoff and not hint else []
    progress("commits")
    series = commit_patches(
        plan.patches, plan.first.root, plan.first.read, author, date=request.date,
        trailers=trailers,
    )  # fmt: skip
    draft = series_files(series, cover(plan, series, ()), request.mail)
    mails = list(draft.files.values())[1:]
    checks = []
    for number, (planned, mail) in enumerate(zip(plan.planned, mails, strict=True), 1):
        progress(f"verify {number}/{len(mails)}")
        checks.append(
            check_patch(
                planned.before, planned.after, planned.patch.subject,
                sorted(planned.patch.files), mail, request.checkpatch,
            )
        )  # fmt: skip
    require(checks)
    _idempotent(plan)
    files = write_series(series, cover(plan, series, checks), request.mail, out,
                         force=request.force)  # fmt: skip
    return Generated(tuple(checks), files, hint)


def _idempotent(plan: SeriesPlan) -> None:
    """A second run on the result must plan nothing."""
    again = make_plan(plan.last, plan.recipes, Options(), Choice(only=plan.recipes))
    if again.planned or again.refusals:
        what = [planned.patch.subject for planned in again.planned]
        what += [refusal.reason for refusal in again.refusals]
        raise CheckFailed(f"a second run on the result would not be empty: {what[0]}")
