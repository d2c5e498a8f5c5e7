# SPDX-License-Identifier: GPL-2.0-only
"""x86's setter counts a page again that it maps anew (5.15 to 6.9).

To follow change_pte(), the rmap MMU clears an SPTE, which counts the page as gone, and then
sets the new one, which counts nothing.  Nothing comes there while range_start() zaps first; a
range that is left to change_pte() does, and the statistics of the guest's pages run down.

Before:

    mmu_spte_clear_track_bits(kvm, sptep);
    mmu_spte_set(sptep, new_spte);

After:

    mmu_spte_clear_track_bits(kvm, sptep);
    mmu_spte_set(sptep, new_spte);
    kvm_update_page_stats(kvm, level, 1);
"""

from __future__ import annotations

from patchgen.analysis.handlers.page_stats import COUNT, MMU, page_stats
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import ExprStmt, Function
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult, sound_facts
from patchgen.recipes.kvm.kvm_change_pte import kvm_of, only_hva_range
from patchgen.recipes.wrapping import line_prefix
from patchgen.source.c.text import bare
from patchgen.source.c.walk import walk
from patchgen.source.facts.kvm import KVM_MAIN

NAME = "kvm-rmap-page-stats"


def plan(state: State, options: Options) -> StepResult:
    """The page counted behind the write of its SPTE, or why not."""
    refusal = only_hva_range(state, NAME)
    if refusal is not None:
        return refusal
    counted = page_stats(state.read)
    if counted.answer == "undecided":
        return _refusal(counted.why)
    if counted.answer in ("none", "right") or counted.at is None:
        place = Place(KVM_MAIN, kvm_of(state).table.line)
        return AlreadyThere(NAME, (Evidence(place, "the setter counts each page that it maps"),))
    place = counted.at
    sound_facts(state, MMU)
    found = _write(state.functions(MMU), place.line)
    if found is None:
        return _refusal((Evidence(place, "the write is no statement of its own"),))
    function, write = found
    params = {p.name: p.type for p in function.params}
    if params.get("level") != "int" or params.get("kvm", "").split() != ["struct", "kvm", "*"]:
        return _refusal((Evidence(place, f"{function.name}() has no kvm and level to count by"),))
    source = state.read(MMU) or b""
    at = source.index(b"\n", write.span.end) + 1
    if source[write.span.end : at].strip():
        return _refusal((Evidence(place, "something stands behind the write on its line"),))
    return PatchPlan(
        recipe=NAME,
        subject=f"KVM: x86/mmu: count the page that {function.name}() maps",
        message=f"{NAME}/message.j2",
        context={"function": function.name, "start": kvm_of(state).start},
        changes=(
            Change(
                MMU,
                Span(at, at),
                f"{NAME}/line.c.j2",
                {"pad": line_prefix(source, write.span.start), "count": COUNT},
                Meant(function.name),
            ),
        ),
        note="1 file",
    )


def _write(functions: tuple[Function, ...], line: int) -> tuple[Function, ExprStmt] | None:
    """The statement in a line that is one call, and its function."""
    for function in functions:
        for stmt in walk(function.body):
            if isinstance(stmt, ExprStmt) and stmt.line == line and bare(stmt.expr).kind == "call":
                return function, stmt
    return None


def _refusal(why: tuple[Evidence, ...]) -> Refusal:
    reason = "how x86's setter counts the guest's pages is not understood, or not mended here"
    return Refusal(NAME, "unsafe", reason, why)


RECIPE = Recipe(
    name=NAME,
    summary="x86's setter counts a page again that change_pte() has it map anew",
    steps=(plan,),
    applies=lambda state: only_hva_range(state, NAME),
)
