# SPDX-License-Identifier: GPL-2.0-only
"""commits → verification: what each patch must show before it ships."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from patchgen.model.outcome import CheckFailed, UserError
from patchgen.pipeline.background import Background
from patchgen.source.facts.state import TreeState
from patchgen.verify.checked import PatchCheck, undecided_of
from patchgen.verify.checkpatch import StyleCheck, StyleRun, styles
from patchgen.verify.flags import unfollowed_flags
from patchgen.verify.lines import Changed
from patchgen.verify.links import Links, check_links
from patchgen.verify.lint_delta import LintDelta, lint_delta
from patchgen.verify.parses import ParseCheck, check_parses

#: Checks of patches that are under way at once.
AT_ONCE = 3


class Job(NamedTuple):
    """A patch to check: the states around it, and what it changes.

    Its result is the state ``after``: it was applied already.  ``renamed`` are new paths, each
    with the old one.  ``ground`` is the state before the whole series, None for ``before``.
    """

    before: TreeState
    after: TreeState
    subject: str
    changed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    ground: TreeState | None = None


class _Looked(NamedTuple):
    """What was found out about a patch, its mail apart."""

    parses: ParseCheck
    links: Links
    flags: tuple[str, ...]
    api: str
    api_faults: tuple[str, ...]
    lint: LintDelta

    def check(self, subject: str, style: StyleCheck | None, strict: bool) -> PatchCheck:
        said = "not run"
        introduced = [f"{f.place}: {f.message} [{f.rule}]" for f in self.lint.introduced]
        faults = [*self.parses.new, *self.links.broken, *self.api_faults, *introduced]
        remarks = [*self.parses.notes, *self.links.notes]
        if style is not None:
            said = f"not run ({style.reason})" if style.state == "absent" else style.cell
            faults += [f"checkpatch: {text}" for text in style.failing(strict)]
            remarks += [f"checkpatch: {text}" for text in style.passing(strict)]
            remarks += [f"checkpatch: {text}" for text in style.off]
        return PatchCheck(
            subject, True, self.parses.clean, self.parses.asked, self.parses.new, self.api,
            self.lint, said, tuple(dict.fromkeys(faults)), self.parses.verdicts,
            self.parses.users, (*undecided_of(self.parses.verdicts, self.lint), *self.flags),
            tuple(dict.fromkeys(remarks)),
        )  # fmt: skip


class _Begun(NamedTuple):
    subject: str
    work: Background[_Looked]
    parsed: int


class Checks:
    """Checks of a series' patches, in processes beside the work here.

    They parse one after the other, since the state before a patch is the one behind
    another, and what was parsed is found in the cache; findings are compared meanwhile.
    A block that it opens ends them, whatever they do.
    """

    def __init__(self) -> None:
        self._begun: list[_Begun] = []

    def __enter__(self) -> Checks:
        return self

    def __exit__(self, *error: object) -> None:
        for begun in self._begun:
            begun.work.stop()
            os.close(begun.parsed)

    def __len__(self) -> int:
        return len(self._begun)

    def add(self, job: Job) -> None:
        """Begin the check of the next patch; waits where enough are under way."""
        if len(self._begun) >= AT_ONCE:
            self._begun[-AT_ONCE].work.wait()
        earlier = self._begun[-1].parsed if self._begun else -1
        # Whoever reads it waits until its other end is closed: by hand, or by death.
        parsed, open_until_parsed = os.pipe()
        look = functools.partial(_look, job, earlier, open_until_parsed)
        self._begun.append(_Begun(job.subject, Background("a check", look), parsed))
        os.close(open_until_parsed)

    def wait_until_parsed(self) -> None:
        """Wait until the last patch's state is parsed, or its check has failed."""
        if self._begun:
            os.read(self._begun[-1].parsed, 1)

    def results(
        self,
        runs: Iterator[StyleRun] = iter(()),  # noqa: B008
        progress: Callable[[str], None] = lambda line: None,
        strict: bool = True,
    ) -> list[PatchCheck]:
        """The checks in the order of the patches, with what checkpatch said of their mails.

        ``strict``: all that it says is a fault, not its errors alone.
        """
        found = []
        for number, begun in enumerate(self._begun, 1):
            progress(f"verify {number}/{len(self._begun)}: {begun.subject}")
            style = next(runs, None)
            looked = begun.work.result()
            found.append(looked.check(begun.subject, style.result() if style else None, strict))
        return found


def check_all(
    jobs: Sequence[Job],
    mails: Sequence[bytes] = (),
    progress: Callable[[str], None] = lambda line: None,
    strict: bool = True,
) -> list[PatchCheck]:
    """Check all patches of a series; the tree's checkpatch runs where ``mails`` are given."""
    root = jobs[0].after.root if jobs else Path()
    _configure(jobs)
    with Checks() as checks, styles(root, mails) as runs:
        for job in jobs:
            checks.add(job)
        return checks.results(runs, progress, strict)


def _configure(jobs: Sequence[Job]) -> None:
    """Find out how the sources are parsed, once for all checks, which are forks of this."""
    for job in jobs:
        for path in job.changed:
            if path.endswith(".c") and job.after.read(path) is not None:
                try:
                    job.after.config(path)
                except UserError:
                    continue  # what is wrong with it is said by its check


def _look(job: Job, earlier: int, open_until_parsed: int) -> _Looked:
    if earlier >= 0:
        os.read(earlier, 1)
    renamed = dict(job.renamed)
    old = {path: job.before.read(path) for path in (*job.changed, *renamed.values())}
    new = {path: job.after.read(path) for path in job.changed}
    lines = Changed(
        {path: data for path, data in old.items() if data is not None},
        {path: data for path, data in new.items() if data is not None},
        renamed,
    )
    parses = check_parses(job.before, job.after, job.changed, lines)
    api = _api(job.after, job.changed)
    os.close(open_until_parsed)
    links = check_links(job.before, job.after, job.changed)
    flags = unfollowed_flags(job.after, parses.sources, lines)
    lint = lint_delta(job.before, job.after, parses.sources, lines, job.ground)
    return _Looked(parses, links, flags, *api, lint)


def _api(after: TreeState, changed: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Whether the header of this state is a sound API; only asked where it changed."""
    header = "include/linux/mmu_notifier.h"
    if header not in changed:
        return "same", ()
    found = after.surface()
    faults = tuple(str(problem) for problem in found.diagnostics)
    return ("ok" if not faults else "errors"), faults


def require(checks: Sequence[PatchCheck], allow_undecided: bool = False) -> None:
    """CheckFailed with the first faults, where a patch must not ship.

    Notifier code that was not analysed is one, unless ``allow_undecided``.
    """
    for number, check in enumerate(checks, 1):
        faults = check.faults if allow_undecided else (*check.faults, *check.undecided)
        if faults:
            raise CheckFailed(
                f"patch {number}/{len(checks)} ({check.subject}) failed its checks",
                evidence=tuple(faults[:10]),
            )
