# SPDX-License-Identifier: GPL-2.0-only
"""The whole way: plan, commits, verification, series; files appear last, all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from patchgen.commits.build import CommittedSeries, commit_patches
from patchgen.commits.identity import Identity, signer, user_identity
from patchgen.commits.patchset import Series
from patchgen.commits.revision import changed_since, named_commit
from patchgen.model.base import Value
from patchgen.model.outcome import CheckFailed, Refused, UserError
from patchgen.pipeline.background import Background
from patchgen.pipeline.check import Checks, Job, require
from patchgen.pipeline.plan import make_plan, refuse, unconfirmed
from patchgen.pipeline.prove import Proofs, compared, touched
from patchgen.proof.show.compared import ALLOW, Compared
from patchgen.recipes.base import Options, load
from patchgen.recipes.planned import Choice, Planned, SeriesPlan
from patchgen.series.reroll.prepare import Prepared, prepare
from patchgen.series.write.cover import Cover
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.outgoing import check_target
from patchgen.series.write.parts import cut, write_parts
from patchgen.series.write.write import (
    SeriesFiles,
    sender_or_placeholder,
    series_files,
    write_series,
)
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.state import TreeState
from patchgen.verify.checked import PatchCheck
from patchgen.verify.checkpatch import styles
from patchgen.verify.readback import readback_fault

_CHANGED = "is not as committed; the mails say so"


class Request(Value, frozen=True):
    """What the user asked for beside the recipes: mails, trailers, evidence."""

    mail: MailOptions = MailOptions()
    version: int | None = None
    author: Identity | None = None
    signoff: bool = False
    force: bool = False
    checkpatch: bool = True
    date: int | None = None
    previous: Series | None = None
    maintainers: bool = False
    base: str = ""
    split: bool = False
    prove: bool = True
    allow_undecided: bool = False


class Generated(Value, frozen=True):
    """A verified series; ``files`` is None where nothing was to be done.

    ``proof`` is None where none was asked for, or the tree has no KVM.
    """

    checks: tuple[PatchCheck, ...]
    files: SeriesFiles | None
    hint: str = ""
    notes: tuple[str, ...] = ()
    proof: Compared | None = None


def generate(
    plan: SeriesPlan,
    cover: Callable[[SeriesPlan, CommittedSeries, Sequence[PatchCheck]], Cover],
    request: Request,
    out: Path,
    progress: Callable[[str], None] = lambda line: None,
    ahead: Ahead | None = None,
) -> Generated:
    """Verify a plan's patches and write the series into ``out``: all of it or nothing.

    ``ahead`` is what was begun while the plan was made, and knows it.  Refused: the tree
    cannot take it, or the proof of the result is undecided.  CheckFailed: a patch failed a
    check, or the proof shows a run that is bad.  Nothing of the tree is written.
    """
    refuse(plan.refusals)
    if not plan.planned:
        return Generated((), None)
    check_request(request, plan.first.root, out)
    author, hint, trailers = _people(request, plan.first.root)
    progress("commits")

    def commit(tags: Sequence[Sequence[str]]) -> CommittedSeries:
        return commit_patches(
            plan.patches, plan.first.root, plan.first.read, author, date=request.date,
            trailers=trailers, tags=tags,
        )  # fmt: skip

    prepared = prepare(
        commit, plan.first.root, request.mail,
        previous=request.previous, maintainers=request.maintainers, version=request.version,
    )  # fmt: skip
    series = prepared.series
    base = _base(request, series, plan)
    local = _local_changes(series, plan)

    def letter(checks: Sequence[PatchCheck]) -> Cover:
        text = prepared.completed(cover(plan, series, checks))
        beside = tuple(f"{path} was checked with changes that no commit has" for path in local)
        return msgspec.structs.replace(
            text, base=base or text.base, uncovered=(*text.uncovered, *beside)
        )

    with contextlib.ExitStack() as ending:
        if ahead is None:
            ahead = ending.enter_context(Ahead(plan.first, plan.recipes, request))
            ahead.planned(plan)
        checks = _checked(plan, series_files(series, letter(()), prepared.options), request,
                          ahead.checks, progress)  # fmt: skip
        proof = _proved(plan, request, ahead.proofs, progress)

    def final(checks: Sequence[PatchCheck]) -> Cover:
        text = letter(checks)
        if proof is not None:
            return msgspec.structs.replace(text, proof=proof.cover())
        missing = _unproved(plan, request)
        return msgspec.structs.replace(text, uncovered=(*text.uncovered, *missing))

    notes = (*prepared.notes, *(f"{path}: {_CHANGED}" for path in (*series.modified, *local)))
    if request.split:
        files = _write_parts(plan, author, trailers, request, prepared, final(checks), out)
        return Generated(tuple(checks), files, hint, notes, proof)
    files = write_series(
        series, final(checks), prepared.options, out, force=request.force,
        extras=prepared.extras, cover_people=prepared.cover_people,
    )  # fmt: skip
    return Generated(tuple(checks), files, hint, notes, proof)


def _base(request: Request, series: CommittedSeries, plan: SeriesPlan) -> str:
    """The commit that was asked for as base-commit:, "" where none was.

    UserError: it is none of the tree's, or the files of the series are other ones there.
    """
    if not request.base:
        return ""
    root = plan.first.root
    base = named_commit(root, request.base)
    if series.source.is_git and base != series.base:
        paths = sorted({path for patch in plan.patches for path in patch.files})
        other = changed_since(root, base, paths, plan.first.read)
        if other:
            raise UserError(f"is not as in the commit {base[:12]}", min(other), "leave --base out")
    return base


def _local_changes(series: CommittedSeries, plan: SeriesPlan) -> tuple[str, ...]:
    """Sources that the checks look at, beside those of the series, which no commit has so."""
    if not series.source.is_git:
        return ()
    state = plan.first
    asked = [path for path in state.candidates() if path.isprintable()]
    changed = changed_since(state.root, series.source.head, asked, state.read)
    return tuple(path for path in changed if path not in series.modified)


def check_request(request: Request, root: Path, out: Path) -> None:
    """UserError for what can be known before any work: the folder, and who signs.

    ``root`` is the tree's; asked again before anything is written.
    """
    if request.split and (request.previous or request.maintainers):
        raise UserError("--split goes with neither --previous nor --maintainers")
    check_target(out, force=request.force)
    _people(request, root)


def _people(request: Request, root: Path) -> tuple[Identity, str, list[str]]:
    """The author, a hint where it is a placeholder, and the sign-off that was asked for.

    UserError: nobody can sign, or the one who can is not the author, who has to.
    """
    author = request.author or user_identity(root)
    if not request.signoff:
        return *sender_or_placeholder(author), []
    who = signer(root)
    if who is None:
        raise UserError(
            "--signoff needs an identity of git's",
            hint="set user.name and user.email with git config",
        )
    author = author or who
    if author != who:
        raise UserError(
            f"--signoff signs as git's identity, {who}, and the author, {author}, has not signed",
            hint="leave --signoff out, or let the author sign",
        )
    return author, "", [f"Signed-off-by: {who}"]


class Ahead:
    """What is begun before it is asked for; a block that it opens ends all of it.

    The tree's API; the proof of the tree as it is, where a recipe changes KVM's protocol;
    and the checks of patches that were planned, while the rest is planned.
    """

    def __init__(self, state: TreeState, recipes: Sequence[str], request: Request) -> None:
        self._request = request
        self._waiting: Planned | None = None
        self.checks = Checks()
        state.expect_search()
        self.proofs: Proofs | None = None
        wanted = request.prove and state.read(KVM_MAIN) is not None
        if wanted and any(load(name).changes_kvm for name in recipes):
            self.proofs = Proofs(state)
        # Asked for in several places at once later on; an error is found there.
        self._api = Background("the API", state.generation, patient=True)

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *error: object) -> None:
        self.checks.__exit__()
        self._api.stop()
        if self.proofs is not None:
            self.proofs.stop()

    def step(self, planned: Planned) -> None:
        """A step of the plan is made, and is checked from now on.

        Where it changes KVM's callbacks, the check waits until the next step is made: that
        one looks at them, and what it parses is not parsed a second time then.
        """
        if self._waiting is not None:
            self._check(self._waiting)
        self._waiting = planned if KVM_MAIN in planned.patch.files else None
        if self._waiting is None:
            self._check(planned)

    def planned(self, plan: SeriesPlan) -> None:
        """The whole plan is made: all that is left to begin is begun; to be called once."""
        if plan.refusals:
            return
        for planned in plan.planned[len(self.checks) :]:
            self._check(planned)
        asked = touched(plan.first, plan.last) if self._request.prove else None
        if asked is None or not asked.touched:
            if self.proofs is not None:
                self.proofs.stop()
            self.proofs = None
            return
        self.proofs = self.proofs or Proofs(plan.first)
        self.proofs.go_on(plan.last)

    def _check(self, planned: Planned) -> None:
        changed = tuple(sorted(planned.patch.files))
        self.checks.add(Job(planned.before, planned.after, planned.patch.subject, changed))


def _checked(
    plan: SeriesPlan,
    draft: SeriesFiles,
    request: Request,
    checks: Checks,
    progress: Callable[[str], None],
) -> list[PatchCheck]:
    """Every patch's checks; CheckFailed where one must not ship, or the plan is not done."""
    mails = list(draft.files.values())[1:]
    with styles(plan.first.root, mails if request.checkpatch else []) as runs:
        left, failure = "", None
        fault = readback_fault(mails, plan.patches, plan.first.read)
        checks.wait_until_parsed()
        refuse(unconfirmed(plan.planned))
        try:
            left = _left_to_do(plan)
        except UserError as error:  # what a patch broke is better said by its own checks
            failure = error
        found = checks.results(runs, progress)
    require(found, request.allow_undecided)
    if fault:
        raise CheckFailed(fault)
    if failure is not None:
        raise failure
    if left:
        raise CheckFailed(f"a second run on the result would not be empty: {left}")
    return found


def _proved(
    plan: SeriesPlan, request: Request, begun: Proofs | None, progress: Callable[[str], None]
) -> Compared | None:
    """The proofs, None where none was asked for; raises what must keep the series here."""
    if not request.prove:
        return None
    progress("prove")
    proof = compared(plan.first, plan.last, begun, request.allow_undecided)
    if proof is not None and proof.violated:
        raise CheckFailed(proof.violated)
    if proof is not None and proof.fault:
        hint = f"{ALLOW} writes the series all the same, and its cover letter says so"
        raise Refused(proof.fault, str(proof.place or KVM_MAIN), hint)
    return proof


def _unproved(plan: SeriesPlan, request: Request) -> tuple[str, ...]:
    """What the cover letter says where the protocol changes and no proof was asked for."""
    asked = None if request.prove else touched(plan.first, plan.last)
    if asked is None or not asked.touched:
        return ()
    return ("the notifier protocol behind the series was not proved",)


def _left_to_do(plan: SeriesPlan) -> str:
    """What a second run on the result would do first; "" as it must be.

    Mends of findings are no recipe, and are not asked.
    """
    if not plan.recipes:
        return ""
    again = make_plan(plan.last, plan.recipes, Options(), Choice(only=plan.recipes))
    what = [planned.patch.subject for planned in again.planned]
    what += [refusal.reason for refusal in again.refusals]
    return what[0] if what else ""


def _write_parts(
    plan: SeriesPlan,
    author: Identity,
    trailers: Sequence[str],
    request: Request,
    prepared: Prepared,
    letter: Cover,
    out: Path,
) -> SeriesFiles:
    """The verified series, cut by maintainer into folders of at most 15 patches."""
    parts = cut(
        plan.patches, plan.first.root, plan.first.read, author,
        date=request.date, trailers=trailers,
    )  # fmt: skip
    files = write_parts(parts, lambda series: letter, prepared.options, out, force=request.force)
    return SeriesFiles(str(out), files, (), prepared.options.change_id)
