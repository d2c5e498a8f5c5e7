# SPDX-License-Identifier: GPL-2.0-only
"""What the cover letter says, from what was planned and verified; nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.commits.build import CommittedSeries
from patchgen.edits.render import render
from patchgen.model.base import Value
from patchgen.recipes.planned import SeriesPlan
from patchgen.series.write.cover import Cover, Section
from patchgen.verify.checked import PatchCheck


class Supplied(Value, frozen=True):
    """Evidence that the user or this run supplied; "" where there is none."""

    title: str = ""
    benchmark: str = ""
    proof: str = ""
    boot: str = ""


def build_cover(
    plan: SeriesPlan,
    series: CommittedSeries,
    checks: Sequence[PatchCheck],
    supplied: Supplied | None = None,
) -> Cover:
    """The cover letter's parts.  Figures come from ``supplied`` only."""
    supplied = supplied or Supplied()
    recipes = {planned.plan.recipe for planned in plan.planned}
    main = plan.planned[-1].plan
    left = [alone for planned in plan.planned for alone in planned.plan.left_alone]
    text = render(
        "series/problem.j2",
        {
            "recipes": sorted(recipes),
            "subjects": [planned.patch.subject for planned in plan.planned],
        },
    )
    tree = plan.first.tree
    return Cover(
        title=supplied.title or main.subject,
        sections=tuple(Section("", part) for part in text.strip().split("\n\n")),
        verified=_verified(checks),
        uncovered=(
            *(f"{alone.place} is left as it is: {alone.reason}" for alone in left),
            "the patches were compiled by nothing but clang's parser, and not run",
        )
        if not supplied.boot
        else tuple(f"{alone.place} is left as it is: {alone.reason}" for alone in left),
        limits=tuple(
            dict.fromkeys(limit for planned in plan.planned for limit in planned.plan.limits)
        ),
        benchmark=supplied.benchmark,
        proof=supplied.proof,
        boot=supplied.boot,
        tree=f"Linux {tree.version}",
        base=series.base,
        base_note="" if series.base else "plain folder, no commit",
    )


def _verified(checks: Sequence[PatchCheck]) -> tuple[str, ...]:
    if not checks:
        return ()
    parsed = ", ".join(str(check.parsed) for check in checks)
    said = [
        "each patch applies on the one before it",
        "every touched file, and every file that uses a touched declaration, parses with"
        f" clang without a new diagnostic (files per patch: {parsed})",
        "the lint rules find nothing in these files that they did not find before",
        "a second run of the generator on the result finds nothing to do",
    ]
    styles = {check.style for check in checks}
    if styles == {"clean"}:
        said.append("the tree's scripts/checkpatch.pl --strict is clean on each patch")
    return tuple(said)
