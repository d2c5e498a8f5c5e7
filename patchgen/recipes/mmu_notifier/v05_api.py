# SPDX-License-Identifier: GPL-2.0-only
"""The steps that change the API itself: the header, and the core's new function."""

from __future__ import annotations

from patchgen.analysis.entries.section_code import HEADER, INIT
from patchgen.model.base import Evidence, Place, Span
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan
from patchgen.recipes.base import Options, State, StepResult
from patchgen.recipes.mmu_notifier.v05_blockable import HELPER
from patchgen.recipes.mmu_notifier.v05_header import (
    CORE,
    NAME,
    START,
    Header,
    already,
    header,
    refusal,
)

BLOCKABLE = "MMU_NOTIFIER_RANGE_BLOCKABLE"
READ_ONLY = "mmu_notifier_range_update_to_read_only"
EVENTS = (
    "MMU_NOTIFY_UNMAP",
    "MMU_NOTIFY_CLEAR",
    "MMU_NOTIFY_PROTECTION_VMA",
    "MMU_NOTIFY_PROTECTION_PAGE",
    "MMU_NOTIFY_SOFT_DIRTY",
)


def blockable_helper(state: State, options: Options) -> StepResult:
    """mmu_notifier_range_blockable() in both branches of the header."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    value = "range->blockable"
    if parts.member("blockable") is None:
        if BLOCKABLE not in parts.macros:
            reason = f"the range has neither a blockable member nor {BLOCKABLE}"
            where = Evidence(parts.place(parts.struct_at), "struct mmu_notifier_range")
            return refusal("absent", reason, (where,))
        value = f"range->flags & {BLOCKABLE}"
    changes = predicate(parts, HELPER, value, "true")
    if not changes:
        return already(Place(HEADER, parts.on[HELPER].line), f"{HELPER}()")
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: add a helper for range->blockable",
        message=f"{NAME}/1-blockable-helper.j2",
        context={},
        changes=changes,
        note="1 file",
    )


def predicate(parts: Header, name: str, on: str, off: str) -> tuple[Change, ...]:
    """A function of the range that returns a bool, where a branch lacks it."""
    return tuple(
        Change(
            HEADER,
            parts.before(functions[START]),
            f"{NAME}/predicate.h.j2",
            {"name": name, "value": value},
        )
        for functions, value in ((parts.on, on), (parts.off, off))
        if name not in functions and name not in parts.macros
    )


def event_enum(state: State, options: Options) -> StepResult:
    """enum mmu_notifier_event, declared whether the notifiers are configured or not."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    there = [name for name in EVENTS if name.encode() in parts.source]
    if there:
        at = parts.source.index(there[0].encode())
        if len(there) == len(EVENTS):
            return already(parts.place(at), "enum mmu_notifier_event")
        gone = ", ".join(name for name in EVENTS if name not in there)
        where = Evidence(parts.place(at), "some of the events are there")
        return refusal("half", f"enum mmu_notifier_event has no {gone}", (where,))
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: name the reasons for an invalidation",
        message=f"{NAME}/4-event-enum.j2",
        context={"events": list(EVENTS)},
        changes=(Change(HEADER, Span(parts.gate, parts.gate), f"{NAME}/event.h.j2", {}),),
        note="1 file",
    )


def pass_down(state: State, options: Options) -> StepResult:
    """vma, event and flags of the initialiser go into the range."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    init = parts.on[INIT]
    given = {param.name for param in init.params}
    if not {"vma", "event", "flags"} <= given:
        where = Evidence(Place(HEADER, init.line), f"{INIT}()")
        return refusal("absent", "the initialiser does not get vma, event and flags", (where,))
    flags = parts.member("flags")
    if flags is None:
        where = Evidence(parts.place(parts.struct_at), "struct mmu_notifier_range")
        return refusal("absent", "the range has no flags", (where,))
    changes: list[Change] = []
    if parts.member("vma") is None:
        at = parts.members[0].span.start
        context: dict[str, str | int | bool | list[str]]
        context = {"lines": ["\tstruct vm_area_struct *vma;"]}
        changes.append(Change(HEADER, Span(at, at), f"{NAME}/block.c.j2", context))
    if parts.member("event") is None:
        at = flags.span.end
        context = {"lines": ["\tenum mmu_notifier_event event;"]}
        changes.append(Change(HEADER, Span(at, at), f"{NAME}/block.c.j2", context))
    changes += _set_in_init(parts)
    if not changes:
        return already(Place(HEADER, init.line), f"{INIT}() sets vma, event and flags")
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: pass the vma, event and flags in the range",
        message=f"{NAME}/7-pass-down.j2",
        context={},
        changes=tuple(changes),
        note="1 file",
    )


def _set_in_init(parts: Header) -> list[Change]:
    """The initialiser's assignments: those that are not there, or set flags to 0."""
    init = parts.on[INIT]
    name = init.params[0].name
    body = parts.source[init.body.span.start : init.body.span.end].decode("utf-8", "replace")
    changes: list[Change] = []
    first = init.body.body[0].span.start
    meant = Meant(INIT, branch=True)
    new = [f"{name}->{m} = {m};" for m in ("vma", "event") if f"{name}->{m} = {m};" not in body]
    if new:
        lines = [new[0], *(f"\t{line}" for line in new[1:]), "\t"]
        at = Span(first, first)
        changes.append(Change(HEADER, at, f"{NAME}/lines.c.j2", {"lines": lines}, meant))
    zero = f"{name}->flags = 0;"
    if zero in body:
        begin = init.body.span.start + body.encode().index(zero.encode())
        span = Span(begin, begin + len(zero))
        lines = [f"{name}->flags = flags;"]
        changes.append(Change(HEADER, span, f"{NAME}/lines.c.j2", {"lines": lines}, meant))
    return changes


def read_only_helper(state: State, options: Options) -> StepResult:
    """mmu_notifier_range_update_to_read_only(), declared and defined."""
    parts = header(state)
    if not isinstance(parts, Header):
        return parts
    core = state.read(CORE)
    if core is None:
        where = (Evidence(Place(CORE, 1), "no such file"),)
        return refusal("absent", "the tree has no mmu notifier core to put it into", where)
    if parts.member("vma") is None or parts.member("event") is None:
        where = (Evidence(parts.place(parts.struct_at), "struct mmu_notifier_range"),)
        return refusal("absent", "the range has no vma and event to look at", where)
    changes: list[Change] = []
    if READ_ONLY.encode() not in parts.source:
        span = parts.before(parts.on[HELPER] if HELPER in parts.on else parts.on[START])
        changes.append(Change(HEADER, span, f"{NAME}/read-only.h.j2", {}))
    if READ_ONLY not in parts.macros:
        span = parts.before(parts.off[START])
        lines = [f"#define {READ_ONLY}(r) false", ""]
        changes.append(Change(HEADER, span, f"{NAME}/block.c.j2", {"lines": lines}))
    if READ_ONLY.encode() not in core:
        changes.append(Change(CORE, Span(len(core), len(core)), f"{NAME}/read-only.c.j2", {}))
    if not changes:
        return _declared(parts)
    return PatchPlan(
        recipe=NAME,
        subject="mm/mmu_notifier: tell ranges that only become read-only",
        message=f"{NAME}/8-read-only-helper.j2",
        context={},
        changes=tuple(changes),
        note=f"{len({change.path for change in changes})} files",
    )


def _declared(parts: Header) -> AlreadyThere:
    return already(parts.place(parts.source.index(READ_ONLY.encode())), f"{READ_ONLY}()")
