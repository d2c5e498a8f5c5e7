# SPDX-License-Identifier: GPL-2.0-only
"""commits → verification: what each patch must show before it ships."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from patchgen.facts.state import TreeState
from patchgen.outcome import CheckFailed
from patchgen.pipeline.background import Background
from patchgen.verify.checked import PatchCheck
from patchgen.verify.checkpatch import StyleCheck, styles
from patchgen.verify.lint_delta import LintDelta, lint_delta
from patchgen.verify.parses import ParseCheck, check_parses

#: Lints of patches that are under way at once, beside the parses of later ones.
LINTS = 2


class Job(NamedTuple):
    """A patch to check: the states around it, what it changes, its mail.

    Its result is the state ``after``: it was applied already.
    """

    before: TreeState
    after: TreeState
    subject: str
    changed: tuple[str, ...]
    mail: bytes


class _Begun(NamedTuple):
    job: Job
    parses: ParseCheck
    api: str
    api_faults: tuple[str, ...]
    style: StyleCheck | None
    lint: Background[LintDelta]

    def check(self) -> PatchCheck:
        lint = self.lint.result()
        style = "not run"
        introduced = [f"{f.place}: {f.message} [{f.rule}]" for f in lint.introduced]
        faults = [*self.parses.new, *self.api_faults, *introduced]
        if self.style is not None:
            absent = self.style.state == "absent"
            style = f"not run ({self.style.reason})" if absent else self.style.state
            faults += [f"checkpatch: {complaint}" for complaint in self.style.complaints]
        return PatchCheck(
            self.job.subject, True, len(self.parses.files), self.parses.new, self.api, lint,
            style, tuple(dict.fromkeys(faults)),
        )  # fmt: skip


@contextlib.contextmanager
def checking(
    jobs: Sequence[Job],
    run_checkpatch: bool = True,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[Callable[[], list[PatchCheck]]]:
    """Check the patches of a series; the block can do other things before it asks.

    All is parsed when the block begins, and findings are compared in processes beside
    it.  What it is given waits for them and gives the checks, in the order of ``jobs``.
    """
    begun: list[_Begun] = []
    mails = [job.mail for job in jobs] if run_checkpatch and jobs else []
    root = jobs[0].after.root if jobs else Path()
    with contextlib.ExitStack() as ending, styles(root, mails) as runs:
        for number, job in enumerate(jobs, 1):
            progress(f"verify {number}/{len(jobs)}: {job.subject}")
            run = next(runs, None)
            parses = check_parses(job.before, job.after, job.changed)
            api = _api(job.after, job.changed)
            if len(begun) >= LINTS:
                begun[-LINTS].lint.wait()
            lint = Background("lint", functools.partial(lint_delta, *job[:2], parses.files))
            ending.callback(lint.stop)
            begun.append(_Begun(job, parses, *api, run.result() if run else None, lint))
        yield lambda: [one.check() for one in begun]


def _api(after: TreeState, changed: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Whether the header of this state is a sound API; only asked where it changed."""
    header = "include/linux/mmu_notifier.h"
    if header not in changed:
        return "same", ()
    found = after.surface()
    faults = tuple(str(problem) for problem in found.diagnostics)
    return ("ok" if not faults else "errors"), faults


def require(checks: Sequence[PatchCheck]) -> None:
    """CheckFailed with the first faults, where a patch must not ship."""
    for number, check in enumerate(checks, 1):
        if check.faults:
            shown = "\n".join(f"    {fault}" for fault in check.faults[:10])
            raise CheckFailed(
                f"patch {number}/{len(checks)} ({check.subject}) failed its checks:\n{shown}"
            )
