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

from collections.abc import Iterator

from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import (
    Block,
    Decl,
    Expr,
    ExprStmt,
    Function,
    Goto,
    If,
    Return,
    Unknown,
)
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult
from patchgen.recipes.kvm.kvm_change_pte import kvm_of, refuse_idiom
from patchgen.recipes.wrapping import WIDTH, columns, indent, line_prefix
from patchgen.source.c.body import functions_in
from patchgen.source.c.walk import calls, expressions, operands, text_of, walk
from patchgen.source.facts.kvm import KVM_MAIN

NAME = "kvm-flush-deferred-tlb"


def _refuse(state: State) -> Refusal | None:
    kvm = kvm_of(state)
    if kvm.idiom == "hva-range":
        text = "change_pte() flushes by the walker that range_start() flushes by (hva-range idiom)"
        return Refusal(NAME, "absent", text, kvm.evidence)
    return refuse_idiom(state, NAME)


def plan(state: State, options: Options) -> StepResult:
    """The missing condition in change_pte(), or why nothing is to be done."""
    refusal = _refuse(state)
    if refusal:
        return refusal
    kvm = kvm_of(state)
    facts = state.facts(KVM_MAIN)
    start, change = facts.function(kvm.start), facts.function(kvm.change_pte)
    if start is None or change is None:
        place = Place(KVM_MAIN, kvm.table.line)
        return Refusal(NAME, "unsafe", "a callback is not defined in this file",
                       (Evidence(place, f"{kvm.start}, {kvm.change_pte}"),))  # fmt: skip
    source = state.read(KVM_MAIN) or b""
    owed = _owed_in(start, source)
    if isinstance(owed, Evidence):
        reason = "range_start() flushes on a condition that was not understood"
        return Refusal(NAME, "unsafe", reason, (owed,))
    if not owed:
        return AlreadyThere(
            NAME,
            (Evidence(Place(KVM_MAIN, start.line), "range_start() honours no deferred flush"),),
        )
    flush, kvm_name = _flushing_if(change), _guest(change)
    unfit = _unfit(change, flush) if flush is not None else Evidence(
        Place(KVM_MAIN, change.line), change.name
    )  # fmt: skip
    if kvm_name == "":
        unfit = Evidence(Place(KVM_MAIN, change.line), "not one variable is its struct kvm")
    if flush is None or unfit is not None:
        reason = "change_pte() flushes on no condition that could be extended"
        assert unfit is not None
        return Refusal(NAME, "unsafe", reason, (unfit,))
    known = {e.name for e in operands(flush.test, "||") if _is_of(e, {kvm_name})}
    missing = [name for name in owed if name not in known]
    if not missing:
        return AlreadyThere(
            NAME,
            (Evidence(Place(KVM_MAIN, flush.line), f"change_pte() tests {owed[0]}"),),
        )
    return PatchPlan(
        recipe=NAME,
        subject="KVM: honour deferred TLB flushes in change_pte()",
        message=f"{NAME}/message.j2",
        context={
            "members": [{"name": name, "producers": _producers(state, name)} for name in missing],
            "start": start.name,
            "change_pte": change.name,
        },
        changes=(_extended(change, flush, [f"{kvm_name}->{name}" for name in missing], source),),
        note="1 file",
    )


def _flushing_if(function: Function) -> If | None:
    """The first ``if`` whose body flushes the guest's TLBs."""
    return next(_flushing_ifs(function), None)


def _flushing_ifs(function: Function) -> Iterator[If]:
    """Each ``if`` whose body flushes the guest's TLBs."""
    for node in walk(function.body):
        if isinstance(node, If) and any("flush_remote_tlbs" in c.name for c in calls(node.then)):
            yield node


def _unfit(change: Function, flush: If) -> Evidence | None:
    """Why a condition does not decide alone, whenever change_pte() runs, whether it flushes."""
    at = Place(KVM_MAIN, flush.line)
    if not any(flush is statement for statement in change.body.body):
        return Evidence(at, "within another statement")
    if flush.orelse is not None:
        return Evidence(at, "the condition decides on something else, too")
    inner = flush.then.body if isinstance(flush.then, Block) else (flush.then,)
    if not any(isinstance(one, ExprStmt) and _flushes(one.expr) for one in inner):
        return Evidence(at, "another condition decides within it")
    if any(one.kind == "unknown" for one in expressions(flush.test)):
        return Evidence(at, "a condition that was not understood")
    for node in walk(change.body):
        leaves = isinstance(node, Return | Goto | Unknown) and node.span.start < flush.span.start
        if leaves:
            return Evidence(Place(KVM_MAIN, node.line), "leaves before the condition")
    return None


def _flushes(expr: Expr) -> bool:
    return expr.kind == "call" and "flush_remote_tlbs" in expr.name


def _guest(function: Function) -> str:
    """The only variable or parameter of type ``struct kvm *``, or ""."""
    named = {p.name for p in function.params if p.type == "struct kvm *"}
    for node in walk(function.body):
        if isinstance(node, Decl):
            named |= {v.name for v in node.variables if v.type == "struct kvm *"}
    return named.pop() if len(named) == 1 else ""


def _is_of(expr: Expr, names: set[str]) -> bool:
    """Whether an expression is ``name->member``."""
    return expr.kind == "arrow" and expr.args[0].kind == "name" and expr.args[0].name in names


def _owed_in(start: Function, source: bytes) -> list[str] | Evidence:
    """Members of ``struct kvm`` that make range_start() flush: flushes owed by others.

    They are or-ed in the condition, or into a variable of it (5.0 to 5.9).  Evidence: one
    decides otherwise.
    """
    flushes = [*_flushing_ifs(start)]
    names = {_guest(start)}
    tested = {e.name for one in flushes for e in expressions(one.test) if e.kind == "name"}
    gathered = [
        e.args[1]
        for e in expressions(start.body)
        if e.kind == "assign" and e.name == "|=" and e.args[0].name in tested
    ]
    found: list[str] = []
    for decides in (*(one.test for one in flushes), *gathered):
        plainly = [e for one in operands(decides, "||") for e in operands(one, "|")]
        found += [e.name for e in plainly if _is_of(e, names)]
        # As an argument of a call it is no flush that others owe.
        rest = (e for one in plainly if not _is_of(one, names) for e in _values(one))
        odd = next((e for e in rest if _is_of(e, names)), None)
        if odd is not None:
            return Evidence(Place(KVM_MAIN, odd.line), text_of(odd, source))
    return list(dict.fromkeys(found))


def _values(expr: Expr) -> Iterator[Expr]:
    """What an expression's value is made of; calls are not looked into."""
    if expr.kind != "call":
        yield expr
        for arg in expr.args:
            yield from _values(arg)


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


def _extended(change: Function, flush: If, missing: list[str], source: bytes) -> Change:
    """The condition with the missing members or-ed to it, wrapped at 80 columns."""
    test = flush.test
    written = text_of(test, source)
    bare = source[test.span.start : test.span.start + 1] != b"(" or (
        bool(test.args) and test.args[0].span.start == test.span.start
    )
    # What binds less, and && for the reader and the compiler's warning.
    if bare and (test.kind in ("cond", "assign", "comma") or test.name == "&&"):
        written = f"({written})"
    parts = [written, *missing]
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
        meant=Meant(change.name, joined=tuple(missing)),
    )


RECIPE = Recipe(
    name=NAME,
    summary="change_pte() flushes also for TLB flushes that others deferred (tlbs_dirty)",
    steps=(plan,),
    applies=_refuse,
    changes_kvm=True,
)
