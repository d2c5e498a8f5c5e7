# SPDX-License-Identifier: GPL-2.0-only
"""change_pte() honours deferred TLB flushes as range_start() does.

x86's shadow MMU drops SPTEs without flushing in sync_page() and counts that in
kvm->tlbs_dirty; the flush is owed before the pages are freed.  Where only range_start()
pays it, a guard that skips range_start() would leave stale TLB entries behind.

Before:

    if (kvm_set_spte_hva(kvm, address, pte))
            kvm_flush_remote_tlbs(kvm);

After:

    if (kvm_set_spte_hva(kvm, address, pte) || kvm->tlbs_dirty)
            kvm_flush_remote_tlbs(kvm);
"""

from __future__ import annotations

from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Expr, Function, If
from patchgen.model.plan import AlreadyThere, Change, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult
from patchgen.recipes.kvm.kvm_change_pte import kvm_of, refuse_idiom
from patchgen.recipes.wrapping import WIDTH, columns, indent, line_prefix
from patchgen.source.c.body import functions_in
from patchgen.source.c.walk import calls, expressions, text_of, walk
from patchgen.source.facts.kvm import KVM_MAIN

NAME = "kvm-flush-deferred-tlb"


def plan(state: State, options: Options) -> StepResult:
    """The missing condition in change_pte(), or why nothing is to be done."""
    refusal = refuse_idiom(state, NAME)
    if refusal:
        return refusal
    kvm = kvm_of(state)
    facts = state.facts(KVM_MAIN)
    start, change = facts.function(kvm.start), facts.function(kvm.change_pte)
    if start is None or change is None:
        place = Place(KVM_MAIN, kvm.table.line)
        return Refusal(NAME, "unsafe", "a callback is not defined in this file",
                       (Evidence(place, f"{kvm.start}, {kvm.change_pte}"),))  # fmt: skip
    owed = _owed_in(start)
    if not owed:
        return AlreadyThere(
            NAME,
            (Evidence(Place(KVM_MAIN, start.line), "range_start() honours no deferred flush"),),
        )
    flush = _flushing_if(change)
    if flush is None:
        return Refusal(
            NAME,
            "unsafe",
            "change_pte() flushes on no condition that could be extended",
            (Evidence(Place(KVM_MAIN, change.line), change.name),),
        )
    known = {e.name for e in expressions(flush.test) if e.kind == "arrow"}
    missing = [member for member in owed if member.name not in known]
    if not missing:
        return AlreadyThere(
            NAME,
            (Evidence(Place(KVM_MAIN, flush.line), f"change_pte() tests {owed[0].name}"),),
        )
    source = state.read(KVM_MAIN) or b""
    return PatchPlan(
        recipe=NAME,
        subject="KVM: honour deferred TLB flushes in change_pte()",
        message=f"{NAME}/message.j2",
        context={
            "members": [
                {"name": member.name, "producers": _producers(state, member.name)}
                for member in missing
            ],
            "start": start.name,
            "change_pte": change.name,
        },
        changes=(_extended(flush, missing, source),),
        note="1 file",
    )


def _flushing_if(function: Function) -> If | None:
    """The ``if`` whose body flushes the guest's TLBs."""
    for node in walk(function.body):
        if isinstance(node, If) and any("flush_remote_tlbs" in c.name for c in calls(node.then)):
            return node
    return None


def _owed_in(start: Function) -> list[Expr]:
    """``kvm->member`` reads that decide range_start()'s flush: flushes owed by others.

    They stand in the condition, or are or-ed into a variable of it (5.0 to 5.9).
    """
    flush = _flushing_if(start)
    if flush is None:
        return []
    pointers = {
        variable.name
        for node in walk(start.body)
        if type(node).__name__ == "Decl"
        for variable in node.variables  # type: ignore[union-attr]
        if variable.type.startswith("struct kvm ")
    }
    tested = {e.name for e in expressions(flush.test) if e.kind == "name"}
    gathered = [
        e.args[1]
        for e in expressions(start.body)
        if e.kind == "assign" and e.name == "|=" and e.args[0].name in tested
    ]
    return [
        e
        for decides in (flush.test, *gathered)
        for e in expressions(decides)
        if e.kind == "arrow" and e.args[0].kind == "name" and e.args[0].name in pointers
    ]


def _producers(state: State, member: str) -> list[str]:
    """``file:line`` of the places that count a deferred flush up."""
    found = []
    for path in ("arch/x86/kvm/mmu/paging_tmpl.h", "arch/x86/kvm/paging_tmpl.h",
                 "arch/x86/kvm/mmu/mmu.c", "arch/x86/kvm/mmu.c"):  # fmt: skip
        source = state.read(path)
        if source is None or member.encode() not in source:
            continue
        for function in functions_in(source, path, mentioning=member):
            for expr in expressions(function.body):
                steps = expr.kind in ("postfix", "unary") and expr.name == "++"
                if steps and expr.args[0].name == member:
                    found.append(f"{path}:{expr.line}")
    return found


def _extended(flush: If, missing: list[Expr], source: bytes) -> Change:
    """The condition with the missing members or-ed to it, wrapped at 80 columns."""
    test = flush.test
    written = text_of(test, source)
    if test.kind in ("cond", "assign", "comma"):
        written = f"({written})"
    parts = [written, *(text_of(member, source) for member in missing)]
    prefix = line_prefix(source, test.span.start)
    one_line = " || ".join(parts)
    fits = columns(prefix) + len(one_line) + 1 <= WIDTH
    glue = [one_line] if fits else [
        f"{part} ||" if number + 1 < len(parts) else part for number, part in enumerate(parts)
    ]  # fmt: skip
    pad = indent(columns(prefix))
    return Change(
        path=KVM_MAIN,
        span=Span(test.span.start, test.span.end),
        template=f"{NAME}/condition.c.j2",
        context={"lines": [glue[0], *(pad + line for line in glue[1:])]},
    )


RECIPE = Recipe(
    name=NAME,
    summary="change_pte() flushes also for TLB flushes that others deferred (tlbs_dirty)",
    steps=(plan,),
    applies=lambda state: refuse_idiom(state, NAME),
    changes_kvm=True,
)
