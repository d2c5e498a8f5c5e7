# SPDX-License-Identifier: GPL-2.0-only
"""The environment's side of a tree: the order and the lines of what surrounds handlers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cached_property

from patchgen.model.base import Fact, Place, Value
from patchgen.model.code import Expr, Function
from patchgen.proof.extract.protocol import NOWHERE, Core, Guest, Memslots
from patchgen.proof.extract.vocabulary import READERS
from patchgen.proof.system.cases import Case
from patchgen.proof.system.fault import samples
from patchgen.proof.system.readers import reads
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, every, text

Read = Callable[[str], bytes | None]

#: KVM's common code, then x86's MMU, from 5.4 on and before.
KVM_FILES = (
    "virt/kvm/kvm_main.c",
    "arch/x86/kvm/mmu/mmu.c",
    "arch/x86/kvm/mmu.c",
    "arch/x86/kvm/mmu/spte.c",
)

#: Which calls are which step of the core (include/linux/mmu_notifier.h, mm/pgtable-generic.c,
#: include/linux/mm.h); of several calls "last" takes the last one.
_STEPS = {
    "start": ("mmu_notifier_invalidate_range_start",),
    "lock": ("pte_offset_map_lock", "page_vma_mapped_walk"),
    "clear": ("ptep_clear_flush", "ptep_clear_flush_notify", "ptep_get_and_clear_full"),
    "change": ("set_pte_at_notify",),
    # Never before the PTE is set.
    "free": ("put_page", "page_remove_rmap", "folio_put", "folio_remove_rmap_pte"),
    "unlock": ("pte_unmap_unlock", "page_vma_mapped_walk_done"),
    "end": ("mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end"),
}
_ORDER = ("start", "lock", "clear", "take", "change", "set", "free", "unlock", "end")

#: Where an unmap does its steps: mm/memory.c.
_UNMAP = {
    "start": ("zap_page_range", "zap_page_range_single"),
    "lock": ("zap_pte_range",),
    "clear": ("zap_pte_range",),
    "unlock": ("zap_pte_range",),
    "end": ("zap_page_range", "zap_page_range_single"),
}

#: Where mprotect() does its steps: (step, file, function, calls).
_PROTECT = (
    ("start", "mm/mprotect.c", "change_pmd_range", _STEPS["start"]),
    ("lock", "mm/mprotect.c", "change_pte_range", _STEPS["lock"]),
    ("protect", "mm/mprotect.c", "change_pte_range", ("ptep_modify_prot_start",)),
    ("unlock", "mm/mprotect.c", "change_pte_range", _STEPS["unlock"]),
    ("end", "mm/mprotect.c", "change_pmd_range", _STEPS["end"]),
)

#: KVM's fault paths for direct roots: arch/x86/kvm/mmu/mmu.c, oldest name last.
FAULTS = ("direct_page_fault", "tdp_page_fault")
LOOKUPS = (
    "try_async_pf",
    "kvm_faultin_pfn",
    "__kvm_faultin_pfn",
    "kvm_mmu_faultin_pfn",
    "kvm_hva_to_pfn",
)
_RETRIES = (
    "mmu_notifier_retry",
    "mmu_notifier_retry_hva",
    "mmu_invalidate_retry_hva",
    "is_page_fault_stale",
)
MAPS = ("__direct_map", "direct_map", "kvm_tdp_mmu_map", "mmu_spte_set")

_DEFERRED = (
    "arch/x86/kvm/mmu/paging_tmpl.h",
    "arch/x86/kvm/paging_tmpl.h",
    "arch/x86/kvm/mmu/mmu.c",
    "arch/x86/kvm/mmu.c",
)
_CACHE = "virt/kvm/pfncache.c"
#: Whatever is not a read.
_COUNTED = re.compile(
    rb"->tlbs_dirty\s*(\+\+|--|[-+|&^]?=[^=])|[+][+][\w.>-]*->tlbs_dirty"
    rb"|(WRITE_ONCE|_inc|_add|store_release)\([^;]*->tlbs_dirty"
)
SET_AND_NOTIFY = re.compile(rb"#define\s+set_pte_at_notify\((?:[^\n]*\\\n)+")


class Misplaced(Value, frozen=True):
    """The surroundings are not as the environment has them: where, and why."""

    place: Place
    reason: str


#: Preprocessor lines that change what the code means wherever it stands.
_MACRO = re.compile(r"#\s*(define|undef)\b")


class Source:
    """The files of one state of a tree, parsed when first asked for."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self._files: dict[str, Definitions] = {}
        self._found: dict[str, str] = {}

    def file(self, path: str) -> Definitions:
        """The functions of ``path`` by name; none where there is no such file."""
        if path not in self._files:
            self._files[path] = Definitions({path: self.read(path) or b""})
        return self._files[path]

    def search(self, pattern: re.Pattern[bytes], path: str) -> re.Match[bytes] | None:
        """The first match of ``pattern`` in ``path``, or None."""
        match = pattern.search(self.read(path) or b"")
        found = match[0].decode("utf-8", "replace") if match else ""
        self.note(f"{path} {pattern.pattern!r}", found)
        return match

    def note(self, what: str, found: str) -> None:
        """Remember what was read beside functions, for :meth:`reads`."""
        self._found[what] = found

    def reader(self, name: str, member: bool) -> Place | None:
        """Where KVM reads a member (or else a variable) called ``name``, or None."""
        place = None
        for path in READERS:
            line = reads(self.read(path) or b"", name, member)
            if line:
                place = Place(path, line)
                break
        self.note(f"who reads {name}", place.path if place else "")
        return place

    def reads(self) -> str:
        """A digest of all that was read so far: the same where only other code changed.

        It covers the functions that were looked up (those that are not there, too), the
        macros of their files, and what was searched for; neither lines nor comments.
        """
        parts: list[object] = [sorted(self._found.items())]
        for path, functions in sorted(self._files.items()):
            macros = [d.text for d in functions.tokens[path].directives if _MACRO.match(d.text)]
            parts.append((path, macros, list(functions.was_asked())))
        if "kvm" in self.__dict__:
            parts.append(list(self.kvm.was_asked()))
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def facts(self) -> tuple[Fact, ...]:
        """The functions that programs, orders and fault paths were taken from."""
        known = [*self._files.values(), *([self.kvm] if "kvm" in self.__dict__ else [])]
        found = (
            Fact("program", place, f"{name}()") for one in known for name, place in one.found()
        )
        return tuple(sorted(set(found)))

    @cached_property
    def kvm(self) -> Definitions:
        """The functions of KVM's common code and of x86's MMU, by name.

        Common code may define a function weakly that x86 defines for itself; its static
        ones are its own.
        """
        common, *arch = (self.file(path) for path in KVM_FILES)
        return Definitions.merged(common, arch)


def calls(function: Function, names: Iterable[str]) -> list[Expr]:
    """The calls of any of ``names`` in ``function``, in the order of the source."""
    wanted = frozenset(names)
    found = [e for e in every(function.body) if e.kind == "call" and e.name in wanted]
    return sorted(found, key=lambda e: e.span)


def core(source: Source, case: Case) -> Core | Misplaced:
    """The core's order for ``case``."""
    function = source.file(case.path).get(case.function)
    if function is None:
        return Misplaced(Place(case.path, 1), f"no {case.function}()")
    at: dict[str, Expr] = {}
    for step, names in _STEPS.items():
        found = calls(function, names)
        if step == "free":
            sets = calls(function, ("set_pte_at_notify", "set_pte_at"))
            found = [e for e in found if sets and e.span > sets[-1].span]
        if found:
            at[step] = found[-1] if step in ("unlock", "end") else found[0]
    if "change" not in at:
        at |= _apart(function)
    missing = {"start", "lock", "change", "unlock", "end"} - at.keys()
    if missing:
        what = ", ".join(sorted(missing))
        return Misplaced(
            Place(case.path, function.line), f"{case.function}(): {what} was not found in it"
        )
    other = _another_range(function, at)
    if other is not None:
        return other
    steps = [
        (name, Place(case.path, expr.line))
        for name, expr in sorted(at.items(), key=lambda item: item[1].span)
    ]
    return Core(tuple(_completed(steps, _notifies_first(source))))


def _another_range(function: Function, at: dict[str, Expr]) -> Misplaced | None:
    """Where a section ends another range than it began, or what it announced is changed."""
    begun = at["start"]
    mine = text(bare(begun.args[1])) if len(begun.args) > 1 else ""
    for end in calls(function, _STEPS["end"]):
        if len(end.args) < 2 or text(bare(end.args[1])) != mine:
            reason = f"{function.name}() ends another range than it begins"
            return Misplaced(Place(function.path, end.line), reason)
    last = at["end"].span
    for expr in every(function.body):
        target = bare(expr.args[0]) if expr.kind == "assign" else None
        owner = bare(target.args[0]) if target is not None and target.args else None
        if owner is None or not begun.span < expr.span < last:
            continue
        if mine in (f"&{text(owner)}", text(owner)):
            reason = f"{function.name}() changes the range within its section"
            return Misplaced(Place(function.path, expr.line), reason)
    return None


def _apart(function: Function) -> dict[str, Expr]:
    """Notifying and setting the PTE in two calls; from 6.10 on it is only set."""
    notified, set_ = (calls(function, (n,)) for n in ("mmu_notifier_change_pte", "set_pte_at"))
    return {"change": (notified or set_)[-1], "set": set_[-1]} if set_ else {}


def _completed(steps: list[tuple[str, Place]], notifies_first: bool) -> Iterable[tuple[str, Place]]:
    """Add what is not a call: copying, and the PTE that set_pte_at_notify() sets."""
    names = [name for name, _ in steps]
    for name, place in steps:
        if name == "change" and "set" not in names:
            pair = [("change", place), ("set", place)]
            yield from pair if notifies_first else reversed(pair)
            if "free" not in names:
                yield "free", place
            continue
        yield name, place
        if name == "set" and "free" not in names:
            yield "free", place
        if name == "clear" or (name == "lock" and "clear" not in names):
            yield "take", place


def _notifies_first(source: Source) -> bool:
    """Whether set_pte_at_notify() notifies before it sets, from its definition."""
    macro = source.search(SET_AND_NOTIFY, "include/linux/mmu_notifier.h")
    if macro is None:
        return True
    notified, set_ = macro[0].find(b"mmu_notifier_change_pte"), macro[0].find(b"set_pte_at(")
    return notified < set_ or set_ < 0


def unmap(source: Source, path: str = "mm/memory.c") -> Core:
    """The core's order for an unmap; its places where they are found."""
    places = dict.fromkeys(_ORDER, NOWHERE)
    for step, names in _UNMAP.items():
        for name in names:
            function = source.file(path).get(name)
            found = calls(function, _STEPS[step]) if function else []
            if found:
                places[step] = Place(path, found[0].line)
                break
    places["free"] = places["unlock"]
    return Core(tuple(places.items()))


def protect(source: Source) -> Core:
    """The core's order where mprotect() makes a range read-only; its places where found."""
    places = dict.fromkeys(("start", "lock", "protect", "unlock", "end"), NOWHERE)
    for step, path, name, names in _PROTECT:
        function = source.file(path).get(name)
        found = calls(function, names) if function else []
        if found:
            places[step] = Place(path, found[0].line)
    return Core(tuple(places.items()))


def guest(source: Source) -> Guest | Misplaced:
    """Where the fault path does its steps, which must be in the order that is explored."""
    for name in FAULTS:
        function = source.kvm.get(name)
        if function is None:
            continue
        lookup, retry, maps = (calls(function, names) for names in (LOOKUPS, _RETRIES, MAPS))
        if not (lookup and retry and maps):
            return Misplaced(Place(function.path, function.line), f"{name}() is not understood")
        sample = _sample(source, function, lookup[0])
        if sample is None:
            reason = f"{name}() looks the page up before it samples the sequence"
            return Misplaced(Place(function.path, lookup[0].line), reason)
        locks = calls(function, ("spin_lock", "write_lock"))
        # Where the TDP MMU has a branch of its own, the rmap MMU's is the last one.
        asked = retry[-1]
        before = [e for e in locks if e.span < asked.span]
        if not before or not lookup[0].span < before[-1].span < asked.span < maps[-1].span:
            reason = f"{name}() does not ask for a retry under the lock before it maps"
            return Misplaced(Place(function.path, asked.line), reason)
        path = function.path
        lines = (lookup[0].line, before[-1].line, asked.line, maps[-1].line)
        return Guest(sample, *(Place(path, line) for line in lines))
    path = next((p for p in KVM_FILES[1:] if source.read(p) is not None), KVM_FILES[1])
    return Misplaced(Place(path, 1), f"no fault path: neither {' nor '.join(FAULTS)} is here")


def _sample(source: Source, fault: Function, lookup: Expr) -> Place | None:
    """Where the sequence is sampled: before the lookup, or first thing in it."""
    for function in (fault, source.kvm.get(lookup.name)):
        if function is None:
            continue
        taken = [e for e in every(function.body) if samples(e)]
        inner = calls(function, LOOKUPS)
        first = min(taken, key=lambda e: e.span, default=None)
        if first is not None and (not inner or first.span < inner[0].span):
            return Place(function.path, first.line)
    return None


def deferred(source: Source) -> Place | None:
    """Where SPTEs are dropped without a flush that is only counted, or None."""
    for path in _DEFERRED:
        data = source.read(path) or b""
        found = source.search(_COUNTED, path)
        if found:
            return Place(path, data.count(b"\n", 0, found.start()) + 1)
    return None


def pfn_cache(source: Source) -> Place | None:
    """Where a pfn cache asks whether it must look its page up again, or None."""
    if not source.file(_CACHE):
        return None
    for name in ("mmu_notifier_retry_cache", "mmu_invalidate_retry_cache"):
        for function in source.file(_CACHE).mentioning(name):
            found = calls(function, (name,))
            if found:
                return Place(_CACHE, found[0].line)
    return Place(_CACHE, 1)


def memslots(source: Source) -> Memslots | None:
    """Where a memslot is removed, while no invalidation is active; None where none waits."""
    path = KVM_FILES[0]
    functions = source.file(path)
    for name in ("kvm_swap_active_memslots", "install_new_memslots"):
        function = functions.get(name)
        waits = [
            e for e in every(function.body) if e.name == "mn_active_invalidate_count"
        ] if function else []  # fmt: skip
        if function is None or not waits:
            continue
        synced = calls(function, ("synchronize_srcu_expedited", "synchronize_srcu"))
        zaps = [
            Place(path, found[0].line)
            for other in functions.mentioning("kvm_arch_flush_shadow_memslot")
            if (found := calls(other, ("kvm_arch_flush_shadow_memslot",)))
        ]
        wait = Place(path, waits[0].line)
        return Memslots(
            wait,
            Place(path, synced[0].line) if synced else wait,
            zaps[0] if zaps else wait,
        )
    return None


def rollback(source: Source) -> Place | None:
    """Where the core ends what a failed non-blocking start began, or None."""
    path = "mm/mmu_notifier.c"
    functions = source.file(path)
    ending = functions.mentioning("invalidate_range_end")
    ends = {f.name for f in ending if _calls_member(f, "invalidate_range_end")}
    for name in ("mn_hlist_invalidate_range_start", "__mmu_notifier_invalidate_range_start"):
        function = functions.get(name)
        if function is None:
            continue
        found = _calls_member(function, "invalidate_range_end") or calls(function, ends)
        if found:
            return Place(path, found[0].line)
    return None


def _calls_member(function: Function, member: str) -> list[Expr]:
    """The calls through a table's ``member`` in ``function``."""
    return [e for e in every(function.body) if e.kind == "call" and e.args[0].name == member]
