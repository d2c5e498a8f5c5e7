# SPDX-License-Identifier: GPL-2.0-only
"""What the cover letter says, from what was planned and verified; nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from patchgen.commits.build import CommittedSeries
from patchgen.edits.render import render
from patchgen.model.base import Value
from patchgen.recipes.planned import SeriesPlan
from patchgen.series.write.cover import Cover, Section
from patchgen.verify.checked import PatchCheck
from patchgen.verify.checkpatch import IGNORED


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
    messages = {planned.plan.message for planned in plan.planned}
    main = plan.planned[-1].plan
    text = render(
        "series/problem.j2",
        {
            "recipes": sorted(recipes),
            "context": "mmu-notifier-v05" in recipes,
            "flags": bool(messages & _FLAGGING),
            "defines": any(planned.plan.context.get("defines") for planned in plan.planned),
        },
    )
    tree = plan.first.tree
    return Cover(
        title=supplied.title or main.subject,
        sections=tuple(Section("", part) for part in text.strip().split("\n\n") if part.strip()),
        verified=_verified(plan, checks),
        uncovered=tuple(_uncovered(plan, checks, supplied)),
        limits=tuple(
            dict.fromkeys(limit for planned in plan.planned for limit in planned.plan.limits)
        ),
        benchmark=supplied.benchmark,
        proof=supplied.proof,
        boot=supplied.boot,
        tree=f"Linux {tree.version}",
        base=series.base,
        base_note=_base_note(series),
    )


#: Messages of patches that flag ranges.
_FLAGGING = {"use-change-pte-flag/message.j2", "mmu-notifier-v05/9-change-pte-flag.j2"}


def _base_note(series: CommittedSeries) -> str:
    """What stands in the place of ``base-commit:``, where there is no such commit."""
    source = series.source
    if series.base:
        return ""
    if source.is_git:
        changed = ", ".join(series.modified)
        return f"commit {source.head[:12]} with local changes to {changed}"
    return f"plain folder, no commit ({source.note})" if source.note else "plain folder, no commit"


def _uncovered(plan: SeriesPlan, checks: Sequence[PatchCheck], supplied: Supplied) -> Iterator[str]:
    for planned in plan.planned:
        for alone in planned.plan.left_alone:
            yield f"{alone.place} is left as it is: {alone.reason}"
    said = {check.style for check in checks if check.style not in ("clean", "complaints")}
    yield from (f"scripts/checkpatch.pl was {why}" for why in sorted(said))
    if not supplied.boot:
        yield "the patches were parsed by clang, not compiled, and not run"


def _verified(plan: SeriesPlan, checks: Sequence[PatchCheck]) -> tuple[str, ...]:
    """One statement for each thing that `generate` stops at where it is not so."""
    if not checks:
        return ()
    parsed = ", ".join(str(check.asked) for check in checks)
    fixed = sum(len(check.lint.fixed) for check in checks)
    gone = f"; {fixed} {'is' if fixed == 1 else 'are'} gone" if fixed else ""
    said = [
        "each mail was read back, and applies on the one before it",
        "every source that a patch touches, and every source that mentions the notifier API and"
        " uses a declaration that the patch changes, parses with clang without a new diagnostic"
        f" (one architecture each; files per patch: {parsed})",
        "the lint rules find nothing in the .c files among them that they did not find before"
        f"{gone}",
    ]
    if plan.recipes:
        said.append("a second run of these recipes on the result plans nothing")
    if all(check.style == "clean" for check in checks):
        said.append(
            "the tree's scripts/checkpatch.pl --strict has no complaint about any patch"
            f" ({', '.join(IGNORED)} were not asked)"
        )
    return tuple(said)
