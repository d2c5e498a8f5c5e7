# SPDX-License-Identifier: GPL-2.0-only
"""commits → verification: what each patch must show before it ships."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.facts.state import TreeState
from patchgen.outcome import CheckFailed
from patchgen.verify.checked import PatchCheck
from patchgen.verify.checkpatch import StyleRun
from patchgen.verify.lint_delta import lint_delta
from patchgen.verify.parses import check_parses


def check_patch(
    before: TreeState,
    after: TreeState,
    subject: str,
    changed: Sequence[str],
    mail: bytes,
    run_checkpatch: bool = True,
    begun: StyleRun | None = None,
) -> PatchCheck:
    """Check one patch whose result is the state ``after``; it was applied already.

    ``begun`` is checkpatch's run on it where that was started before.
    """
    parses = check_parses(before, after, changed)
    api, api_faults = _api(after, changed)
    lint = lint_delta(before, after, parses.files)
    style = "not run"
    introduced = [f"{f.place}: {f.message} [{f.rule}]" for f in lint.introduced]
    faults = [*parses.new, *api_faults, *introduced]
    if run_checkpatch:
        result = (begun or StyleRun(after.root, mail)).result()
        style = result.state if result.state != "absent" else f"not run ({result.reason})"
        faults += [f"checkpatch: {complaint}" for complaint in result.complaints]
    return PatchCheck(
        subject, True, len(parses.files), parses.new, api, lint, style, tuple(dict.fromkeys(faults))
    )


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
