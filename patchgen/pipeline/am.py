# SPDX-License-Identifier: GPL-2.0-only
"""A series into a user's repository: checked first, then one atomic step."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from patchgen.commits.land import land
from patchgen.commits.patchset import Series
from patchgen.commits.scratch import Scratch
from patchgen.commits.source import describe
from patchgen.commits.target import Target, WorkTree, find_target
from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.check import Job, check_all, require
from patchgen.pipeline.prove import compared
from patchgen.proof.show.compared import ALLOW, Compared
from patchgen.source.facts.state import TreeState
from patchgen.verify.apply import AppliedSeries, apply_in


def am(
    root: Path,
    series: Series,
    branch: str | None,
    check: Callable[[AppliedSeries], object] = lambda applied: None,
) -> tuple[Target, AppliedSeries]:
    """Apply ``series`` to ``branch`` (None: the one checked out) of the tree at ``root``.

    ``check`` sees the series applied in isolation and raises what must stop it.
    CheckFailed: a patch does not apply.  UserError: the repository is in no state for
    it.  In both cases nothing was touched.
    """
    if series.partial:
        what = f"not all of the series' {series.total} patches"
        raise UserError(what, series.patches[0].where, "name them all; verify takes them alone")
    if no_mail := next((patch for patch in series.patches if patch.lacks), None):
        raise UserError(
            f"has no {no_mail.lacks}, and makes no commit",
            no_mail.where,
            "git apply changes the files alone",
        )
    source = describe(root)
    target = find_target(source, branch)
    with Scratch(source) as scratch:
        if target.work_tree:  # asked again before the last step; nobody waits for a refusal
            WorkTree(scratch).check_clean(target.base)
        applied = apply_in(scratch, series, (target.committer, int(time.time())))
        require_applied(applied)
        check(applied)
        count = len(applied.patches)
        plural = "" if count == 1 else "es"
        land(scratch, applied.patches[-1].sha, target, f"patchgen am: {count} patch{plural}")
    return target, applied


def require_applied(applied: AppliedSeries) -> None:
    """CheckFailed with the first reason why a patch does not apply."""
    for number, patch in enumerate(applied.patches, 1):
        if patch.misfits:
            more = len(patch.misfits) - 1
            also = f" (and {more} more)" if more else ""
            what = f"patch {number}/{len(applied.patches)} does not apply: {patch.misfits[0]}{also}"
            raise CheckFailed(what, patch.patch.where)


def verify_applied(
    state: TreeState, applied: AppliedSeries, allow_undecided: bool = False
) -> Compared | None:
    """Check every patch at its own commit, as `generate` checks its own; the proof.

    ``state`` is the tree as it is on disk; the files of the series are taken from the
    commit that it was applied to.  The tree's checkpatch does not run: style is for
    the review, and does not stop a series that is to be tried.  CheckFailed: a check failed,
    or the proof did, or could not decide and that is not allowed.
    """
    before = first = state.after(applied.contents(0))
    jobs = []
    for number, patch in enumerate(applied.patches, 1):
        after = state.after(applied.contents(number))
        changed = tuple(sorted(patch.files))
        jobs.append(Job(before, after, patch.patch.subject, changed, patch.renamed, first))
        before = after
    found = check_all(jobs)
    require(found, allow_undecided)
    proof = compared(first, before, allow=allow_undecided)
    if proof is not None and proof.fault:
        hint = "" if proof.violated else f"{ALLOW} applies it all the same"
        raise CheckFailed(proof.fault, hint=hint)
    return proof
