# SPDX-License-Identifier: GPL-2.0-only
"""KVM keeps flagged ranges mapped where its callbacks go through a walker (5.13 to 6.9).

change_pte() depends on what range_start() does there, so that no callback may return early.
range_start() goes on doing everything; only what its walker calls for each memslot is chosen
by the flag: a function that leaves the mappings to change_pte(), but drops those of a memslot
that is being removed, which change_pte() skips.  What that rests on is read in the tree
(:mod:`patchgen.analysis.handlers.hva_range`, :mod:`.gfn_setters`).

Before:

    .handler = kvm_unmap_gfn_range,

After:

    .handler = mmu_notifier_range_use_change_pte(range) ?
               kvm_keep_gfn_range : kvm_unmap_gfn_range,
"""

from __future__ import annotations

from patchgen.analysis.guests.judge import against
from patchgen.analysis.handlers.gfn_setters import beside_unmapping, gfn_setters
from patchgen.analysis.handlers.hva_range import UNMAP, Walker, answers_kept, walks
from patchgen.analysis.handlers.page_stats import page_stats
from patchgen.analysis.told.flags import Values, polarity
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Decl, Expr, ExprStmt, Function, Return
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import State, StepResult
from patchgen.recipes.kvm.listing import listing
from patchgen.recipes.remembered import Listed, Read, remembered
from patchgen.recipes.wrapping import columns
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls, walk
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts

NAME = "kvm-change-pte"
KEEP = "kvm_keep_gfn_range"
HELPER = "mmu_notifier_range_use_change_pte"
FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
HEADER = "include/linux/mmu_notifier.h"
CACHES = "virt/kvm/pfncache.c"


def refuse(state: State, kvm: KvmFacts, recipe: str = NAME) -> Refusal | None:
    """The refusal where the callbacks do not allow to keep ranges mapped; None where they do."""
    if state.read(CACHES) is not None and not kvm.pfn_cache:
        place = Place(KVM_MAIN, kvm.table.line)
        text_ = f"range_start() is not seen to invalidate what {CACHES} caches"
        return Refusal(recipe, "unsafe", _REASON, (Evidence(place, text_),))
    named = {"no count of invalidations in progress": kvm.count, "no sequence": kvm.sequence,
             "no count of active invalidations": kvm.active}  # fmt: skip
    missing = [what for what, name in named.items() if not name]
    if missing:
        place = Place(KVM_MAIN, kvm.table.line)
        text_ = f"{kvm.start}() and {kvm.end}() are seen to change {missing[0]}"
        return Refusal(recipe, "unsafe", _REASON, (Evidence(place, text_),))
    known = Walker(KVM_MAIN, kvm.start, kvm.end, kvm.change_pte, kvm.count, kvm.sequence,
                   kvm.active, kvm.pfn_cache)  # fmt: skip
    against = remembered(
        state, repr(known), lambda read, _: (*walks(read, known), *answers_kept(read, known))
    )
    if against:
        return Refusal(recipe, "unsafe", _REASON, against)
    lost = remembered(state, "beside unmapping", beside_unmapping, listing(state.root))
    if lost:
        return Refusal(recipe, "unsafe", "a range that stays mapped would lose more than the"
                       " unmapping", lost)  # fmt: skip
    return None


_REASON = (
    "KVM's change_pte() depends on what range_start() does here (hva-range idiom), and this is"
    " not seen to be as it must be for ranges that stay mapped"
)


def setters_against(state: State) -> tuple[Evidence, ...]:
    """What speaks against change_pte() on mappings that are there, architecture by architecture."""

    def judge(read: Read, listed: Listed) -> tuple[Evidence, ...]:
        return tuple(fault for setter in gfn_setters(read, listed) for fault in setter.faults)

    return remembered(state, "gfn setters", judge, listing(state.root))


def plan(state: State, kvm: KvmFacts) -> StepResult:
    """The handler that keeps mappings and its choice in range_start(), or why not."""
    start = state.definitions(KVM_MAIN).get(kvm.start)
    refusal = refuse(state, kvm)
    if refusal is not None:
        return refusal
    assert start is not None
    field = _field(start)
    if field is None:
        return _unsafe(start.line, f"{kvm.start}() is not seen to choose one handler")
    against = rests(state)
    if against is not None:
        return against
    if _chosen(field) is not None:
        return AlreadyThere(NAME, (Evidence(Place(KVM_MAIN, field.line), "chosen by the flag"),))
    handler = _handler(state, field)
    if isinstance(handler, Refusal):
        return handler
    source = state.read(KVM_MAIN) or b""
    at = _behind_previous(state, start, source)
    if KEEP.encode() in source or at is None:
        return _unsafe(start.line, f"{KEEP}() has no place before {kvm.start}()")
    prefix = source[source.rindex(b"\n", 0, field.span.start) + 1 : field.span.start].decode()
    wide = columns(prefix)
    parameter = next(p.name for p in start.params if "mmu_notifier_range" in p.type)
    chosen: dict[str, str | int | bool | list[str]] = {
        "test": f"{HELPER}({parameter})",
        "pad": "\t" * (wide // 8) + " " * (wide % 8),
        "keep": KEEP,
        "unmap": text(field),
    }
    return PatchPlan(
        recipe=NAME,
        subject="KVM: re-enable the change_pte() optimisation",
        message=f"{NAME}/keep-message.j2",
        context={"start": kvm.start, "end": kvm.end, "change_pte": kvm.change_pte,
                 "sequence": kvm.sequence, "count": kvm.count, "active": kvm.active,
                 "caches": bool(kvm.pfn_cache)},
        changes=(
            Change(KVM_MAIN, Span(at, at), f"{NAME}/keep.c.j2", handler),
            Change(KVM_MAIN, field.span, f"{NAME}/choice.c.j2", chosen, Meant(start.name)),
        ),
        note="1 file, 1 callback",
    )  # fmt: skip


def rests(state: State) -> Refusal | None:
    """The refusal where what kept mappings rest on is not as it has to be; None where it is."""
    from patchgen.recipes.kvm.kvm_tdp_old_spte import setter_of

    # Where it is missing the patch does not compile; the recipe before this one brings it.
    if HELPER.encode() in (state.read(HEADER) or b""):
        wrong = polarity(state.read, HELPER, FLAG, Values(state.read))
        if wrong is not None:
            return Refusal(NAME, "unsafe", f"{HELPER}() does not test {FLAG}", (wrong,))
    left = setters_against(state)
    if left:
        reason = "a setter is not seen to be right for a page that is still mapped"
        return Refusal(NAME, "unsafe", reason, left)
    beside = remembered(state, "guests", lambda read, _: against(read))
    if beside:
        reason = "KVM's flushes or counters are not seen to do what kept mappings rest on"
        return Refusal(NAME, "unsafe", reason, beside)
    tables = setter_of(state)
    if tables.answer not in ("none", "right"):
        at = tuple(Evidence(Place(s.path, s.line), f"{s.function}() writes through a stale copy")
                   for s in tables.stale)  # fmt: skip
        reason = "x86's TDP MMU may be told a wrong old SPTE by change_pte()"
        return Refusal(NAME, "unsafe", reason, tables.why or at)
    counted = page_stats(state.read)
    if counted.answer not in ("none", "right"):
        drifts = (Evidence(counted.at, "a page is not counted again"),) if counted.at else ()
        reason = "the statistics of the guest's pages would run down"
        return Refusal(NAME, "unsafe", reason, counted.why or drifts)
    return None


def _unsafe(line: int, what: str) -> Refusal:
    return Refusal(NAME, "unsafe", _REASON, (Evidence(Place(KVM_MAIN, line), what),))


def _field(start: Function) -> Expr | None:
    """The value of ``.handler`` in the one struct that range_start() initialises."""
    inits = [v.init for node in walk(start.body) if isinstance(node, Decl) for v in node.variables
             if v.init is not None and v.init.kind == "init"]  # fmt: skip
    fields = [f for init in inits for f in init.args if f.kind == "field"]
    found = [f.args[0] for f in fields if f.name == "handler"]
    return bare(found[0]) if len(found) == 1 else None


def _chosen(field: Expr) -> Expr | None:
    """The condition of a handler that the flag chooses; None where it does not."""
    if field.kind != "cond":
        return None
    return field.args[0] if any(True for _ in calls(field.args[0], HELPER)) else None


def _handler(state: State, field: Expr) -> dict[str, str | int | bool | list[str]] | Refusal:
    """What the new handler is made of: the one that unmaps, without the unmapping."""
    names = ("kvm", "range")
    lines: list[str] = []
    if text(field) != UNMAP:
        function = state.definitions(KVM_MAIN).get(text(field))
        last = function.body.body[-1] if function is not None and function.body.body else None
        returned = text(last.value) if isinstance(last, Return) and last.value else ""
        if function is None or len(function.params) != 2 or function.result != "bool":
            return _unsafe(field.line, f"what {text(field)} does is not known")
        names = (function.params[0].name, function.params[1].name)
        if returned != f"{UNMAP}({names[0]}, {names[1]})":
            return _unsafe(function.line, f"{function.name}() does not end with {UNMAP}()")
        for stmt in function.body.body[:-1]:
            plain = isinstance(stmt, ExprStmt) and bare(stmt.expr).kind == "call"
            if not plain or not isinstance(stmt, ExprStmt):
                return _unsafe(stmt.line, f"{function.name}() does more than calls")
            lines.append(f"{text(stmt.expr)};")
    return {"name": KEEP, "kvm": names[0], "range": names[1], "lines": lines, "unmap": UNMAP}


def _behind_previous(state: State, start: Function, source: bytes) -> int | None:
    """Where a function can stand: behind the definition before range_start()'s."""
    before = [f for f in state.functions(KVM_MAIN) if f.span.end <= start.span.start]
    if not before:
        return None
    at = source.index(b"\n", before[-1].span.end) + 1
    between = source[at : start.span.start]
    return at + 1 if not between.strip() and between[:1] == b"\n" else None
