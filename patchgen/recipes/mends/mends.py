# SPDX-License-Identifier: GPL-2.0-only
"""Mechanical mends for findings, as planned changes (``patchgen lint --fix``).

Only findings whose mend is the same whatever the code around it means:

- MN032: a member of the range read directly → the helper;
- MN009: event and flags swapped → swapped back;
- MN020: the guard in one range callback only → in the other one, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Span
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Finding
from patchgen.model.plan import Change, Meant, PatchPlan
from patchgen.recipes.base import State
from patchgen.recipes.kvm.kvm_change_pte import guard_of, insertion
from patchgen.source.c.walk import expressions, text_of
from patchgen.source.facts.kvm import KVM_MAIN, kvm_facts

NAME = "mends"
_HELPERS = {
    "MMU_NOTIFIER_RANGE_BLOCKABLE": "mmu_notifier_range_blockable",
    "MMU_NOTIFIER_USE_CHANGE_PTE": "mmu_notifier_range_use_change_pte",
    "blockable": "mmu_notifier_range_blockable",
}
#: Rules with a mend, and what the patch of a file is called.
SUBJECTS = {
    "MN009": "swap event and flags of a range back",
    "MN020": "guard both range callbacks",
    "MN032": "use the helpers of mmu notifier ranges",
}


def plan_mends(
    state: State, findings: Sequence[Finding]
) -> tuple[tuple[PatchPlan, ...], tuple[Finding, ...]]:
    """One patch a rule and file, and the findings that have no mechanical mend."""
    groups: dict[tuple[str, str], list[Change]] = {}
    left: list[Finding] = []
    for finding in findings:
        changes = _mend(state, finding)
        if not changes:
            left.append(finding)
        for change in changes:
            group = groups.setdefault((finding.rule, change.path), [])
            if change not in group:  # two findings may ask for one mend
                group.append(change)
    plans = []
    for (rule, path), group in sorted(groups.items()):
        plans.append(
            PatchPlan(
                recipe=NAME,
                subject=f"{_subsystem(path)}: {SUBJECTS[rule]}",
                message="mends/message.j2",
                context={"rule": rule, "path": path, "count": len(group)},
                changes=tuple(group),
                note=f"{len(group)} place{'s' if len(group) > 1 else ''}",
            )
        )
    return tuple(plans), tuple(left)


def _subsystem(path: str) -> str:
    """The prefix of a subject: KVM, mm, or the driver's file."""
    if path.startswith("virt/kvm/"):
        return "KVM"
    parts = path.split("/")
    if parts[0] in ("mm", "kernel", "fs"):
        return f"{parts[0]}/{parts[-1].removesuffix('.c')}" if parts[0] == "mm" else parts[0]
    return f"{parts[0]}: {parts[-1].removesuffix('.c')}"


def _mend(state: State, finding: Finding) -> tuple[Change, ...]:
    function = next(
        (f for f in state.functions(finding.place.path) if finding.span.start in f.span), None
    )
    if function is None:
        return ()
    source = state.read(finding.place.path) or b""
    if finding.rule == "MN020":
        return _both_guards(state)
    found = [e for e in expressions(function.body) if e.span == finding.span]
    for expr in found:
        if finding.rule == "MN032":
            return _helper(function, expr, source)
        if finding.rule == "MN009":
            return _swapped(function, expr, source)
    return ()


def _helper(function: Function, expr: Expr, source: bytes) -> tuple[Change, ...]:
    """``range->flags & FLAG`` or ``range->blockable`` → the helper on the pointer."""
    member, flag = expr, expr.name
    if expr.kind == "binary" and expr.name == "&":
        member, other = expr.args
        flag = other.name
    if flag not in _HELPERS or member.kind not in ("arrow", "member"):
        return ()
    base = text_of(member.args[0], source)
    pointer = base if member.kind == "arrow" else f"&{base}"
    text = f"{_HELPERS[flag]}({pointer})"
    return (_replace(function, expr.span, text, value=True),)


def _swapped(function: Function, wrong: Expr, source: bytes) -> tuple[Change, ...]:
    """The two arguments of the initialiser exchanged, where each is the other's."""
    for call in expressions(function.body):
        if call.kind != "call" or not call.name.startswith("mmu_notifier_range_init"):
            continue
        arguments = call.args[1:]
        if wrong.span not in [a.span for a in arguments[1:3]]:
            continue
        event, flags = (text_of(a, source) for a in arguments[1:3])
        if "MMU_NOTIFY_" in flags and "MMU_NOTIFY_" not in event:
            return (
                _replace(function, arguments[1].span, flags),
                _replace(function, arguments[2].span, event),
            )
    return ()


def _both_guards(state: State) -> tuple[Change, ...]:
    """The guard for whichever of KVM's two callbacks lacks it."""
    facts = state.facts(KVM_MAIN)
    kvm = kvm_facts(facts)
    if kvm is None or kvm.idiom != "direct":
        return ()
    pair = [facts.function(name) for name in (kvm.start, kvm.end)]
    source = state.read(KVM_MAIN) or b""
    if any(function is None for function in pair):
        return ()
    guarded = [guard_of(function) is not None for function in pair if function is not None]
    if guarded.count(True) != 1:
        return ()
    number = guarded.index(False)
    lacking = pair[number]
    assert lacking is not None
    change = insertion(lacking, number, source, facts)
    return (change,) if isinstance(change, Change) else ()


def _replace(function: Function, span: Span, text: str, value: bool = False) -> Change:
    meant = Meant(function.name, value=value)
    return Change(function.path, span, "mends/text.c.j2", {"text": text}, meant)
