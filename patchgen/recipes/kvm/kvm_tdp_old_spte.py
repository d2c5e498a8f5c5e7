# SPDX-License-Identifier: GPL-2.0-only
"""x86's TDP MMU is told what it overwrites when change_pte() replaces an SPTE.

The TDP MMU's setter (5.10 to 6.9) clears the SPTE, then sets the new one, through an
iterator whose old_spte still is the value from before the clearing: the second change
is accounted for as one from a present SPTE to another, and with another page that is a
BUG().  Nothing comes there while range_start() zaps first; a range that is left to
change_pte() does.  Whether a tree has this is read from its code
(:mod:`patchgen.analysis.spte.setter`), and so is whether the patched code is right.

Before:

    tdp_mmu_set_spte(kvm, &iter, 0);
    ...
    new_spte = kvm_mmu_changed_pte_notifier_make_spte(iter.old_spte, new_pfn);
    tdp_mmu_set_spte(kvm, &iter, new_spte);

After:

    tdp_mmu_set_spte(kvm, &iter, 0);
    ...
    new_spte = kvm_mmu_changed_pte_notifier_make_spte(iter.old_spte, new_pfn);
    /* The SPTE was cleared above. */
    iter.old_spte = 0;
    tdp_mmu_set_spte(kvm, &iter, new_spte);
"""

from __future__ import annotations

from pathlib import Path

from patchgen import memo
from patchgen.analysis.spte.code import OLD, Sources
from patchgen.analysis.spte.setter import Setter, read_by, tdp_setter
from patchgen.analysis.spte.state import Stale
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Block, ExprStmt
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult, sound_facts
from patchgen.recipes.kvm import hva_range
from patchgen.recipes.kvm.kvm_change_pte import HELPER, kvm_of, refuse_idiom
from patchgen.recipes.wrapping import line_prefix
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.walk import walk
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.store import program

NAME = "kvm-tdp-old-spte"


def setter_of(state: State) -> Setter:
    """The judgement on this tree's TDP MMU: none, right, stale or undecided."""
    return _judged(state, *_names(state))


def plan(state: State, options: Options) -> StepResult:
    """The iterator's copy cleared before each write that would be told the old value."""
    refusal = refuse_idiom(state, NAME)
    if refusal:
        return refusal
    setter = setter_of(state)
    if setter.answer in ("none", "right"):
        nothing = Evidence(Place(KVM_MAIN, kvm_of(state).table.line), "meets no TDP MMU of x86")
        return AlreadyThere(NAME, setter.rests_on or (nothing,))
    if setter.answer == "undecided":
        return _refusal(setter.why)
    changes = []
    for stale in setter.stale:
        sound_facts(state, stale.path)
        source = state.read(stale.path) or b""
        change = _cleared(state.definitions(stale.path), source, stale)
        if isinstance(change, Evidence):
            return _refusal((change,))
        changes.append(change)
    after = _judged(_Patched(state, changes), *_names(state))
    if after.answer != "right":
        return _refusal(after.why or tuple(_at(stale) for stale in after.stale))
    functions = list(dict.fromkeys(stale.function for stale in setter.stale))
    return PatchPlan(
        recipe=NAME,
        subject=f"KVM: x86/mmu: drop the stale {OLD} in {functions[0]}()",
        message=f"{NAME}/message.j2",
        context={
            "functions": [f"{name}()" for name in functions],
            "start": kvm_of(state).start,
            "bug": setter.bug,
        },
        changes=tuple(changes),
        note=f"{len({change.path for change in changes})} file",
    )


def exposed(before: State, after: State) -> tuple[Evidence, ...]:
    """What a patch brings to light that leaves ranges to change_pte(): faults, with their lines.

    Empty where it does not, or where every setter is right for a page that is still mapped.
    """
    guarded = HELPER.encode()
    if guarded in (before.read(KVM_MAIN) or b"") or guarded not in (after.read(KVM_MAIN) or b""):
        return ()
    if not kvm_of(after).change_pte:
        return ()
    kvm = kvm_of(after)
    if kvm.idiom == "hva-range":
        refusal = hva_range.refuse(after, kvm) or hva_range.rests(after)
        return refusal.evidence if refusal is not None else ()
    setter = setter_of(after)
    return setter.why if setter.answer == "undecided" else tuple(map(_at, setter.stale))


def _judged(sources: Sources, change: str, start: str) -> Setter:
    """The judgement, remembered by the contents of all that it reads."""
    parts = [part for pair in read_by(sources, KVM_MAIN) for part in pair]
    key = memo.digest("tdp-setter", program("analysis"), change, start, *parts)
    known: Setter | None = memo.recall("proof", key, Setter)
    if known is None:
        known = tdp_setter(sources, KVM_MAIN, change, start)
        memo.remember("proof", key, known)
    return known


def _names(state: State) -> tuple[str, str]:
    kvm = kvm_of(state)
    return kvm.change_pte, kvm.start


def _at(stale: Stale) -> Evidence:
    text = f"{stale.function}() writes through {stale.copy}, which is not what the SPTE holds"
    return Evidence(Place(stale.path, stale.line), text)


def _refusal(why: tuple[Evidence, ...]) -> Refusal:
    reason = (
        "x86's TDP MMU may be told a wrong old SPTE by change_pte(), and this code is not mended"
        " here: a range left to it could end in BUG()"
    )
    return Refusal(NAME, "unsafe", reason, why)


def _cleared(known: Definitions, source: bytes, stale: Stale) -> Change | Evidence:
    """The line before the owner's statement, or what stands against it."""
    alone = any(
        isinstance(block, Block)
        and any(isinstance(s, ExprStmt) and s.span.start == stale.start for s in block.body)
        for block in walk(known[stale.function].body)
    )
    prefix = line_prefix(source, stale.start)
    if not alone or prefix.strip() or stale.value != "0":
        return Evidence(Place(stale.path, stale.line), "no line can be put before this write")
    at = stale.start - len(prefix.encode())
    assignment = f"{stale.copy} = {stale.value};"
    context: dict[str, str | int | bool | list[str]] = {"pad": prefix, "assignment": assignment}
    meant = Meant(stale.function)
    return Change(stale.path, Span(at, at), f"{NAME}/lines.c.j2", context, meant)


class _Patched:
    """The tree with the changes made, for the judgement on what they lead to."""

    def __init__(self, state: State, changes: list[Change]) -> None:
        self._state = state
        self._files: dict[str, bytes] = {}
        for change in sorted(changes, key=lambda change: change.span, reverse=True):
            source = self._files.get(change.path) or state.read(change.path) or b""
            text = f"{change.context['pad']}{change.context['assignment']}\n".encode()
            self._files[change.path] = (
                source[: change.span.start] + text + source[change.span.end :]
            )

    @property
    def root(self) -> Path:
        """The tree on disk."""
        return self._state.root

    def read(self, path: str) -> bytes | None:
        """A file's bytes, the changes made."""
        return self._files.get(path) or self._state.read(path)

    def definitions(self, path: str) -> Definitions:
        """A file's function definitions, the changes made."""
        if path in self._files:
            return Definitions({path: self._files[path]})
        return self._state.definitions(path)


RECIPE = Recipe(
    name=NAME,
    summary="x86's TDP MMU knows that the SPTE is clear when change_pte() sets the new one",
    steps=(plan,),
    applies=lambda state: refuse_idiom(state, NAME),
    changes_kvm=True,
)
