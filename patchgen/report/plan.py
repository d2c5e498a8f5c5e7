# SPDX-License-Identifier: GPL-2.0-only
"""A plan and its verification: text for people, plain data for JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from patchgen.recipes.planned import SeriesPlan
from patchgen.verify.checked import PatchCheck


def plan_lines(plan: SeriesPlan) -> Iterator[str]:
    """The plan: patches with what they touch, what is there, what is refused."""
    for already in plan.already:
        yield f"there   {already.recipe}"
        yield from (f"         {evidence}" for evidence in already.evidence)
    total = len(plan.planned)
    if total:
        yield "plan"
    width = max((len(planned.patch.subject) for planned in plan.planned), default=0)
    for number, planned in enumerate(plan.planned, 1):
        inserted, removed = changed_lines(planned.patch.files, planned.before.read)
        size = f"+{inserted} -{removed}" if removed else f"+{inserted}"
        yield f"  {number}/{total}  {planned.patch.subject:<{width}}  {planned.patch.note}, {size}"
        for row, alone in enumerate(planned.plan.left_alone):
            head = "left alone: " if row == 0 else " " * 12
            yield f"         {head}{alone.place} ({alone.reason})"
        for limit in planned.plan.limits:
            yield f"         limit: {limit}"
    for refusal in plan.refusals:
        yield f"refused  {refusal.recipe}: {refusal.reason}"
        yield from (f"         {evidence}" for evidence in refusal.evidence)
    if not total and not plan.refusals:
        yield "nothing to do: the tree has the change already"


def changed_lines(files: dict[str, bytes], read: Callable[[str], bytes | None]) -> tuple[int, int]:
    """Inserted and removed lines over all files."""
    import difflib

    inserted = removed = 0
    for path, new in files.items():
        old = (read(path) or b"").splitlines()
        for line in difflib.unified_diff(_text(old), _text(new.splitlines()), n=0, lineterm=""):
            inserted += line.startswith("+") and not line.startswith("+++")
            removed += line.startswith("-") and not line.startswith("---")
    return inserted, removed


def _text(lines: list[bytes]) -> list[str]:
    return [line.decode("latin-1") for line in lines]


def check_lines(checks: Sequence[PatchCheck]) -> Iterator[str]:
    """The verification table."""
    if not checks:
        return
    parses = [check.parse_cell for check in checks]
    wide = max(6, *(len(cell) for cell in parses))
    api = [check.api if len(check.api) <= 40 else check.api[:37] + "..." for check in checks]
    rows = [("verify", "applies", "parses".ljust(wide), "lint", "checkpatch", "API")]
    total = len(checks)
    for number, check in enumerate(checks, 1):
        rows.append(
            (f"  {number}/{total}", "yes" if check.applies else "no",
             parses[number - 1].ljust(wide), check.lint_cell, check.style, api[number - 1])
        )  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def plan_data(plan: SeriesPlan) -> dict[str, Any]:
    """The plan as plain data: places as file and line, patches with their files."""
    return {
        "tree": plan.first.tree.version,
        "recipes": list(plan.recipes),
        "patches": [
            {
                "recipe": planned.plan.recipe,
                "subject": planned.patch.subject,
                "files": sorted(planned.patch.files),
                "note": planned.patch.note,
                "left_alone": [
                    {"file": alone.place.path, "line": alone.place.line, "reason": alone.reason}
                    for alone in planned.plan.left_alone
                ],
                "limits": list(planned.plan.limits),
            }
            for planned in plan.planned
        ],
        "already": [
            {"recipe": already.recipe, "evidence": _evidence(already.evidence)}
            for already in plan.already
        ],
        "refusals": [
            {
                "recipe": refusal.recipe,
                "kind": refusal.kind,
                "reason": refusal.reason,
                "evidence": _evidence(refusal.evidence),
            }
            for refusal in plan.refusals
        ],
    }


def _evidence(found: Any) -> list[dict[str, Any]]:
    return [{"file": one.place.path, "line": one.place.line, "text": one.text} for one in found]
