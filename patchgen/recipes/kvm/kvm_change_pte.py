# SPDX-License-Identifier: GPL-2.0-only
"""The guard in KVM's range callbacks: leave flagged ranges to change_pte().

Sound in the direct idiom only, where change_pte() bumps the invalidation sequence
under mmu_lock after the primary PTE was cleared: a fault that looked up the old page
sees a changed sequence and retries, and a later one waits for the page-table lock.
In the hva-range idiom change_pte() depends on what range_start() does: there the mappings
are kept by a handler of their own (:mod:`patchgen.recipes.kvm.hva_range`).

Before:

    struct kvm *kvm = mmu_notifier_to_kvm(mn);
    int idx;

    idx = srcu_read_lock(&kvm->srcu);

After:

    struct kvm *kvm = mmu_notifier_to_kvm(mn);
    int idx;

    if (mmu_notifier_range_use_change_pte(range))
            return 0;

    idx = srcu_read_lock(&kvm->srcu);
"""

from __future__ import annotations

from patchgen.analysis.guests.judge import against
from patchgen.analysis.handlers.effects import Callbacks, effects
from patchgen.analysis.handlers.setters import setters
from patchgen.analysis.told.flags import Values, polarity
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.code import Decl, Expr, Function, If, Return, Stmt
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import UserError
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult, sound_facts
from patchgen.recipes.kvm import hva_range
from patchgen.recipes.kvm.listing import listing
from patchgen.recipes.remembered import remembered
from patchgen.source.c.body import parse_function
from patchgen.source.c.branches import groups, left_out, texts
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import outline
from patchgen.source.c.walk import calls, expressions
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts, kvm_facts

NAME = "kvm-change-pte"
HELPER = "mmu_notifier_range_use_change_pte"
FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
HEADER = "include/linux/mmu_notifier.h"


def kvm_of(state: State) -> KvmFacts:
    """KVM's callbacks; UserError where the tree has no KVM or no table in it."""
    if state.read(KVM_MAIN) is None:
        raise UserError("the tree has no such file, so there is no KVM to change", KVM_MAIN)
    found = kvm_facts(sound_facts(state, KVM_MAIN))
    if found is None:
        raise UserError("no struct mmu_notifier_ops is initialised in it", KVM_MAIN)
    return found


def refuse_idiom(state: State, recipe: str = NAME) -> Refusal | None:
    """The refusal where KVM's idiom does not allow the guard; None where it does."""
    kvm = kvm_of(state)
    if kvm.idiom == "direct":
        return None
    if kvm.idiom == "none":
        return Refusal(
            recipe,
            "absent",
            "KVM has no change_pte() callback in this tree: nothing to re-enable",
            kvm.evidence,
        )
    if kvm.idiom == "hva-range":
        return hva_range.refuse(state, kvm, recipe)
    return Refusal(
        recipe, "unsafe", "change_pte() does not bump the invalidation sequence", kvm.evidence
    )


def only_hva_range(state: State, recipe: str) -> Refusal | None:
    """The refusal of what is for the hva-range idiom alone; None in that idiom, where it fits."""
    kvm = kvm_of(state)
    if kvm.idiom == "hva-range":
        return hva_range.refuse(state, kvm, recipe)
    text = f"KVM's idiom is {kvm.idiom}: its callbacks go through no walker"
    return Refusal(recipe, "absent", text, kvm.evidence)


def plan(state: State, options: Options) -> StepResult:
    """Guards for both range callbacks, or the handler that keeps mappings; or why not."""
    refusal = refuse_idiom(state)
    if refusal:
        return refusal
    kvm = kvm_of(state)
    if kvm.idiom == "hva-range":
        return hva_range.plan(state, kvm)
    facts = state.facts(KVM_MAIN)
    callbacks = [facts.function(name) for name in (kvm.start, kvm.end)]
    start, end = callbacks
    if start is None or end is None:
        missing = "invalidate_range_start" if start is None else "invalidate_range_end"
        place = Place(KVM_MAIN, kvm.table.line)
        return Refusal(NAME, "unsafe", f"KVM's {missing}() is not defined in {KVM_MAIN}",
                       (Evidence(place, f"the table names {kvm.start or 'none'},"
                                 f" {kvm.end or 'none'}"),))  # fmt: skip
    guards = {function.name: guard_of(function) for function in (start, end)}
    present = [g for g in guards.values() if g is not None]
    if len(present) == 2:
        return AlreadyThere(
            NAME, tuple(Evidence(Place(KVM_MAIN, g.line), "guarded here") for g in present)
        )
    if len(present) == 1:
        return _half(guards, (start, end))
    source = state.read(KVM_MAIN) or b""
    outcomes = [
        insertion(function, number, source, facts) for number, function in enumerate((start, end))
    ]
    changes = [outcome for outcome in outcomes if isinstance(outcome, Change)]
    late = [outcome for outcome in outcomes if isinstance(outcome, Evidence)]
    if late:
        return Refusal(
            NAME, "unsafe", "the guard cannot stand before every change of state", tuple(late)
        )
    refusal = _unread(state, kvm)
    if refusal is not None:
        return refusal
    return PatchPlan(
        recipe=NAME,
        subject="KVM: re-enable the change_pte() optimisation",
        message="kvm-change-pte/message.j2",
        context={
            "start": start.name,
            "end": end.name,
            "change_pte": kvm.change_pte,
            "sequence": kvm.sequence,
            "count": kvm.count,
        },
        changes=tuple(changes),
        note="1 file, 2 callbacks",
    )


def _unread(state: State, kvm: KvmFacts) -> Refusal | None:
    """The refusal where what the guard rests on is not as it has to be in this tree."""
    # Where it is missing the patch does not compile; the recipe before this one brings it.
    if HELPER.encode() in (state.read(HEADER) or b""):
        wrong = polarity(state.read, HELPER, FLAG, Values(state.read))
        if wrong is not None:
            return Refusal(NAME, "unsafe", f"{HELPER}() does not test {FLAG}", (wrong,))
    known = Callbacks(KVM_MAIN, kvm.start, kvm.end, kvm.change_pte, kvm.count, kvm.sequence)
    listed = listing(state.root)
    lost = remembered(state, repr(known), lambda read, of: effects(read, of, known), listed)
    if lost:
        reason = "more depends on the range callbacks than change_pte() makes good"
        return Refusal(NAME, "unsafe", reason, lost)
    left = remembered(state, "setters", setters, listed)
    if left:
        reason = "a setter is not seen to bring every mapping of the page up to date"
        return Refusal(NAME, "unsafe", reason, left)
    beside = remembered(state, "guests", lambda read, _: against(read))
    if beside:
        reason = (
            "KVM's flushes, counters or subscription are not seen to do what the guard rests on"
        )
        return Refusal(NAME, "unsafe", reason, beside)
    return None


def guard_of(function: Function) -> If | None:
    """The ``if (mmu_notifier_range_use_change_pte(...)) return`` of a callback."""
    for statement in function.body.body:
        if isinstance(statement, If) and any(calls(statement.test, HELPER)):
            if statement.test.kind == "call" and _returns(statement.then):
                return statement
            return None
    return None


def _returns(statement: Stmt) -> bool:
    from patchgen.source.c.walk import walk

    return any(isinstance(found, Return) for found in walk(statement))


def _half(guards: dict[str, If | None], functions: tuple[Function, Function]) -> Refusal:
    evidence = []
    for function in functions:
        guard = guards[function.name]
        line, text = (guard.line, "is guarded") if guard else (function.line, "is not guarded")
        evidence.append(Evidence(Place(KVM_MAIN, line), f"{function.name}() {text}"))
    return Refusal(
        NAME,
        "half",
        "the guard is in one of the two range callbacks only; remove it or complete it by hand",
        tuple(evidence),
    )


_COMMENTS = (
    (
        "The pages of this range stay mapped: change_pte() updates each",
        "of them in place, and bumps the sequence that page faults",
        "check, before the primary MMU uses the new entry.",
    ),
    (
        "range_start() left this range alone, so there is no count to",
        "drop here.  Both callbacks decide by the same flag, which does",
        "not change within a section.",
    ),
)


def insertion(
    function: Function, number: int, source: bytes, facts: FileFacts
) -> Change | Evidence:
    """The guard's change for range_start() (``number`` 0) or range_end() (1).

    Else the declaration that changes state before it could stand.
    """
    parameter = next((p for p in function.params if "mmu_notifier_range" in p.type), None)
    if parameter is None or not parameter.name:
        return Evidence(
            Place(KVM_MAIN, function.line), f"{function.name}() has no mmu_notifier_range parameter"
        )
    after = behind_declarations(function, source, KVM_MAIN, facts)
    if isinstance(after, Evidence):
        return after
    return Change(
        path=KVM_MAIN,
        span=Span(after, after),
        template="kvm-change-pte/guard.c.j2",
        context={
            "range": parameter.name,
            "value": "" if function.result == "void" else " 0",
            "lines": list(_COMMENTS[number]),
        },
        meant=Meant(function.name, first=True),
    )


def behind_declarations(
    function: Function, source: bytes, path: str, facts: FileFacts | None = None
) -> int | Evidence:
    """Where a line begins behind the declarations of every configuration.

    Else what changes state before it, or shares a line with the last declaration.
    """
    tokens = lexed(source)
    after = function.body.span.start + 1
    try:
        found = groups(tokens)
        inner = [group for group in found if _within(group.span, function.body.span)]
        choices = list(texts(found, function.body.span.start, inner))
    except ValueError as error:
        return Evidence(Place(path, function.line), str(error))
    for truth in choices:
        active = tokens.active(left_out(found, truth))
        outlines = (one for one in outline(active) if one.name == function.name)
        starts = (one for one in outlines
                  if active.starts[one.body_at] == function.body.span.start)  # fmt: skip
        mine = next(starts, None)
        if mine is None:
            text = f"{function.name}() is not the same function in every configuration"
            return Evidence(Place(path, function.line), text)
        for statement in parse_function(active, mine, path).body.body:
            if not isinstance(statement, Decl):
                break
            inits = (variable.init for variable in statement.variables if variable.init)
            bad = next((effect for init in inits for effect in _effects(init, facts)), None)
            if bad is not None:
                return Evidence(
                    Place(path, bad.line), f"{bad.name or 'a side effect'}() in a declaration"
                )
            after = max(after, statement.span.end)
    ends = [group.span.end for group in inner if group.span.start < after < group.span.end]
    return _next_line(tokens, max([after, *ends]), path)


def _within(span: Span, whole: Span) -> bool:
    return whole.start < span.start and span.end < whole.end


#: Calls that compute an address or a truth value and change nothing
#: (include/linux/container_of.h, include/linux/compiler.h, asm/pgtable.h).
_PURE = frozenset({"container_of", "likely", "unlikely", "READ_ONCE", "pte_pfn"})


def _effects(init: Expr, facts: FileFacts | None, depth: int = 0) -> list[Expr]:
    """The parts of an initialiser that change state, as far as can be told."""
    return [
        found
        for found in expressions(init)
        if (found.kind == "call" and not _is_pure(found.name, facts, depth))
        or found.kind in ("assign", "postfix", "stmtexpr", "unknown")
    ]


def _is_pure(name: str, facts: FileFacts | None, depth: int) -> bool:
    """Whether a call only computes: known, or one ``return`` of something pure."""
    if name in _PURE:
        return True
    function = facts.function(name) if facts is not None else None
    if function is None or depth > 3 or len(function.body.body) != 1:
        return False
    only = function.body.body[0]
    return (
        isinstance(only, Return)
        and only.value is not None
        and not _effects(only.value, facts, depth + 1)
    )


def _next_line(tokens: Tokens, offset: int, path: str) -> int | Evidence:
    """Start of the first line behind ``offset`` that is not blank; what is on its own line."""
    source = tokens.source
    at = source.find(b"\n", offset) + 1
    if not at or any(offset <= start < at for start in tokens.starts):
        return Evidence(
            Place(path, tokens.line(offset)), "code stands on the last declaration's line"
        )
    while not source[at : source.find(b"\n", at)].strip():
        at = source.find(b"\n", at) + 1
    return at


#: What setters need that were only ever called for what range_start() had unmapped.
_MENDS = ("kvm-tdp-old-spte", "kvm-rmap-page-stats", "kvm-unmap-before-set")


def _needs(state: State) -> tuple[str, ...]:
    from patchgen.recipes.kvm.kvm_tdp_old_spte import setter_of
    from patchgen.recipes.mmu_notifier.use_change_pte_flag import range_carries_event

    first = () if range_carries_event(state) else ("mmu-notifier-v05",)
    if kvm_of(state).idiom == "hva-range":
        return (*first, "use-change-pte-flag", *_MENDS)
    last = ("kvm-tdp-old-spte",) if setter_of(state).answer != "none" else ()
    return (*first, "use-change-pte-flag", "kvm-flush-deferred-tlb", *last)


RECIPE = Recipe(
    name=NAME,
    summary="leave ranges that change_pte() covers to it (guard in both range callbacks)",
    steps=(plan,),
    needs=_needs,
    applies=refuse_idiom,
    changes_kvm=True,
)
