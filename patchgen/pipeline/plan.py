# SPDX-License-Identifier: GPL-2.0-only
"""tree → plan → edits: which patches, on which state, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patchgen.edits.realise import message, new_files
from patchgen.model.outcome import Refused, UserError
from patchgen.model.plan import AlreadyThere, Patch, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, load
from patchgen.recipes.planned import Choice, Planned, SeriesPlan
from patchgen.source.facts.state import TreeState


def in_order(names: Sequence[str], state: TreeState) -> tuple[Recipe, ...]:
    """The recipes and all that they build on, what is built on first.

    UserError: no such recipe, or recipes that need each other in a circle.
    """
    ordered: dict[str, Recipe] = {}
    opened: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in opened:
            raise UserError(f"recipes need each other: {' → '.join([*opened, name])}")
        opened.append(name)
        recipe = load(name)
        for needed in recipe.needs(state):
            visit(needed)
        opened.pop()
        ordered[name] = recipe

    for name in names:
        visit(name)
    return tuple(ordered.values())


def make_plan(
    state: TreeState,
    names: Sequence[str],
    options: Options | None = None,
    choice: Choice | None = None,
    made: Callable[[Planned], None] = lambda planned: None,
) -> SeriesPlan:
    """Plan the recipes on a tree, each step on the state that the one before left.

    ``made`` is told of each step that gives a patch; a later one can still be refused.
    """
    options = options or Options()
    choice = choice or Choice()
    first = state
    refusals = tuple(_refused(names, state))
    if refusals:
        return SeriesPlan(tuple(names), (), (), refusals, first, first)
    recipes = _chosen(in_order(names, state), choice)
    planned: list[Planned] = []
    already: list[AlreadyThere] = []
    for recipe in recipes:
        for step in recipe.steps:
            result = step(state, options)
            if isinstance(result, Refusal):
                names_so_far = tuple(known.name for known in recipes)
                return SeriesPlan(names_so_far, (), tuple(already), (result,), first, first)
            if isinstance(result, AlreadyThere):
                already.append(result)
                continue
            if not result.changes:
                continue
            files = new_files(result.changes, state.read)
            after = state.after(files)
            patch = _patch(result, files)
            planned.append(Planned(result, patch, state, after))
            made(planned[-1])
            state = after
    order = tuple(recipe.name for recipe in recipes)
    return SeriesPlan(order, tuple(planned), tuple(already), (), first, state)


def _refused(names: Sequence[str], state: TreeState) -> list[Refusal]:
    found = []
    for name in names:
        refusal = load(name).applies(state)
        if refusal is not None:
            found.append(refusal)
    return found


def _chosen(recipes: tuple[Recipe, ...], choice: Choice) -> tuple[Recipe, ...]:
    known = {recipe.name for recipe in recipes}
    for name in (*choice.only, *choice.skip, *((choice.until,) if choice.until else ())):
        if name not in known:
            raise UserError(f"recipe '{name}' is not part of this plan",
                            hint=f"it has: {', '.join(r.name for r in recipes)}")  # fmt: skip
    kept = []
    for recipe in recipes:
        if (not choice.only or recipe.name in choice.only) and recipe.name not in choice.skip:
            kept.append(recipe)
        if recipe.name == choice.until:
            break
    return tuple(kept)


def _patch(plan: PatchPlan, files: dict[str, bytes | None]) -> Patch:
    contents = {path: data for path, data in files.items() if data is not None}
    return Patch(
        recipe=plan.recipe,
        subject=plan.subject,
        message=message(plan, {}),
        files=contents,
        note=plan.note,
        left_alone=plan.left_alone,
        limits=plan.limits,
    )


def refuse(plan: SeriesPlan) -> None:
    """Raise Refused, with every refusal's evidence, where there is one."""
    for refusal in plan.refusals:
        lines = [refusal.reason, *(f"    {evidence}" for evidence in refusal.evidence)]
        raise Refused("\n".join(lines), refusal.recipe)
