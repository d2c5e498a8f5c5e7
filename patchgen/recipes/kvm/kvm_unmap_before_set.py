# SPDX-License-Identifier: GPL-2.0-only
"""An architecture's setter unmaps the old page itself (5.13 to 6.9).

kvm_set_spte_gfn() was only ever called for what range_start() had unmapped.  Where it is not
seen to bring a mapping that is there up to date on each way through it, the unmapping goes
before everything that it does: the order of events stays what it was, only later.

Before:

    WARN_ON(range->end - range->start != 1);

After:

    kvm_unmap_gfn_range(kvm, range);

    WARN_ON(range->end - range->start != 1);
"""

from __future__ import annotations

from patchgen.analysis.handlers.gfn_setters import Setter, gfn_setters
from patchgen.analysis.handlers.hva_range import SET, UNMAP
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Function
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult
from patchgen.recipes.kvm.kvm_change_pte import behind_declarations, kvm_of, only_hva_range
from patchgen.recipes.kvm.listing import listing
from patchgen.source.facts.kvm import KVM_MAIN

NAME = "kvm-unmap-before-set"


def wrong(state: State) -> tuple[Setter, ...]:
    """The setters that are not seen to be right for a page that is still mapped."""
    return tuple(s for s in gfn_setters(state.read, listing(state.root)) if s.faults)


def plan(state: State, options: Options) -> StepResult:
    """The unmapping in front, in each setter that needs it, or why not."""
    refusal = only_hva_range(state, NAME)
    if refusal is not None:
        return refusal
    found = wrong(state)
    if not found:
        place = Place(KVM_MAIN, kvm_of(state).table.line)
        return AlreadyThere(NAME, (Evidence(place, "every setter brings a mapping up to date"),))
    changes = []
    for setter in found:
        change = _change(state, setter)
        if isinstance(change, Refusal):
            return change
        changes.append(change)
    arches = [setter.arch for setter in found]
    return PatchPlan(
        recipe=NAME,
        subject=f"KVM: {', '.join(arches)}: unmap the old page in {SET}()",
        message=f"{NAME}/message.j2",
        context={
            "setter": SET,
            "unmap": UNMAP,
            "start": kvm_of(state).start,
            "where": [f"{s.faults[0].place}: {s.faults[0].text}" for s in found],
            "files": sorted({change.path for change in changes}),
        },
        changes=tuple(changes),
        note=f"{len(changes)} file{'s' if len(changes) > 1 else ''}",
        limits=tuple(f"{arch} drops the old page before it maps the new one" for arch in arches),
    )


def _change(state: State, setter: Setter) -> Change | Refusal:
    path = setter.place.path
    function = state.definitions(path).get(SET)
    why = setter.faults
    if not setter.settles:
        what = f"what its {UNMAP}() answers would be lost"
        return _refusal((*why, Evidence(setter.place, what)))
    params = [(p.type.split(), p.name) for p in function.params] if function is not None else []
    if [kind for kind, _ in params] != [["struct", "kvm", "*"], ["struct", "kvm_gfn_range", "*"]]:
        return _refusal((*why, Evidence(setter.place, f"{SET}() has other parameters")))
    assert isinstance(function, Function)
    at = behind_declarations(function, state.read(path) or b"", path)
    if isinstance(at, Evidence):
        return _refusal((*why, at))
    context: dict[str, str | int | bool | list[str]] = {
        "unmap": UNMAP, "kvm": params[0][1], "range": params[1][1],
    }  # fmt: skip
    return Change(path, Span(at, at), f"{NAME}/lines.c.j2", context, Meant(SET, first=True))


def _refusal(why: tuple[Evidence, ...]) -> Refusal:
    reason = f"{SET}() may leave a page mapped that change_pte() replaces, and is not mended here"
    return Refusal(NAME, "unsafe", reason, why)


RECIPE = Recipe(
    name=NAME,
    summary="an architecture's setter that is not right for a mapped page unmaps it first",
    steps=(plan,),
    applies=lambda state: only_hva_range(state, NAME),
)
