# SPDX-License-Identifier: GPL-2.0-only
"""The programs of everybody: the core around the handlers, guests, caches.

CPU 0 runs the event that is looked into, on page A.  CPU 1 runs any one other event: an
unmap of A, alone or with a section on page B nested in it, a non-blocking start that
another notifier makes fail, or an event on B.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Place
from patchgen.proof.extract.program import Builder, Program
from patchgen.proof.extract.protocol import NOWHERE, Bounds, Core, Memslots, Protocol
from patchgen.proof.system.cases import Case
from patchgen.proof.system.effects import NEW_RW, NONE, OLD_RW, Scope
from patchgen.proof.system.lower import Task

_MMU = "mmu"


def tasks(
    protocol: Protocol, case: Case, core: Core, unmap: Core, bounds: Bounds
) -> tuple[Task, ...]:
    """The processes for one case, CPUs first; ``core`` is its event, ``unmap`` another's."""
    vcpus = [f"_v{n}" for n in range(bounds.vcpus)]
    samplers = (*vcpus, "_g") if protocol.cache else tuple(vcpus)

    def scope(holder: int, suffix: str, studied: bool = False) -> Scope:
        return Scope(
            holder, suffix, studied, case.before, case.after, tuple(samplers), protocol.ranges
        )

    all_tasks = [Task("CPU 0", studied(protocol, case, core), scope(1, "_h0", True))]
    if bounds.invalidations > 1:
        all_tasks.append(Task("CPU 1", other(protocol, case, core, unmap), scope(2, "_h1")))
    fault = vcpu(protocol)
    # All vCPUs hold locks under one number, so that they stay alike.
    all_tasks += [
        Task(f"vCPU {n}", fault, scope(3, suffix), True) for n, suffix in enumerate(vcpus)
    ]
    all_tasks.append(Task("guest", _single("fill_tlb", protocol.guest.install), scope(0, ""), True))
    if case.after == NEW_RW:
        all_tasks.append(Task("user", _single("host_write", NOWHERE), scope(0, ""), True))
    if protocol.memslots:
        all_tasks.append(Task("memslot", removal(protocol.memslots), scope(5, "_m")))
    if protocol.cache:
        all_tasks.append(Task("cache", pfn_cache(protocol.cache), scope(4, "_g"), True))
    return tuple(all_tasks)


class _Section:
    """Builds the core's side of one event around the handlers."""

    def __init__(
        self,
        protocol: Protocol,
        case: Case,
        page: str,
        flagged: bool,
        on_cpu_0: bool = False,
    ) -> None:
        self.protocol = protocol
        self.case = case
        self.page = page
        self.known = {
            "flagged": flagged,
            "blockable": True,
            **({} if protocol.memslots else {"slot_invalid": False}),
            "only_protected": case.key == "protected" and on_cpu_0,
            "new_writable": case.after in (OLD_RW, NEW_RW),
        }

    def handler(self, build: Builder, program: Program, then: int) -> int:
        """A handler's program, whatever its result, and then ``then``."""
        return build.insert(program, lambda _: then, self.page, self.known)

    def step(self, build: Builder, name: str, place: Place, then: int) -> int:
        """One step of the core."""
        protocol, on_a = self.protocol, self.page == "A"
        if name == "start":
            then = self.handler(build, protocol.start, then)
            return build.do("begin_section", place, then) if on_a else then
        if name == "end":
            if on_a:
                then = build.do("end_section", place, then)
            return self.handler(build, protocol.end, then)
        if name == "change":
            if protocol.change is None:
                return then
            return self.handler(build, protocol.change, then)
        if not on_a:
            return then
        if name == "lock":
            return build.do("lock", place, then, "ptl")
        if name == "unlock":
            return build.do("unlock", place, then, "ptl")
        if name == "free" and not self.case.new_frame:
            return then
        if name == "take" and not self.case.copied_inside:
            return then
        if name == "protect":
            return build.do("protect_pte", place, then)
        what = {"clear": "clear_pte", "set": "set_pte", "free": "free_old", "take": "take"}[name]
        return build.do(what, place, then)


def studied(protocol: Protocol, case: Case, core: Core) -> Program:
    """The event that is looked into, on CPU 0."""
    build = Builder()
    done = build.do("finish", NOWHERE, build.end())
    if case.after == NONE:
        return build.program("CPU 0", _unmap(build, protocol, case, core, done))
    if not case.kept:
        return build.program("CPU 0", _failing(build, protocol, case, done))
    section = _Section(protocol, case, "A", case.flagged, True)
    after = done
    if (case.before, case.new_frame) == (OLD_RW, False):
        # Write-protected to be compared with another frame: its content counts from now on.
        after = build.do("take", core.steps[-1][1], done)
    return build.program("CPU 0", _chain(build, section, core.steps, after, done))


def _chain(
    build: Builder,
    section: _Section,
    steps: Sequence[tuple[str, Place]],
    after: int,
    unchanged: int,
) -> int:
    """The steps in order; where the PTE is not as expected nothing is changed."""
    entry, skipped = after, unchanged
    for name, place in reversed(steps):
        if name == "lock" and section.page == "A":
            expected = build.test("pte_expected", place, entry, skipped)
            entry = build.do("lock", place, expected, "ptl")
            skipped = entry
            continue
        entry = section.step(build, name, place, entry)
        if name in ("unlock", "end"):
            skipped = section.step(build, name, place, skipped)
    return entry


def other(protocol: Protocol, case: Case, core: Core, unmap: Core) -> Program:
    """Whatever else CPU 1 may be doing: one event, or none at all."""
    build = Builder()
    done = build.do("finish", NOWHERE, build.end())
    plain = _Section(protocol, case, "B", False)
    ways = [
        _unmap(build, protocol, case, unmap, done),
        _unmap(build, protocol, case, unmap, done, nested=True),
        _chain(build, plain, core.steps, done, done),
        done,
    ]
    if protocol.rollback:
        # Without it every other event would show the same fault once more.
        ways.append(_failing(build, protocol, case, done))
    if protocol.guarded():
        flagged = _Section(protocol, case, "B", True)
        ways.append(_chain(build, flagged, core.steps, done, done))
    return build.program("CPU 1", _either(build, ways))


def _either(build: Builder, ways: Sequence[int]) -> int:
    """One of ``ways`` happens."""
    entry = ways[-1]
    for way in reversed(ways[:-1]):
        entry = build.test("choice", NOWHERE, way, entry)
    return entry


def _unmap(
    build: Builder,
    protocol: Protocol,
    case: Case,
    core: Core,
    done: int,
    nested: bool = False,
) -> int:
    """Page A goes away: start, clear, free, end; with a section on B in it if ``nested``."""
    section = _Section(protocol, case, "A", False)
    place = dict(core.steps)
    end = section.step(build, "end", place["end"], done)
    unlock = section.step(build, "unlock", place["unlock"], end)
    old, new = (
        build.do("clear_pte", place["clear"], build.do(free, place["free"], unlock))
        for free in ("free_old", "free_new")
    )
    which = build.test("pte_old", place["clear"], old, new) if case.new_frame else old
    entry = build.test("pte_none", place["lock"], unlock, which)
    entry = section.step(build, "lock", place["lock"], entry)
    if nested:
        inner = _Section(protocol, case, "B", False)
        for name in ("end", "start"):
            entry = inner.step(build, name, place[name], entry)
    return section.step(build, "start", place["start"], entry)


def _failing(build: Builder, protocol: Protocol, case: Case, done: int) -> int:
    """A non-blocking start on A that another notifier refuses: no end by the caller."""
    section = _Section(protocol, case, "A", False)
    section.known["blockable"] = False
    after = done
    if protocol.rollback:
        after = section.handler(build, protocol.end, done)
    return build.insert(
        protocol.start,
        # One that fails itself gets no end.
        lambda result: done if result.startswith("-") else after,
        "A",
        section.known,
    )


def vcpu(protocol: Protocol) -> Program:
    """A vCPU: faults on A or B, or drops SPTEs while it syncs a shadow page."""
    build = Builder()
    ways = [_fault(build, protocol, "A"), _fault(build, protocol, "B")]
    if protocol.deferred:
        ways += [_sync(build, protocol.deferred, page) for page in "AB"]
    return build.program("vCPU", _either(build, ways))


def _fault(build: Builder, protocol: Protocol, page: str) -> int:
    guest = protocol.guest
    complete = build.do("complete", guest.install, build.end(), "", page)
    unlock = build.do("unlock", guest.lock, complete, _MMU)
    installed = build.do("install", guest.install, unlock, "", page)
    flushed = build.do("flush_page", guest.install, unlock, "", page)
    replaced = build.do("install", guest.install, flushed, "", page)
    mapped = build.test("present", guest.install, replaced, installed, page)
    fresh = build.test("lookup_current", guest.install, unlock, mapped, page)
    give_up = build.do("give_up", guest.retry, build.end(), "", page)
    retry = build.do("unlock", guest.lock, give_up, _MMU)
    stale = build.test("stale", guest.retry, retry, fresh, page)
    check = build.test("retry_count", guest.retry, retry, stale, page)
    entry = build.do("lock", guest.lock, check, _MMU, page)
    if page == "A":
        found = build.do("lookup", guest.lookup, entry, "", page)
        none = build.do("no_page", guest.lookup, complete, "", page)
        entry = build.test("choice", guest.lookup, found, none)
    entry = build.do("sample", guest.sample, entry, "", page)
    if protocol.memslots and page == "A":
        # A fault on a memslot that is being removed tries again until it is gone.
        return build.test("slot_invalid", guest.sample, build.stop(), entry, page)
    return entry


def _sync(build: Builder, place: Place, page: str) -> int:
    unlock = build.do("unlock", place, build.end(), _MMU)
    dirty = build.do("mark_dirty", place, unlock, "", page)
    drop = build.do("drop_spte", place, dirty, "", page)
    present = build.test("present", place, drop, build.stop(), page)
    return build.do("lock", place, present, _MMU)


def removal(at: Memslots) -> Program:
    """A's memslot is removed, or not: marked, waited for, and then what it maps is dropped."""
    build = Builder()
    done = build.do("finish", NOWHERE, build.end())
    unlock = build.do("unlock", at.flush, done, _MMU)
    flush = build.do("flush", at.flush, unlock, "", "A")
    drop = build.do("drop_spte", at.flush, flush, "", "A")
    present = build.test("present", at.flush, drop, unlock, "A")
    zap = build.do("lock", at.flush, present, _MMU)
    wait = build.do("synchronize", at.synchronize, zap)
    marked = build.do("invalidate_slot", at.wait, build.do("unlock", at.wait, wait, "mn"))
    # It may take and drop the lock in vain: the same as not to have come by yet.
    idle = build.test("active", at.wait, build.stop(), marked)
    locked = build.do("lock", at.wait, idle, "mn")
    return build.program("memslot", build.test("choice", at.wait, locked, done))


def pfn_cache(place: Place) -> Program:
    """A pfn cache on A: look the page up, and be valid unless an event says otherwise."""
    build = Builder()
    complete = build.do("complete", place, build.end())
    valid = build.do("validate_cache", place, build.do("unlock", place, complete, "gpc"))
    retry = build.do("unlock", place, build.do("give_up", place, build.end()), "gpc")
    stale = build.test("stale", place, retry, valid)
    check = build.test("active", place, retry, stale)
    found = build.do("lookup", place, build.do("lock", place, check, "gpc"), "writable")
    looked = build.test("choice", place, found, complete)
    sample = build.do("sample", place, looked)
    return build.program("cache", build.test("cache_valid", place, build.stop(), sample))


def _single(what: str, place: Place) -> Program:
    build = Builder()
    return build.program(what, build.do(what, place, build.end(), "", "A"))
