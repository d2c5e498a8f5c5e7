# SPDX-License-Identifier: GPL-2.0-only
"""KVM frees the page tables of a range only when its mapping goes away.

An architecture's kvm_unmap_hva_range() may free page tables that become empty.  On
any event but MMU_NOTIFY_UNMAP the guest will touch the range again, so they are worth
keeping.  For the direct idiom, and for stage 2 of arm and arm64: there an empty table
must not be in the way when a block is mapped later; where the code takes that for
granted, the recipe refuses.  x86's rmap walk frees no tables.

Before:

    need_tlb_flush = kvm_unmap_hva_range(kvm, range->start, range->end);

After:

    kvm->mmu_notifier_keep_tables = range->event != MMU_NOTIFY_UNMAP;
    need_tlb_flush = kvm_unmap_hva_range(kvm, range->start, range->end);
    kvm->mmu_notifier_keep_tables = false;
"""

from __future__ import annotations

import re

from patchgen.model.base import Evidence, Place, Span, Value
from patchgen.model.code import Decl, Expr, Function, If, Stmt
from patchgen.model.plan import AlreadyThere, Change, Meant, PatchPlan, Refusal
from patchgen.recipes.base import Options, Recipe, State, StepResult
from patchgen.recipes.wrapping import WIDTH, columns, indent, line_prefix
from patchgen.source.c.text import every, statements, subexpressions
from patchgen.source.facts.kvm import KVM_MAIN, KvmFacts, kvm_facts

NAME = "kvm-keep-tables-unless-unmap"
HEADER = "include/linux/kvm_host.h"
API = "include/linux/mmu_notifier.h"
UNMAP = "kvm_unmap_hva_range"
MEMBER = "mmu_notifier_keep_tables"
#: arm64 from 5.10: a walker with flags that say whether tables are visited.
PGTABLE = "arch/arm64/kvm/hyp/pgtable.c"
#: arm and arm64 before: three functions, each testing whether a table became empty.
STAGE2 = ("virt/kvm/arm/mmu.c", "arch/arm64/kvm/mmu.c")
_EMPTY = re.compile(r"stage2_\w+_table_empty")


class Arch(Value, frozen=True):
    """An architecture that frees tables: what changes, and why keeping them is safe."""

    name: str
    changes: tuple[Change, ...]
    proof: str


def plan(state: State, options: Options) -> StepResult:
    """The member, its value around the unmapping, and the architectures' tests of it."""
    kvm = _kvm(state)
    if isinstance(kvm, Refusal):
        return kvm
    refused = _api(state)
    if refused is not None:
        return refused
    start = _function(state, KVM_MAIN, kvm.start)
    assert start is not None
    if MEMBER.encode() in (state.read(HEADER) or b""):
        return AlreadyThere(NAME, (Evidence(_line_of(state, HEADER, MEMBER), MEMBER),))
    stmt = _top_statement(start)
    member = re.search(rb"\n([ \t]*)long %s;\n" % kvm.count.encode(), state.read(HEADER) or b"")
    if stmt is None or member is None:
        where = Evidence(Place(KVM_MAIN, start.line), f"{start.name}()")
        return Refusal(NAME, "unsafe", "range_start() or struct kvm is not as expected", (where,))
    architectures = _architectures(state)
    if isinstance(architectures, Refusal):
        return architectures
    changes = [
        Change(
            HEADER,
            Span(member.end(), member.end()),
            f"{NAME}/lines.c.j2",
            {"lines": [f"{member[1].decode()}bool {MEMBER};", ""]},
        ),
        *_in_start(state.read(KVM_MAIN) or b"", start, stmt),
        *(change for arch in architectures for change in arch.changes),
    ]
    files = {change.path for change in changes}
    return PatchPlan(
        recipe=NAME,
        subject="KVM: keep page tables unless the mapping goes away",
        message=f"{NAME}/message.j2",
        context={
            "start": start.name,
            "architectures": [arch.name for arch in architectures],
            "proof": architectures[0].proof,
        },
        changes=tuple(changes),
        note=f"{len(files)} files, {', '.join(arch.name for arch in architectures)}",
        limits=(
            "empty tables stay allocated until the range is unmapped, its slot is dropped or "
            "the guest ends",
            "where the walk gives mmu_lock away, another invalidation may decide for the rest "
            "of the range; tables are then freed or kept, both of which are correct",
            "architectures other than arm and arm64 are as before",
        ),
    )


def applies(state: State) -> Refusal | None:
    """KVM's direct idiom, and ranges that carry an event, or can be given one."""
    kvm = _kvm(state)
    if isinstance(kvm, Refusal):
        return kvm
    return None if needs(state) else _api(state)


def needs(state: State) -> tuple[str, ...]:
    """A tree in 5.0's shape needs the series that adds events first."""
    header = state.read(API) or b""
    old = re.search(rb"\n\s*bool blockable;", header) and b"MMU_NOTIFY_UNMAP" not in header
    return ("mmu-notifier-v05",) if old else ()


def _api(state: State) -> Refusal | None:
    """Ranges that carry an event."""
    names = {e.name for f in state.functions(API) for e in every(f.body)}
    if b"MMU_NOTIFY_UNMAP" not in (state.read(API) or b"") or "event" not in names:
        where = (Evidence(Place(API, 1), "looked for it here"),)
        return Refusal(NAME, "absent", "ranges carry no event in this tree", where)
    return None


def _kvm(state: State) -> KvmFacts | Refusal:
    if state.read(KVM_MAIN) is None:
        where = (Evidence(Place(KVM_MAIN, 1), "no such file"),)
        return Refusal(NAME, "absent", "the tree has no KVM", where)
    kvm = kvm_facts(state.facts(KVM_MAIN))
    if kvm is None:
        where = (Evidence(Place(KVM_MAIN, 1), "no struct mmu_notifier_ops"),)
        return Refusal(NAME, "absent", "KVM has no mmu notifier here", where)
    if kvm.idiom != "direct":
        return Refusal(NAME, "unsafe", "only KVM's direct idiom is handled", kvm.evidence)
    return kvm


def _function(state: State, path: str, name: str) -> Function | None:
    if state.read(path) is None:
        return None
    return next((f for f in state.functions(path) if f.name == name), None)


def _line_of(state: State, path: str, word: str) -> Place:
    source = state.read(path) or b""
    return Place(path, source.count(b"\n", 0, source.index(word.encode())) + 1)


def _top_statement(start: Function) -> Stmt | None:
    """The statement of range_start()'s own block that unmaps the range."""
    for stmt in start.body.body:
        if any(expr.kind == "call" and expr.name == UNMAP for expr in every(stmt)):
            return None if isinstance(stmt, Decl) else stmt
    return None


def _in_start(source: bytes, start: Function, stmt: Stmt) -> tuple[Change, Change]:
    pad = line_prefix(source, stmt.span.start)
    range_name, kvm = start.params[-1].name, _kvm_variable(start)
    before = f"{kvm}->{MEMBER} = {range_name}->event != MMU_NOTIFY_UNMAP;"
    lines = [before, pad]
    if columns(pad + before) > WIDTH:
        head, rest = before.split(" != ")
        lines = [f"{head} !=", f"{pad}\t{rest}", pad]
    after = ["", f"{pad}{kvm}->{MEMBER} = false;"]
    return (
        Change(
            KVM_MAIN,
            Span(stmt.span.start, stmt.span.start),
            f"{NAME}/lines.c.j2",
            {"lines": lines},
            Meant(start.name),
        ),
        Change(
            KVM_MAIN,
            Span(stmt.span.end, stmt.span.end),
            f"{NAME}/lines.c.j2",
            {"lines": after},
            Meant(start.name),
        ),
    )


def _kvm_variable(function: Function) -> str:
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.type == "struct kvm *":
                return variable.name
    return next((p.name for p in function.params if p.type == "struct kvm *"), "kvm")


def _architectures(state: State) -> list[Arch] | Refusal:
    """Those whose unmapping frees tables; a refusal where keeping them is not safe."""
    found: list[Arch] = []
    for result in (_pgtable(state), *(_stage2(state, path) for path in STAGE2)):
        if isinstance(result, Refusal):
            return result
        if result is not None:
            found.append(result)
    if not found:
        where = tuple(
            Evidence(Place(path, function.line), "frees no page tables")
            for path in ("arch/x86/kvm/mmu/mmu.c", "arch/x86/kvm/mmu.c")
            if (function := _function(state, path, UNMAP)) is not None
        )
        reason = "no architecture in this tree frees stage-2 page tables of an unmapped range"
        return Refusal(NAME, "absent", reason, where)
    return found


def _pgtable(state: State) -> Arch | Refusal | None:
    unmap = _function(state, PGTABLE, "kvm_pgtable_stage2_unmap")
    if unmap is None:
        return None
    source = (state.read(PGTABLE) or b"").decode("utf-8", "replace")
    where = (Evidence(Place(PGTABLE, unmap.line), f"{unmap.name}()"),)
    walker = _walker(unmap)
    mapping = _function(state, PGTABLE, "kvm_pgtable_stage2_map")
    replaces = mapping is not None and any(
        expr.name == "KVM_PGTABLE_WALK_TABLE_PRE" for expr in every(mapping.body)
    )
    if not replaces:
        reason = "mapping a block does not look for a table in its place"
        return Refusal(NAME, "unsafe", reason, where)
    if walker is None or "mmu->kvm" in source or unmap.params[0].type != "struct kvm_pgtable *":
        return Refusal(NAME, "unsafe", "the unmapping walk is not as expected", where)
    condition = f"{unmap.params[0].name}->mmu->kvm->{MEMBER} ?"
    pad = indent(columns(line_prefix(source.encode(), walker.span.start)))
    old = source.encode()[walker.span.start : walker.span.end].decode("utf-8", "replace")
    lines = [condition, f"{pad}KVM_PGTABLE_WALK_LEAF :", f"{pad}{old}"]
    change = Change(PGTABLE, walker.span, f"{NAME}/lines.c.j2", {"lines": lines}, Meant(unmap.name))
    return Arch("arm64", (change,), "kvm_pgtable_stage2_map()")


def _walker(unmap: Function) -> Expr | None:
    """The flags of the walker that visits leaves and, after them, their tables."""
    for stmt in unmap.body.body:
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.type != "struct kvm_pgtable_walker" or variable.init is None:
                continue
            for field in variable.init.args:
                names = {e.name for e in subexpressions(field)}
                wanted = {"KVM_PGTABLE_WALK_LEAF", "KVM_PGTABLE_WALK_TABLE_POST"}
                if field.name == "flags" and field.args and wanted <= names:
                    return field.args[0]
    return None


def _stage2(state: State, path: str) -> Arch | Refusal | None:
    if state.read(path) is None:
        return None
    tests = [
        (function, test) for function in state.functions(path) for test in _empty_tests(function)
    ]
    if not tests:
        return None
    strange = [test for function, test in tests if not _kvm_of(function)]
    if strange:
        where = tuple(Evidence(Place(path, test.line), "frees a table") for test in strange)
        return Refusal(NAME, "unsafe", "the guest is not at hand where tables are freed", where)
    huge = _function(state, path, "stage2_set_pmd_huge")
    tells = {expr.name for expr in every(huge.body)} if huge is not None else set()
    if huge is None or not {"pmd_thp_or_huge", "unmap_stage2_range"} <= tells:
        line = huge.line if huge is not None else tests[0][1].line
        return Refusal(
            NAME,
            "unsafe",
            "a block is mapped over whatever its entry holds: a table that was kept would leak",
            (
                Evidence(Place(path, line), "does not tell a table from a block"),
                *(Evidence(Place(path, test.line), "frees a table") for _, test in tests),
            ),
        )
    source = state.read(path) or b""
    changes = tuple(_kept(source, path, function, test) for function, test in tests)
    return Arch("arm" if "virt" in path else "arm64", changes, "stage2_set_pmd_huge()")


def _empty_tests(function: Function) -> list[Expr]:
    return [
        stmt.test
        for stmt in statements(function.body)
        if isinstance(stmt, If) and stmt.test.kind == "call" and _EMPTY.fullmatch(stmt.test.name)
    ]


def _kvm_of(function: Function) -> str:
    """How a function reaches struct kvm: a parameter, or stage 2's owner (5.9); or ""."""
    ways = {"struct kvm *": "{}", "struct kvm_s2_mmu *": "{}->kvm"}
    found = (ways[p.type].format(p.name) for p in function.params if p.type in ways)
    return next(found, "")


def _kept(source: bytes, path: str, function: Function, test: Expr) -> Change:
    kvm = _kvm_of(function)
    written = source[test.span.start : test.span.end].decode("utf-8", "replace")
    prefix = line_prefix(source, test.span.start)
    lines = [f"!{kvm}->{MEMBER} &&", indent(columns(prefix)) + written]
    return Change(path, test.span, f"{NAME}/lines.c.j2", {"lines": lines}, Meant(function.name))


RECIPE = Recipe(
    name=NAME,
    summary="KVM frees a range's page tables only on MMU_NOTIFY_UNMAP",
    steps=(plan,),
    needs=needs,
    applies=applies,
    changes_kvm=True,
)
