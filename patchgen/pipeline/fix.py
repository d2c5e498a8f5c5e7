# SPDX-License-Identifier: GPL-2.0-only
"""findings → plan: mechanical mends on the same way as a recipe's patches."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.findings import Finding
from patchgen.pipeline.plan import made_of
from patchgen.recipes.mends.mends import SUBJECTS, plan_mends
from patchgen.recipes.planned import Planned, SeriesPlan
from patchgen.source.facts.state import TreeState
from patchgen.verify.landed import confirm


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
            made = made_of(plan, state)
            wrong = confirm(made.after, made.landings) if isinstance(made, Planned) else ()
            if not isinstance(made, Planned) or wrong:
                rest += tuple(group)  # nothing is mended by an edit that means something else
                continue
            planned.append(made)
            state = made.after
            touched |= set(made.patch.files)
    return SeriesPlan((), tuple(planned), (), (), first, state), rest
