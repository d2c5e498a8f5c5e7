# SPDX-License-Identifier: GPL-2.0-only
"""The rest that an invalidation must be waited for by: pfn caches, and swaps of memslots.

(virt/kvm/pfncache.c; kvm_swap_active_memslots(), virt/kvm/kvm_main.c, from 5.15 on.)
"""

from __future__ import annotations

from patchgen.analysis.paths.facts import Facts, NotFollowed, Paths
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.system.fault import CACHE_RETRIES, FaultPath, called
from patchgen.proof.system.locate import KVM_FILES, Source
from patchgen.proof.system.retry import retry_fault
from patchgen.source.c.text import bare, every, subexpressions, text

_CACHE = "virt/kvm/pfncache.c"
_ACTIVE = "mn_active_invalidate_count"
_GUARD = "mn_invalidate_lock"
_LOOKUPS = ("hva_to_pfn",)
_VALID = "valid"
_SWAPS = ("kvm_swap_active_memslots", "install_new_memslots")


def cache_fault(source: Source) -> tuple[Place, str] | None:
    """Where a pfn cache may keep an outdated page; None where it asks for a retry, or is not."""
    if source.read(_CACHE) is None:
        return None
    functions = source.file(_CACHE)
    asking = [f for f in functions.mentioning(_VALID) if any(map(_validates, every(f.body)))]
    for function in asking:
        used = [e for e in every(function.body) if called(e) in CACHE_RETRIES]
        for name in sorted({called(e) for e in used}):
            wrong = retry_fault(functions.get, name, (_ACTIVE,))
            if wrong is not None:
                return wrong
        path = FaultPath(functions.get, _LOOKUPS, (), lock="lock", validates=_VALID)
        wrong = path.fault(function)
        if wrong is not None:
            return wrong
    if not asking:
        return Place(_CACHE, 1), "no cache is looked up again until nothing invalidates it"
    return None


def _validates(expr: Expr) -> bool:
    return (
        expr.kind == "assign"
        and bare(expr.args[0]).name == _VALID
        and text(bare(expr.args[1])) not in ("false", "0")
    )


def swap_fault(source: Source) -> tuple[Place, str] | None:
    """Where memslots may be swapped within an invalidation; None where the swap waits.

    They are swapped under the lock under which no invalidation was seen to be active.
    """
    for name in _SWAPS:
        function = source.file(KVM_FILES[0]).get(name)
        if function is not None:
            return _swaps(function)
    return Place(KVM_FILES[0], 1), "where memslots are swapped was not found"


def _swaps(function: Function) -> tuple[Place, str] | None:
    swapped = [e for e in every(function.body) if called(e) == "rcu_assign_pointer"]
    where = Place(function.path, function.line)
    if not swapped:
        return where, f"{function.name}() is not seen to swap memslots"
    paths = Paths(_effect, _branch, lambda e: bool(_step(e)) or e.name == _ACTIVE or _swap(e))
    try:
        paths.follow(function)
    except NotFollowed as error:
        return Place(function.path, error.line), f"{function.name}(): {error.reason}"
    return None


def _swap(expr: Expr) -> bool:
    return called(expr) == "rcu_assign_pointer"


def _effect(expr: Expr, facts: Facts) -> Facts:
    step = _step(expr)
    if step:
        return facts - {"idle"} | {"locked"} if step > 0 else facts - {"idle", "locked"}
    if _swap(expr) and not {"locked", "idle"} <= facts:
        reason = "it does not wait for active invalidations before it swaps, under their lock"
        raise NotFollowed(expr.line, reason)
    return facts


def _branch(expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
    counted = bare(expr)
    if counted.kind not in ("arrow", "member") or counted.name != _ACTIVE:
        return None
    return facts, facts | {"idle"} if "locked" in facts else facts


def _step(expr: Expr) -> int:
    name = called(expr)
    if name not in words.LOCK_CALLS and name not in words.UNLOCK_CALLS:
        return 0
    mine = any(e.name == _GUARD for arg in expr.args[1:] for e in subexpressions(arg))
    return 0 if not mine else 1 if name in words.LOCK_CALLS else -1
