# SPDX-License-Identifier: GPL-2.0-only
"""Why the plain guard breaks the hva-range idiom: each reason that the tree shows.

Every reason is found in the code of the tree in front of us and comes with its line;
a reason whose code is not there is not given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from patchgen.model.base import Evidence, Place
from patchgen.model.code import Expr, Function, If, Return, While
from patchgen.recipes.base import State
from patchgen.source.c.walk import calls, expressions, walk
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts

_TDP_MMU = "arch/x86/kvm/mmu/tdp_mmu.c"
_ARM64_PGTABLE = "arch/arm64/kvm/hyp/pgtable.c"


def unsafe_reasons(state: State, kvm: KvmFacts) -> tuple[Evidence, ...]:
    """All reasons of this tree, in the order of the files' lines."""
    known = state.definitions(KVM_MAIN)
    change = known.get(kvm.change_pte)
    reached = list(_reached(change, known)) if change else []
    found = [
        *_early_return(reached),
        *_warnings(reached, kvm),
        *_no_sequence(change, reached, kvm),
        *_invalid_slots(reached),
        *_pfn_cache(known, kvm),
        *_slot_swaps(known, kvm),
        *tdp_mmu_stale_spte(state),
        *_arm64_permissions(state),
    ]
    return tuple(sorted(set(found)))


def _reached(function: Function, known: Mapping[str, Function]) -> Iterator[Function]:
    """``function`` and the functions it calls or passes on, in the same file."""
    seen: set[str] = set()
    todo = [function]
    while todo:
        current = todo.pop(0)
        if current.name in seen:
            continue
        seen.add(current.name)
        yield current
        # The walker is shared by all callbacks; what it is handed is what differs.
        names = [e.name for e in expressions(current.body) if e.kind == "name" and e.name in known]
        todo += [known[name] for name in names]


def _at(path: str, line: int, text: str) -> Evidence:
    return Evidence(Place(path, line), text)


def _members(node: Expr) -> set[str]:
    return {e.name for e in expressions(node) if e.kind in ("arrow", "member")}


def _early_return(reached: list[Function]) -> Iterator[Evidence]:
    for statement in reached[0].body.body if reached else ():
        if not isinstance(statement, If):
            continue
        counts = [
            name
            for name in _members(statement.test)
            if name.endswith(("_count", "in_progress")) and "active" not in name
        ]
        if counts and any(isinstance(n, Return) for n in walk(statement.then)):
            text = f"change_pte() returns early while {counts[0]} is 0: no SPTE is updated"
            yield _at(KVM_MAIN, statement.line, text)


def _warnings(reached: list[Function], kvm: KvmFacts) -> Iterator[Evidence]:
    for function in reached:
        for call in calls(function.body):
            if not call.name.startswith("WARN"):
                continue
            counts = sorted(m for a in call.args[1:] for m in _members(a) if m.endswith("count"))
            if counts:
                text = f"{function.name}() warns when {counts[0]} is 0"
                yield _at(KVM_MAIN, call.line, text)


def _no_sequence(
    change: Function | None, reached: list[Function], kvm: KvmFacts
) -> Iterator[Evidence]:
    if change is None or not kvm.sequence:
        return
    for function in reached:
        if function.name in (kvm.start, kvm.end, kvm.on_lock):
            continue
        for expr in expressions(function.body):
            stepped = expr.kind in ("postfix", "unary") and expr.name == "++"
            if stepped and expr.args[0].name == kvm.sequence:
                return
    text = f"change_pte() does not bump {kvm.sequence}: a racing fault would install the old page"
    yield _at(KVM_MAIN, change.line, text)


def _invalid_slots(reached: list[Function]) -> Iterator[Evidence]:
    for function in reached:
        for node in walk(function.body):
            if not isinstance(node, If) or not any(isinstance(n, Return) for n in walk(node.then)):
                continue
            words = {e.name for e in expressions(node.test)}
            if "KVM_MEMSLOT_INVALID" in words:
                text = f"{function.name}() skips invalid memslots, relying on start's zap"
                yield _at(KVM_MAIN, node.line, text)


def _pfn_cache(known: Mapping[str, Function], kvm: KvmFacts) -> Iterator[Evidence]:
    start = known.get(kvm.start)
    for call in calls(start.body, kvm.pfn_cache) if start and kvm.pfn_cache else ():
        text = "pfn caches hold no page reference and are invalidated only here"
        yield _at(KVM_MAIN, call.line, text)


def _slot_swaps(known: Mapping[str, Function], kvm: KvmFacts) -> Iterator[Evidence]:
    for function in known.values():
        for node in walk(function.body):
            if isinstance(node, While) and kvm.active and kvm.active in _members(node.test):
                text = f"memslot swaps wait for {kvm.active} to reach 0"
                yield _at(KVM_MAIN, node.line, text)


def tdp_mmu_stale_spte(state: State) -> Iterator[Evidence]:
    """x86's TDP MMU setter: a second write through the iterator's stale old_spte.

    Seen as: a function that asks whether the host's entry is writable, and writes
    the SPTE twice through the same iterator with no new value for old_spte between.
    """
    if state.read(_TDP_MMU) is None:
        return
    for function in state.functions(_TDP_MMU):
        if not any(calls(function.body, "pte_write")):
            continue
        writes = [
            call
            for call in calls(function.body)
            if call.name.startswith("tdp_mmu_") and "set_spte" in call.name and len(call.args) > 2
        ]
        for first, second in itertools.pairwise(writes):
            renewed = any(
                e.kind == "assign"
                and e.args[0].name == "old_spte"
                and first.span.end < e.span.start < second.span.start
                for e in expressions(function.body)
            )
            if first.args[3:4] and first.args[3].name == "0" and not renewed:
                text = (
                    f"{function.name}() writes again through the iterator's old_spte,"
                    " stale after the SPTE was zeroed"
                )
                yield _at(_TDP_MMU, second.line, text)


def _arm64_permissions(state: State) -> Iterator[Evidence]:
    if state.read(_ARM64_PGTABLE) is None:
        return
    for function in state.functions(_ARM64_PGTABLE):
        for node in walk(function.body):
            if not isinstance(node, Return) or node.value is None:
                continue
            # old ^ new, masked with the complement of the permission bits
            masks = {
                e.args[0].name
                for e in expressions(node.value)
                if e.kind == "unary" and e.name == "~" and e.args[0].kind == "name"
            }
            if any("PERMS" in mask for mask in masks) and any(
                e.kind == "binary" and e.name == "^" for e in expressions(node.value)
            ):
                text = f"{function.name}() ignores a change of permissions only"
                yield _at(_ARM64_PGTABLE, node.line, text)
