# SPDX-License-Identifier: GPL-2.0-only
"""tree → plan → edits: which patches, on which state, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from patchgen.edits.landing import Misplaced
from patchgen.edits.realise import message, realised
from patchgen.model.base import Evidence
from patchgen.model.outcome import Refused, UserError
from patchgen.model.plan import AlreadyThere, Patch, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, load
from patchgen.recipes.planned import Choice, Planned, SeriesPlan
from patchgen.source.facts.state import TreeState
from patchgen.verify.landed import confirm


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
    confirmed: bool = True,
) -> SeriesPlan:
    """Plan the recipes on a tree, each step on the state that the one before left.

    ``made`` is told of each step that gives a patch; a later one can still be refused.
    Without ``confirmed`` the compiler is not asked where edits land: who generates asks
    (:func:`unconfirmed`) when the patches are parsed in any case.
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
            answer = step(state, options)
            result = made_of(answer, state) if isinstance(answer, PatchPlan) else answer
            if isinstance(result, Refusal):
                names_so_far = tuple(known.name for known in recipes)
                return SeriesPlan(names_so_far, (), tuple(already), (result,), first, first)
            if isinstance(result, AlreadyThere):
                already.append(result)
            elif isinstance(result, Planned):
                planned.append(result)
                made(result)
                state = result.after
    order = tuple(recipe.name for recipe in recipes)
    if confirmed and (wrong := unconfirmed(planned)):
        return SeriesPlan(order, (), tuple(already), wrong, first, first)
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


def made_of(plan: PatchPlan, state: TreeState) -> Planned | Refusal | None:
    """A step's patch and the state behind it; why its edits cannot be made; None: no edits."""
    if not plan.changes:
        return None
    try:
        found = realised(plan.changes, state.read)
    except Misplaced as error:
        return _misplaced(plan.recipe, error.evidence)
    followed: dict[str, frozenset[str]] = {}
    for landing in found.landings:
        known = followed.get(landing.path, frozenset())
        followed[landing.path] = known | {landing.function}
    after = state.after(found.files, followed)
    return Planned(plan, _patch(plan, found.files), state, after, found.landings)


def unconfirmed(planned: Sequence[Planned]) -> tuple[Refusal, ...]:
    """The patches of whose edits the compiler does not see what their recipe means."""
    pairs = ((one, confirm(one.after, one.landings)) for one in planned)
    return tuple(_misplaced(one.plan.recipe, *wrong) for one, wrong in pairs if wrong)


def _misplaced(recipe: str, *evidence: Evidence) -> Refusal:
    reason = "an edit would not mean what it says where it lands"
    return Refusal(recipe, "unsafe", reason, evidence)


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


def refuse(refusals: Sequence[Refusal]) -> None:
    """Raise Refused, with every piece of the first one's evidence, where there is one."""
    for refusal in refusals:
        evidence = tuple(str(one) for one in refusal.evidence)
        raise Refused(refusal.reason, refusal.recipe, evidence=evidence)
