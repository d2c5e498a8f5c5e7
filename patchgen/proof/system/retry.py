# SPDX-License-Identifier: GPL-2.0-only
"""The retry test, read: where it may say no.

Only where the sequence is the sampled one and no invalidation of the page is in progress, or
where there is no memslot to map from (include/linux/kvm_host.h, arch/x86/kvm/mmu/mmu.c).
"""

from __future__ import annotations

from patchgen.analysis.paths.facts import Facts, NotFollowed, Paths
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.system.fault import RETRIES, SAMPLED, Lookup, called
from patchgen.proof.system.same import Objects, plain
from patchgen.source.c.text import every

COUNTED = ("mmu_notifier_count", "mmu_invalidate_in_progress")
#: Members of struct kvm_page_fault: arch/x86/kvm/mmu/mmu_internal.h.
_SAMPLE = "mmu_seq"
_PAGES = ("hva", "gfn")
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def retry_fault(
    get: Lookup, name: str, counted: tuple[str, ...] = COUNTED
) -> tuple[Place, str] | None:
    """What is wrong with the retry test ``name``; None where it is right.

    ``counted`` are the members that say that an invalidation is in progress.
    """
    function = get(name)
    if function is None:
        return Place("include/linux/kvm_host.h", 1), f"no {name}()"
    test = _Test(function, counted)
    for inner in test.asked():
        wrong = retry_fault(get, called(inner), counted)
        if wrong is not None:
            return wrong
        if not test.passes_on(inner):
            place = Place(function.path, inner.line)
            return place, f"{name}() asks {called(inner)}() of something else than it is asked"
    paths = Paths(lambda expr, facts: facts, test.branch, test.relevant)
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


class _Test:
    """One retry test: (guest, sample) or (guest, sample, page) or (vCPU, fault)."""

    def __init__(self, function: Function, counted: tuple[str, ...]) -> None:
        self.function = function
        self.counted = counted
        self.objects = Objects(function)
        names = [param.name for param in function.params]
        self.faults = len(names) > 1 and "kvm_page_fault" in function.params[1].type
        self.guest = f"{names[0]}->kvm" if self.faults else names[0] if names else ""
        keeper = names[1] if len(names) > 1 else ""
        self.sample = f"{keeper}->{_SAMPLE}" if self.faults else keeper
        self.pages = {f"{keeper}->{page}" for page in _PAGES} if self.faults else {*names[2:3]}

    def asked(self) -> list[Expr]:
        """The retry tests that this one asks."""
        inside = every(self.function.body)
        return [e for e in inside if called(e) in RETRIES and called(e) != self.function.name]

    def passes_on(self, call: Expr) -> bool:
        """Whether another test is asked of the same guest, sample and page."""
        guest, sample, *pages = (self.objects.same(arg) for arg in call.args[1:])
        mine = guest == self.guest and sample == self.sample
        return mine and all(page in self.pages for page in pages)

    def relevant(self, expr: Expr) -> bool:
        """Whether an expression decides the answer."""
        return expr.name in (*SAMPLED, *self.counted) or called(expr) in RETRIES

    def branch(self, expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
        """What the two answers of a condition make known."""
        expr = plain(expr)
        if called(expr) in RETRIES:
            return facts, facts | {"asked"}
        if expr.name in self.counted and expr.kind in ("arrow", "member"):
            return facts, facts | {"none"} if self._of_guest(expr) else facts
        if expr.name == "slot" and expr.kind in ("arrow", "member"):
            return facts, facts | {"no slot"}
        if expr.kind != "binary":
            return None
        left, right = (plain(e) for e in expr.args)
        if expr.name in ("!=", "==", ">") and right.name in self.counted:
            left, right = right, left
        if left.name in self.counted and right.name == "0" and expr.name in ("!=", "==", ">"):
            answers = facts, facts | {"none"} if self._of_guest(left) else facts
            return answers[::-1] if expr.name == "==" else answers
        if expr.name in ("!=", "==") and right.name in SAMPLED:
            left, right = right, left
        sampled = self.objects.same(right) == self.sample and self._of_guest(left)
        if expr.name in ("!=", "==") and left.name in SAMPLED and sampled:
            answers = facts, facts | {"same"}
            return answers if expr.name == "!=" else answers[::-1]
        return self._bound(expr.name, left, right, facts)

    def _bound(
        self, sign: str, left: Expr, right: Expr, facts: Facts
    ) -> tuple[Facts, Facts] | None:
        """The page beside a bound of what is being invalidated, on either side of the sign."""
        if left.name in words.RANGE_FIELDS and sign in _MIRRORED:
            sign, left, right = _MIRRORED[sign], right, left
        known = right.name in words.RANGE_FIELDS and self._of_guest(right)
        if not known or self.objects.same(left) not in self.pages:
            return None
        inside, beside = (">=", "<") if right.name.endswith("range_start") else ("<", ">=")
        if sign not in (inside, beside):
            return None
        answers = facts, facts | {"outside"}
        return answers if sign == inside else answers[::-1]

    def _of_guest(self, member: Expr) -> bool:
        """Whether a member is one of the guest's that is asked about."""
        return bool(member.args) and self.objects.same(member.args[0]) == self.guest
