# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of x86's must ask for a retry, and whether all of them do."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.base import Place
from patchgen.model.code import (
    Block,
    Break,
    Continue,
    DoWhile,
    ExprStmt,
    Function,
    Goto,
    If,
    MacroLoop,
    Return,
    Stmt,
    While,
)
from patchgen.proof.system.fault import RETRIES, FaultPath, called, flush_fault, retry_fault
from patchgen.proof.system.locate import (
    FAULTS,
    KVM_FILES,
    LOOKUPS,
    MAPS,
    SET_AND_NOTIFY,
    Misplaced,
    Source,
)
from patchgen.source.c.text import every, statements

#: What maps a page that was looked up, wherever it is called: arch/x86/kvm/mmu/.
_ALWAYS_MAPS = ("__direct_map", "direct_map", "kvm_tdp_mmu_map", "FNAME(fetch)")
#: Pages of private memory, which the host does not map, come to this one alone (seen in 7.2).
_PRIVATE = frozenset({"kvm_tdp_mmu_map"})
_LOCKS = ("spin_lock", "write_lock", "read_lock")
_TEMPLATES = ("arch/x86/kvm/mmu/paging_tmpl.h", "arch/x86/kvm/paging_tmpl.h")
_API = "include/linux/mmu_notifier.h"
_CACHE = "virt/kvm/pfncache.c"
_CORE = "mm/mmu_notifier.c"
_HOST = "include/linux/kvm_host.h"


def surroundings(source: Source, changes: bool, counts: bool) -> tuple[Misplaced, ...]:
    """What in the fault paths, the retry tests and the flush is not as it is explored.

    Each function of x86's that looks a page up or maps one is followed along all its paths.
    ``changes``: there is a change_pte(), so that who is told is read, too.  ``counts``: active
    invalidations are counted, for memslots to wait for them.
    """

    def get(name: str) -> Function | None:
        return source.kvm.get(name) or source.file(_HOST).get(name)

    found = [flush_fault(get), _cache_fault(source)]
    found.append(_told_fault(source) if changes else None)
    found.append(_swap_fault(source) if counts else None)
    for function in _concerned(source):
        used = {called(e) for e in every(function.body)}
        maps = (*_ALWAYS_MAPS, *MAPS) if function.name in FAULTS else _ALWAYS_MAPS
        if used.isdisjoint(maps):
            if not used.isdisjoint(_LOCKS):
                where = Place(function.path, function.line)
                found.append((where, f"{function.name}(): what it maps is not understood"))
            continue
        if used & {*maps} <= _PRIVATE and used.isdisjoint(LOOKUPS):
            continue
        found.append(FaultPath(get, LOOKUPS, maps).fault(function))
        found += [retry_fault(get, name) for name in RETRIES if name in used]
    return tuple(Misplaced(*one) for one in dict.fromkeys(found) if one is not None)


def _cache_fault(source: Source) -> tuple[Place, str] | None:
    """Where a pfn cache may keep an outdated page; None where it asks for a retry, or is not."""
    functions = source.file(_CACHE)
    if source.read(_CACHE) is None:
        return None
    for name in ("mmu_notifier_retry_cache", "mmu_invalidate_retry_cache"):
        for function in functions.mentioning(name):
            loops = [s for s in statements(function.body) if isinstance(s, DoWhile)]
            if any(called(loop.test) == name for loop in loops):
                return retry_fault(functions.get, name, ("mn_active_invalidate_count",))
    return Place(_CACHE, 1), "no cache is looked up again until nothing invalidates it"


def _swap_fault(source: Source) -> tuple[Place, str] | None:
    """Where memslots may be swapped within an invalidation; None where the swap waits."""
    for name in ("kvm_swap_active_memslots", "install_new_memslots"):
        function = source.file(KVM_FILES[0]).get(name)
        if function is None:
            continue
        waits = [
            s.span
            for s in function.body.body
            if isinstance(s, While) and s.test.name == "mn_active_invalidate_count"
        ]
        swaps = [e.span for e in every(function.body) if called(e) == "rcu_assign_pointer"]
        if waits and swaps and min(waits) < min(swaps):
            return None
        where = Place(function.path, function.line)
        return where, f"{name}() does not wait for active invalidations before it swaps"
    return Place(KVM_FILES[0], 1), "where memslots are swapped was not found"


def _told_fault(source: Source) -> tuple[Place, str] | None:
    """Where set_pte_at_notify() may tell somebody nothing; None where it tells everybody."""
    macro = source.search(SET_AND_NOTIFY, _API)
    if macro is None or b"mmu_notifier_change_pte(" not in macro[0]:
        line = macro.string.count(b"\n", 0, macro.start()) + 1 if macro else 1
        return Place(_API, line), "set_pte_at_notify() does not call mmu_notifier_change_pte()"
    inline = source.file(_API).get("mmu_notifier_change_pte")
    core = source.file(_CORE).get("__mmu_notifier_change_pte")
    if inline is None or core is None:
        return Place(_CORE, 1), "no __mmu_notifier_change_pte() behind set_pte_at_notify()"
    if not any(called(e) == core.name for e in every(inline.body)):
        return Place(_API, inline.line), f"{inline.name}() does not call {core.name}()"
    loops = [s for s in core.body.body if isinstance(s, MacroLoop)]
    leaves = [s for s in statements(core.body) if isinstance(s, Break | Return | Goto | Continue)]
    if len(loops) == 1 and not leaves and _tells(loops[0].body):
        return None
    return Place(_CORE, core.line), f"{core.name}(): whether it calls everybody is not understood"


def _tells(stmt: Stmt) -> bool:
    """Whether ``change_pte`` is called, under no condition but that there is one."""
    if isinstance(stmt, Block):
        return any(_tells(inner) for inner in stmt.body)
    if isinstance(stmt, If):
        return stmt.test.name == "change_pte" and _tells(stmt.then)
    if not isinstance(stmt, ExprStmt):
        return False
    return stmt.expr.kind == "call" and stmt.expr.args[0].name == "change_pte"


def _concerned(source: Source) -> Iterator[Function]:
    """The functions that look a page up or map one, but for those that do nothing else."""
    wanted = {*LOOKUPS, *_ALWAYS_MAPS}
    for path in (*KVM_FILES[1:], *_TEMPLATES):
        seen: set[str] = set()
        for word in (*LOOKUPS, *_ALWAYS_MAPS[:-1], "fetch"):
            for function in source.file(path).mentioning(word):
                if function.name in wanted or function.name in seen:
                    continue
                seen.add(function.name)
                if any(called(e) in wanted for e in every(function.body)):
                    yield function
