# SPDX-License-Identifier: GPL-2.0-only
"""The other side of the protocol, read: who maps a page asks for a retry under the lock.

The sequence is sampled, then the page is looked up, the lock taken, and the page mapped only
where the retry test, asked under that lock, says no.  The test itself must say yes where the
sequence moved or the page is being invalidated; a flush must reach the vCPUs on every path.
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.system.paths import Facts, NotFollowed, Paths
from patchgen.source.c.text import bare, every, subexpressions, text

SAMPLED = ("mmu_notifier_seq", "mmu_invalidate_seq")
COUNTED = ("mmu_notifier_count", "mmu_invalidate_in_progress")
#: include/linux/kvm_host.h; is_page_fault_stale() is x86's (arch/x86/kvm/mmu/mmu.c).
RETRIES = (
    "mmu_notifier_retry",
    "mmu_notifier_retry_hva",
    "mmu_invalidate_retry",
    "mmu_invalidate_retry_hva",
    "mmu_invalidate_retry_gfn",
    "is_page_fault_stale",
)
_FLUSHES = ("kvm_arch_flush_remote_tlb", "kvm_arch_flush_remote_tlbs")
_LOCKS = words.LOCK_CALLS | {"KVM_MMU_LOCK"}
_UNLOCKS = words.UNLOCK_CALLS | {"KVM_MMU_UNLOCK"}
#: Calls that give the lock away and take it again (include/linux/sched.h).
_RELOCKS = frozenset({"cond_resched_lock", "cond_resched_rwlock_write", "cond_resched_rwlock_read"})

#: A function by name, or None.
Lookup = Callable[[str], Function | None]


class FaultPath:
    """Follows functions that map pages; ``lookups`` and ``maps`` are the calls that do."""

    def __init__(self, get: Lookup, lookups: tuple[str, ...], maps: tuple[str, ...]) -> None:
        self.get = get
        self.lookups = lookups
        self.maps = maps
        self.sampled: set[str] = set()
        self._relocks: dict[str, bool] = {}

    def fault(self, function: Function) -> tuple[Place, str] | None:
        """What of ``function`` is not as it must be, and where; None: nothing."""
        self.sampled = {text(e.args[0]) for e in every(function.body) if samples(e)} or {
            f"{p.name}->mmu_seq" for p in function.params
        }
        paths = Paths(self._effect, self._branch, self._relevant)
        try:
            paths.follow(function)
        except NotFollowed as error:
            return Place(function.path, error.line), f"{function.name}(): {error.reason}"
        return None

    def _relevant(self, expr: Expr) -> bool:
        name = called(expr)
        known = (*self.lookups, *self.maps, *RETRIES)
        return samples(expr) or name in known or bool(_lock_step(expr))

    def _effect(self, expr: Expr, facts: Facts) -> Facts:
        if samples(expr):
            return facts - {"looked", "checked"} | {"sampled"}
        name, step = called(expr), _lock_step(expr)
        if step:
            return facts - {"checked"} | {"locked"} if step > 0 else facts - {"checked", "locked"}
        if name in RETRIES:
            raise NotFollowed(expr.line, f"the answer of {name}() is not followed")
        if name in self.lookups:
            inside = self.get(name)
            if "sampled" not in facts and not (inside and _samples_first(inside, self.lookups)):
                raise NotFollowed(expr.line, "it looks the page up before it samples the sequence")
            return facts - {"checked"} | {"looked"}
        if name in self.maps and not {"looked", "locked", "checked"} <= facts:
            raise NotFollowed(
                expr.line, "it maps a page without a retry test under the lock behind the lookup"
            )
        if "checked" in facts and name and name not in self.maps and self.relocks(name):
            return facts - {"checked"}
        return facts

    def _branch(self, expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
        name = called(expr)
        if name not in RETRIES:
            return None
        about = {text(bare(argument)) for argument in expr.args[1:]}
        ours = about & self.sampled or {f"{a}->mmu_seq" for a in about} & self.sampled
        if not ours or not {"locked", "looked"} <= facts:
            return facts, facts
        return facts - {"checked"}, facts | {"checked"}

    def relocks(self, name: str) -> bool:
        """Whether a function of KVM's, or one that it calls, gives the lock away."""
        if name not in self._relocks:
            self._relocks[name] = False  # a recursion adds nothing
            function = self.get(name)
            inside = list(every(function.body)) if function else []
            self._relocks[name] = any(
                _lock_step(e) or (called(e) and called(e) != name and self.relocks(called(e)))
                for e in inside
                if e.kind == "call"
            )
        return self._relocks[name]


def retry_fault(
    get: Lookup, name: str, counted: tuple[str, ...] = COUNTED
) -> tuple[Place, str] | None:
    """What is wrong with the retry test ``name``; None where it is right.

    ``counted`` are the members that say that an invalidation is in progress.

    It may say no only where the sequence is the sampled one and no invalidation of the page
    is in progress, or where there is no memslot to map from.
    """
    function = get(name)
    if function is None:
        return Place("include/linux/kvm_host.h", 1), f"no {name}()"
    for inner in every(function.body):
        if called(inner) in RETRIES and called(inner) != name:
            wrong = retry_fault(get, called(inner), counted)
            if wrong is not None:
                return wrong
    sequence = {p.name for p in function.params if p.type == "unsigned long"}
    paths = Paths(
        lambda expr, facts: facts,
        lambda expr, facts: _retry_branch(expr, facts, sequence, counted),
        lambda expr: expr.name in (*SAMPLED, *counted) or called(expr) in RETRIES,
    )
    try:
        paths.follow(function)
    except NotFollowed as error:
        return Place(function.path, error.line), f"{name}(): {error.reason}"
    for facts in paths.no:
        settled = "asked" in facts or "no slot" in facts
        if not settled and not ("same" in facts and facts & {"none", "outside"}):
            reason = f"{name}() may say no though the page was invalidated"
            return Place(function.path, function.line), reason
    return None


def _retry_branch(
    expr: Expr, facts: Facts, sequence: set[str], counted: tuple[str, ...]
) -> tuple[Facts, Facts] | None:
    if called(expr) in RETRIES:
        return facts, facts | {"asked"}
    if expr.name in counted and expr.kind in ("arrow", "member"):
        return facts, facts | {"none"}
    if expr.name == "slot" and expr.kind in ("arrow", "member"):
        return facts, facts | {"no slot"}
    if expr.kind != "binary":
        return None
    left, right = (_plain(e) for e in expr.args)
    if expr.name in ("!=", "==") and right.name in SAMPLED:
        left, right = right, left
    if expr.name in ("!=", "==") and left.name in SAMPLED and right.name in sequence:
        answers = facts, facts | {"same"}
        return answers if expr.name == "!=" else answers[::-1]
    begins, ends = right.name.endswith("range_start"), right.name.endswith("range_end")
    known = right.name in words.RANGE_FIELDS
    if known and ((expr.name == ">=" and begins) or (expr.name == "<" and ends)):
        return facts, facts | {"outside"}
    return None


def flush_fault(get: Lookup, name: str = "kvm_flush_remote_tlbs") -> tuple[Place, str] | None:
    """Where a flush of all vCPUs' TLBs may reach none of them; None where it always does."""
    function = get(name)
    if function is None:
        return Place("virt/kvm/kvm_main.c", 1), f"no {name}()"

    def asks(expr: Expr) -> bool:
        wanted = called(expr) == "kvm_make_all_cpus_request" and len(expr.args) == 3
        return wanted and expr.args[2].name == "KVM_REQ_TLB_FLUSH"

    def effect(expr: Expr, facts: Facts) -> Facts:
        return facts | {"flushed"} if asks(expr) else facts

    def branch(expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
        # 0: the architecture has flushed.
        return (facts, facts | {"flushed"}) if called(expr) in _FLUSHES else None

    paths = Paths(effect, branch, lambda expr: asks(expr) or called(expr) in _FLUSHES)
    try:
        paths.follow(function)
    except NotFollowed as error:
        return Place(function.path, error.line), f"{name}(): {error.reason}"
    if all("flushed" in facts for facts in paths.yes | paths.no):
        return None
    return Place(function.path, function.line), f"{name}() may return without a flush"


def called(expr: Expr) -> str:
    """The name that a call is known by: ``f`` of ``f()`` and ``FNAME(f)()``; "" if none."""
    if expr.kind != "call":
        return ""
    callee = expr.args[0]
    if callee.kind == "call" and callee.name == "FNAME" and len(callee.args) == 2:
        return f"FNAME({text(callee.args[1])})"
    return expr.name


def _plain(expr: Expr) -> Expr:
    expr = bare(expr)
    if expr.kind == "call" and expr.name in words.READS and len(expr.args) == 2:
        return bare(expr.args[1])
    return expr


def samples(expr: Expr) -> bool:
    """``x = kvm->mmu_notifier_seq``."""
    return expr.kind == "assign" and expr.name == "=" and _plain(expr.args[1]).name in SAMPLED


def _samples_first(function: Function, lookups: tuple[str, ...]) -> bool:
    """Whether the sequence is sampled before anything is looked up in ``function``."""
    sampled = [e.span for e in every(function.body) if samples(e)]
    looked = [e.span for e in every(function.body) if called(e) in lookups]
    return bool(sampled) and (not looked or min(sampled) < min(looked))


def _lock_step(expr: Expr) -> int:
    """1 where KVM's MMU lock is taken, or given away and taken again, -1 where it is dropped."""
    name = called(expr)
    if name not in _LOCKS and name not in _UNLOCKS and name not in _RELOCKS:
        return 0
    plain = name.startswith("KVM_MMU") or any(
        e.name == "mmu_lock" for argument in expr.args[1:] for e in subexpressions(argument)
    )
    return 0 if not plain else -1 if name in _UNLOCKS else 1
