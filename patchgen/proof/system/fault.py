# SPDX-License-Identifier: GPL-2.0-only
"""The other side of the protocol, read: who maps a page asks for a retry under the lock.

The sequence is sampled, then (a barrier between) the page is looked up, the lock taken, and the
page mapped only where the retry test, asked under that lock, of that guest, with that sample and
for that page, says no.  The test itself is read in :mod:`patchgen.proof.system.retry`.  What is
no page of a memslot needs none (:mod:`patchgen.proof.system.noslot`).
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.analysis.paths.facts import Facts, NotFollowed, Paths
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.system import noslot
from patchgen.proof.system.same import Objects, changes, plain
from patchgen.source.c.text import bare, every, subexpressions, text

SAMPLED = ("mmu_notifier_seq", "mmu_invalidate_seq")
#: include/linux/kvm_host.h; is_page_fault_stale() is x86's (arch/x86/kvm/mmu/mmu.c).
RETRIES = (
    "mmu_notifier_retry",
    "mmu_notifier_retry_hva",
    "mmu_invalidate_retry",
    "mmu_invalidate_retry_hva",
    "mmu_invalidate_retry_gfn",
    "is_page_fault_stale",
)
#: virt/kvm/pfncache.c
CACHE_RETRIES = ("mmu_notifier_retry_cache", "mmu_invalidate_retry_cache")
#: Later reads stay behind them: asm/barrier.h.
_ORDERS = frozenset({"smp_rmb", "smp_mb"})
_LOCKS = words.LOCK_CALLS | {"KVM_MMU_LOCK", "write_lock_irq"}
_UNLOCKS = words.UNLOCK_CALLS | {"KVM_MMU_UNLOCK", "write_unlock_irq"}
#: Calls that give the lock away and take it again (include/linux/sched.h).
_RELOCKS = frozenset({"cond_resched_lock", "cond_resched_rwlock_write", "cond_resched_rwlock_read"})

#: A function by name, or None.
Lookup = Callable[[str], Function | None]


class FaultPath:
    """Follows functions that map pages; ``lookups`` and ``maps`` are the calls that do.

    ``lock`` is the member that the lock is; ``validates`` one that is set true where a page is
    taken over without a call.
    """

    def __init__(
        self,
        get: Lookup,
        lookups: tuple[str, ...],
        maps: tuple[str, ...],
        lock: str = "mmu_lock",
        validates: str = "",
    ) -> None:
        self.get = get
        self.lookups = lookups
        self.maps = maps
        self.lock = lock
        self.validates = validates
        self._asked: frozenset[str] = frozenset()
        self._relocks: dict[str, bool] = {}

    def fault(self, function: Function) -> tuple[Place, str] | None:
        """What of ``function`` is not as it must be, and where; None: nothing."""
        self.objects = Objects(function)
        self._asked = noslot.asked(function, self.get)
        kept = {text(e.args[0]) for e in every(function.body) if samples(e)}
        for expr in every(function.body):
            if expr.kind == "unary" and expr.name == "&" and text(expr.args[0]) in kept:
                where = Place(function.path, expr.line)
                return where, f"{function.name}(): the sample may be changed by its address"
        paths = Paths(self._effect, self._branch, self._relevant)
        try:
            paths.follow(function)
        except NotFollowed as error:
            return Place(function.path, error.line), f"{function.name}(): {error.reason}"
        return None

    def _relevant(self, expr: Expr) -> bool:
        name = called(expr)
        known = (*self.lookups, *self.maps, *RETRIES, *CACHE_RETRIES)
        written = changes(expr) and text(bare(expr.args[0])) in self._asked
        ours = samples(expr) or self._valid(expr) or written
        return ours or name in known or bool(self._step(expr))

    def _effect(self, expr: Expr, facts: Facts) -> Facts:
        if changes(expr):
            facts -= {f"no page {text(bare(expr.args[0]))}"}
        if samples(expr):
            of = self.objects.same(plain(expr.args[1]).args[0])
            return _sampled(facts, text(expr.args[0]), of)
        if self._valid(expr) and not _ready(facts):
            raise NotFollowed(expr.line, "a page is taken without a retry test under the lock"
                              " behind the lookup")  # fmt: skip
        name, step = called(expr), self._step(expr)
        if step:
            return self._locked(expr, facts, step)
        if changes(expr) and _known("sampled", facts) == text(expr.args[0]):
            # What was sampled is something else from now on.
            return _without(facts, "sampled", "checked")
        if name in _ORDERS:
            return facts | {"ordered"} if _known("sampled", facts) else facts
        if name in (*RETRIES, *CACHE_RETRIES):
            raise NotFollowed(expr.line, f"the answer of {name}() is not followed")
        if name in self.lookups:
            return self._looked(expr, facts)
        if name in self.maps and not _ready(facts | self._needs_none(expr, facts)):
            raise NotFollowed(
                expr.line, "it maps a page without a retry test under the lock behind the lookup"
            )
        if "checked" in facts and name and name not in self.maps and self.relocks(name):
            return facts - {"checked"}
        return facts

    def _needs_none(self, expr: Expr, facts: Facts) -> Facts:
        """The retry test counts as asked where what a call maps is no page."""
        inside = {e.name for given in expr.args[1:] for e in subexpressions(given)}
        none = any(f"no page {name}" in facts for name in inside & self._asked)
        return frozenset({"checked"}) if none else frozenset()

    def _valid(self, expr: Expr) -> bool:
        """Whether a page is taken over by a member that says that it may be used."""
        return (
            bool(self.validates)
            and expr.kind == "assign"
            and bare(expr.args[0]).name == self.validates
            and text(bare(expr.args[1])) not in ("false", "0")
        )

    def _locked(self, expr: Expr, facts: Facts, step: int) -> Facts:
        facts = _without(facts, "locked", "checked")
        owner = next((e for a in expr.args[1:] for e in subexpressions(a) if e.name == self.lock),
                     None)  # fmt: skip
        of = self.objects.same(owner.args[0]) if owner is not None and owner.args else ""
        if called(expr).startswith("KVM_MMU"):
            of = self.objects.same(expr.args[1])
        return facts | {f"locked {of}"} if step > 0 else facts

    def _looked(self, expr: Expr, facts: Facts) -> Facts:
        inside = self.get(called(expr))
        if inside is not None:
            given = {
                param.name: self.objects.same(arg)
                for param, arg in zip(inside.params, expr.args[1:], strict=False)
            }
            facts = _samples_inside(inside, self.lookups, given, facts)
        if not _known("sampled", facts):
            raise NotFollowed(expr.line, "it looks the page up before it samples the sequence")
        if "ordered" not in facts:
            raise NotFollowed(expr.line, "nothing keeps the lookup behind the sample (smp_rmb())")
        asked = {e.name for arg in expr.args[1:] for e in subexpressions(arg) if e.kind == "name"}
        facts = _without(facts, "checked", "of page", "no page")
        return facts | {"looked"} | {f"of page {a}" for a in asked}

    def _branch(self, expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
        name = called(expr)
        if noslot.is_test(expr) and (pfn := text(bare(expr.args[1]))) in self._asked:
            return facts | {f"no page {pfn}"}, facts
        if name not in (*RETRIES, *CACHE_RETRIES):
            return None
        if "looked" not in facts or not self._ours(expr, facts):
            return facts, facts
        return facts - {"checked"}, facts | {"checked"}

    def _ours(self, expr: Expr, facts: Facts) -> bool:
        """Whether a retry test is of the guest, the sample and the page, under the lock."""
        inside, args = self.get(called(expr)), [plain(arg) for arg in expr.args[1:]]
        if len(args) < 2:
            return False
        of = self.objects.same(args[0])
        if inside is not None and "kvm_vcpu" in inside.params[0].type:
            of = f"{of}->kvm"
        sample = _known("sampled", facts)
        if sample not in (text(args[1]), f"{text(args[1])}->mmu_seq"):
            return False
        if _known("seq of", facts) != of:
            return False
        locked = _known("locked", facts)
        if not locked or (self.lock == "mmu_lock" and locked != of):
            return False
        # The page that is asked for is one that the lookup was told of.
        page = args[2] if len(args) > 2 else None
        while page is not None and page.kind in ("arrow", "member"):
            page = page.args[0]
        return page is None or (page.kind == "name" and f"of page {page.name}" in facts)

    def _step(self, expr: Expr) -> int:
        """1 where the lock is taken, or given away and taken again, -1 where it is dropped."""
        name = called(expr)
        if name not in _LOCKS and name not in _UNLOCKS and name not in _RELOCKS:
            return 0
        mine = name.startswith("KVM_MMU") or any(
            e.name == self.lock for argument in expr.args[1:] for e in subexpressions(argument)
        )
        return 0 if not mine else -1 if name in _UNLOCKS else 1

    def relocks(self, name: str) -> bool:
        """Whether a function of KVM's, or one that it calls, gives the lock away."""
        if name not in self._relocks:
            self._relocks[name] = False  # a recursion adds nothing
            function = self.get(name)
            inside = list(every(function.body)) if function else []
            self._relocks[name] = any(
                self._step(e) or (called(e) and called(e) != name and self.relocks(called(e)))
                for e in inside
                if e.kind == "call"
            )
        return self._relocks[name]


def called(expr: Expr) -> str:
    """The name that a call is known by: ``f`` of ``f()`` and ``FNAME(f)()``; "" if none."""
    if expr.kind != "call":
        return ""
    callee = expr.args[0]
    if callee.kind == "call" and callee.name == "FNAME" and len(callee.args) == 2:
        return f"FNAME({text(callee.args[1])})"
    return expr.name


def samples(expr: Expr) -> bool:
    """``x = kvm->mmu_notifier_seq``."""
    if expr.kind != "assign" or expr.name != "=":
        return False
    read = plain(expr.args[1])
    return read.kind == "arrow" and read.name in SAMPLED


# -- facts ------------------------------------------------------------------------


def _sampled(facts: Facts, target: str, of: str) -> Facts:
    facts = _without(facts, "sampled", "seq of", "ordered", "looked", "checked")
    return facts | {f"sampled {target}", f"seq of {of}"}


def _known(what: str, facts: Facts) -> str:
    """What a fact is about; "" where there is none of the kind."""
    return next((f[len(what) + 1 :] for f in facts if f.startswith(f"{what} ")), "")


def _without(facts: Facts, *what: str) -> Facts:
    return frozenset(f for f in facts if not any(f == w or f.startswith(f"{w} ") for w in what))


def _ready(facts: Facts) -> bool:
    return {"looked", "checked"} <= facts and bool(_known("locked", facts))


def _samples_inside(
    function: Function, lookups: tuple[str, ...], given: dict[str, str], facts: Facts
) -> Facts:
    """``facts`` behind a sample that a lookup takes itself, before it looks anything up."""
    objects = Objects(function, given)
    inside = sorted(every(function.body), key=lambda e: e.span)
    sampled = [e for e in inside if samples(e)]
    looked = [e for e in inside if called(e) in lookups]
    if not sampled or (looked and looked[0].span < sampled[0].span) or len(sampled) > 1:
        return facts
    first = sampled[0]
    kept = text(first.args[0])
    changed = any(
        changes(e) and text(e.args[0]) == kept and e is not first for e in inside if e.args
    )
    if changed:
        return facts
    target = objects.same(first.args[0])
    facts = _sampled(facts, target, objects.same(plain(first.args[1]).args[0]))
    last = looked[0].span if looked else function.body.span
    ordered = any(called(e) in _ORDERS and first.span < e.span < last for e in inside)
    ordered |= not looked and any(called(e) in _ORDERS and first.span < e.span for e in inside)
    return facts | {"ordered"} if ordered else facts
