# SPDX-License-Identifier: GPL-2.0-only
"""A series that anybody wrote: does each patch apply, parse, conform, and bring no fault?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from patchgen.commits.patchset import Series
from patchgen.kbuild.built import Built
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.pipeline.check import Job, check_all
from patchgen.pipeline.prove import compared
from patchgen.proof.show.compared import Compared
from patchgen.recipes.kvm.kvm_tdp_old_spte import exposed
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.state import TreeState
from patchgen.verify.apply import AppliedPatch, AppliedSeries, apply_series
from patchgen.verify.checked import PatchCheck
from patchgen.verify.message import MessageFault, message_faults
from patchgen.verify.parses import dependents


class VerifiedPatch(Value, frozen=True):
    """One patch: what it touches, why it does not apply, or what its checks say.

    ``paths`` are all that it reads or writes (of a rename or copy both).  ``check`` is
    None for a patch that was not tried or does not apply, ``built`` also where no build
    was asked for.  ``exposes`` are faults of code that it does not touch, and that it leaves
    ranges to.  ``strict``: what is only remarked makes it fail, too; ``allowed``: notifier
    code that was not analysed does not.
    """

    number: int
    subject: str
    where: str
    misfits: tuple[str, ...]
    tried: bool
    check: PatchCheck | None
    message: tuple[MessageFault, ...]
    built: Built | None = None
    paths: tuple[str, ...] = ()
    exposes: tuple[str, ...] = ()
    strict: bool = False
    allowed: bool = False

    @property
    def undecided(self) -> tuple[str, ...]:
        """Notifier code of the patch that was not analysed."""
        return () if self.check is None else self.check.undecided

    @property
    def remarks(self) -> tuple[str, ...]:
        """What does not make this patch fail, and is shown."""
        found = [] if self.check is None else [*self.check.remarks]
        found += [fault.text for fault in self.message if fault.note]
        return () if self.strict else tuple(found)

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that makes this patch fail."""
        found = [*self.misfits]
        if not self.tried:
            found.append("not tried: a patch before it does not apply")
        if self.check is not None:
            found += self.check.faults
            found += () if self.allowed else self.check.undecided
            found += self.check.remarks if self.strict else ()
        if self.built is not None:
            found += [f"build: {error}" for error in self.built.errors]
        found += self.exposes
        found += [fault.text for fault in self.message if self.strict or not fault.note]
        return tuple(found)


class Verified(Value, frozen=True):
    """A series' verification; ``proof`` is None where none was asked for, or there is no KVM.

    ``caveats`` say what of the series is not there (`Series.caveats`).
    """

    patches: tuple[VerifiedPatch, ...]
    total: int
    base: str
    notes: tuple[str, ...]
    proof: Compared | None = None
    caveats: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        held_up = self.proof is not None and self.proof.fault
        return not held_up and not any(patch.faults for patch in self.patches)


def verify(
    state: TreeState,
    series: Series,
    *,
    engine: str = "index",
    checkpatch: bool = True,
    prove: bool = True,
    build: bool = False,
    allow_undecided: bool = False,
    strict: bool = False,
    at: str = "",
    known: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> Verified:
    """Verify every patch of ``series`` at its own commit; the tree is only read.

    ``allow_undecided`` takes a proof that decides nothing behind the series, and notifier
    code that was not analysed; ``strict`` makes remarks faults.
    ``build`` has gcc compile what each patch touches (see :func:`_builds`).  ``state`` is
    the tree at the commit ``at`` (default: as it is).  The first ``known`` patches are
    applied, and not checked.
    """
    progress("apply")
    state.expect_search()
    applied = apply_series(state.root, series, engine=engine, at=at)
    state.list_sources()  # once for all checks: they look for users of names, and are forks of this
    before = state.after(applied.contents(0))
    last = before
    jobs = []
    for number, patch in enumerate(applied.patches, 1):
        if patch.ok:
            after = state.after(applied.contents(number))
            changed = tuple(sorted(patch.files))
            if number > known:
                jobs.append(Job(last, after, patch.patch.subject, changed, patch.renamed, before))
            last = after
    asked = applied.patches[known:]
    mails = [patch.patch.mail for patch in asked if patch.ok]
    checks = check_all(jobs, mails if checkpatch else (), progress, strict=strict)
    looked = iter([(check, _exposed(job, check)) for job, check in zip(jobs, checks, strict=True)])
    found = [_verified(patch, *(next(looked) if patch.ok else (None, ()))) for patch in asked]
    if build and jobs:
        sources = [_compiled(job.before, job.after, job.changed) for job in jobs]
        built = _builds(state, applied, sources, known, progress)
        found[: len(built)] = [
            msgspec.structs.replace(patch, built=one)
            for patch, one in zip(found, built, strict=False)
        ]
    tried = {patch.number for patch in found}
    for patch_read in series.patches[known:]:
        if patch_read.number not in tried:
            found.append(
                VerifiedPatch(patch_read.number, patch_read.subject, patch_read.where, (), False,
                              None, message_faults(patch_read.message),
                              paths=patch_read.paths)
            )  # fmt: skip
    found = [
        msgspec.structs.replace(patch, strict=strict, allowed=allow_undecided) for patch in found
    ]
    proof = None
    if prove and all(patch.check is not None for patch in found):
        progress("prove")
        proof = compared(before, last, allow=allow_undecided)
    return Verified(tuple(found), series.total, applied.base, series.notes, proof, series.caveats)


def _verified(
    patch: AppliedPatch, check: PatchCheck | None, exposes: tuple[str, ...]
) -> VerifiedPatch:
    """What is to be said of a patch that was tried."""
    read = patch.patch
    misfits = tuple(str(misfit) for misfit in patch.misfits)
    return VerifiedPatch(
        read.number, read.subject, read.where, misfits, patch.ok or bool(misfits), check,
        message_faults(read.message), paths=read.paths, exposes=exposes,
    )  # fmt: skip


def _exposed(job: Job, check: PatchCheck) -> tuple[str, ...]:
    """Faults of x86's TDP MMU that are reached once ranges are left to change_pte()."""
    if KVM_MAIN not in job.changed or check.parse_faults or check.lint.lost:
        return ()
    try:
        return tuple(str(evidence) for evidence in exposed(job.before, job.after))
    except UserError as error:  # an earlier patch broke the file
        return (f"x86's TDP MMU is not looked at: {error}",)


def _compiled(before: TreeState, after: TreeState, changed: Sequence[str]) -> list[str]:
    """The sources that a patch concerns: those it touches, and users of its headers."""
    found = [p for p in dependents(before, after, changed) if p.endswith(".c")]
    return found + [p for p in changed if p.endswith(".S") and after.read(p) is not None]


def _builds(
    state: TreeState,
    applied: AppliedSeries,
    sources: list[list[str]],
    known: int,
    progress: Callable[[str], None],
) -> list[Built]:
    """The ``sources`` of each patch behind the ``known`` ones compiled at its commit.

    It is the tree's own kbuild that does it.

    An object that does not compile without the series either is no fault of it.
    """
    from patchgen.kbuild.objects import object_builder

    count = known + len(sources)
    names = list(dict.fromkeys(path for paths in sources for path in paths))
    before = applied.contents(0)
    version = state.tree.version
    with object_builder(state.root, version, state.build_dir, progress) as builder:
        builder.prepare(before, applied.contents(count), names)
        found = [
            builder.build(f"{number}/{count}", applied.contents(number), paths)
            for number, paths in enumerate(sources, known + 1)
        ]
        if any(built.errors for built in found):
            bad = [path for built in found for path in built.failed]
            there = [path for path in dict.fromkeys(bad) if state.after(before).read(path)]
            old = builder.build("without the series", before, there)
            found = [built.without(old) for built in found]
    return found
