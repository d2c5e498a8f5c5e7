# SPDX-License-Identifier: GPL-2.0-only
"""findings → plan: mechanical mends on the same way as a recipe's patches."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.edits.realise import message, new_files
from patchgen.model.findings import Finding
from patchgen.model.plan import Patch
from patchgen.recipes.mends.mends import NAME, SUBJECTS, plan_mends
from patchgen.recipes.planned import Planned, SeriesPlan
from patchgen.source.facts.state import TreeState


def plan_fixes(
    state: TreeState, findings: Sequence[Finding]
) -> tuple[SeriesPlan, tuple[Finding, ...]]:
    """A plan that mends what can be mended mechanically, and the findings that are left.

    Patches are planned one on the other: spans are taken anew behind each.
    """
    first = state
    planned: list[Planned] = []
    rest = tuple(finding for finding in findings if finding.rule not in SUBJECTS)
    todo = tuple(finding for finding in findings if finding.rule in SUBJECTS)
    # One rule and file at a time; no mend moves the spans of another file.
    by_file: dict[tuple[str, str], list[Finding]] = {}
    for finding in todo:
        by_file.setdefault((finding.place.path, finding.rule), []).append(finding)
    touched: set[str] = set()
    for (path, _), group in sorted(by_file.items()):
        if path in touched:
            rest += tuple(group)  # its spans are of the file as it was: left for a second run
            continue
        plans, left = plan_mends(state, group)
        rest += left
        for plan in plans:
            files = new_files(plan.changes, state.read)
            after = state.after(files)
            contents = {name: data for name, data in files.items() if data is not None}
            patch = Patch(NAME, plan.subject, message(plan, {}), contents, plan.note)
            planned.append(Planned(plan, patch, state, after))
            state = after
            touched |= set(files)
    return SeriesPlan((), tuple(planned), (), (), first, state), rest
