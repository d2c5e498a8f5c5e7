# SPDX-License-Identifier: GPL-2.0-only
"""The proof of one state of a tree, from its bytes to its verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from patchgen.model.base import Evidence, Fact, Place, Value
from patchgen.model.code import Expr, Function
from patchgen.model.facts import OpsTable
from patchgen.model.outcome import UserError
from patchgen.proof.extract.extract import Extractor
from patchgen.proof.extract.program import Program
from patchgen.proof.extract.protocol import Bounds, Core, Protocol
from patchgen.proof.result import Explored, ProofResult, Run, Verdict, run_of, shortest
from patchgen.proof.search.explore import TooLarge, verdicts
from patchgen.proof.search.reduce import Reduced, reduced
from patchgen.proof.system import locate
from patchgen.proof.system.assemble import assemble
from patchgen.proof.system.cases import CASES, Case
from patchgen.proof.system.effects import NEW_RW, OLD_RW
from patchgen.proof.system.locate import Misplaced, Read, Source
from patchgen.proof.system.lower import locksets
from patchgen.proof.system.properties import PROPERTIES
from patchgen.proof.system.surroundings import surroundings
from patchgen.proof.system.system import System
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.text import bare, every, text
from patchgen.source.facts.ops import tables

KVM_MAIN = "virt/kvm/kvm_main.c"

#: Called with a case's name, the states so far and the depth.
Progress = Callable[[str, int, int], None]

#: What makes another bound of one.
_MOVES = frozenset({"+", "-", "&", "|", "^", "<<", ">>", "*", "/", "%"})

_LIMITS = (
    "MMUs other than x86's rmap: its TDP MMU, and other architectures",
    "4 KiB pages; huge pages are split under notifications of their own",
    "memory ordering: every access is explored as sequentially consistent",
    "ageing, release and the fast page fault path",
)


class Understood(Value, frozen=True):
    """A tree's protocol with the core's order for each case, by key."""

    protocol: Protocol
    cores: dict[str, Core]
    unmap: Core
    notes: tuple[Evidence, ...]
    limits: tuple[str, ...]
    facts: tuple[Fact, ...] = ()

    def systems(self, case: Case, bounds: Bounds, reduce: bool = True) -> tuple[System, ...]:
        """The transition systems of ``case``: guests, a pfn cache, a memslot's removal.

        These share nothing but what the CPUs do, so that they are looked into apart: the
        cache and the removal each beside one faulting vCPU.
        """
        return tuple(
            self._assembled(case, protocol, within, reduce)
            for protocol, within in self._parts(case, bounds)
        )

    def searched(self, case: Case, bounds: Bounds) -> tuple[tuple[System, Reduced], ...]:
        """The same systems, each with the smaller one that the search for verdicts visits."""
        return tuple(
            (
                self._assembled(case, protocol, within),
                reduced(self._assembled(case, protocol, within, late=True)),
            )
            for protocol, within in self._parts(case, bounds)
        )

    def _parts(self, case: Case, bounds: Bounds) -> tuple[tuple[Protocol, Bounds], ...]:
        alone = msgspec.structs.replace(self.protocol, cache=None, memslots=None)
        narrow = msgspec.structs.replace(bounds, vcpus=1)
        parts = [(alone, bounds)]
        # A pfn cache is always writable: without a writable entry there is none.
        if self.protocol.cache and {case.before, case.after} & {OLD_RW, NEW_RW}:
            parts.append((msgspec.structs.replace(alone, cache=self.protocol.cache), narrow))
        if self.protocol.memslots:
            parts.append((msgspec.structs.replace(alone, memslots=self.protocol.memslots), narrow))
        return tuple(parts)

    def _assembled(
        self,
        case: Case,
        protocol: Protocol,
        bounds: Bounds,
        reduce: bool = True,
        late: bool = False,
    ) -> System:
        core = self.cores[case.key]
        system = assemble(protocol, case, core, self.unmap, bounds, reduce, late)
        if protocol.memslots is None:
            return system
        # A page whose memslot goes away need not stay mapped.
        safety = tuple(bad for bad in system.bad if bad.property != "O1")
        return msgspec.structs.replace(system, bad=safety)


class Look(Value, frozen=True):
    """What a tree's code says before anything is explored.

    ``found`` is the protocol, or None with what was not ``unknown`` for; ``reads`` is a digest
    of the code that this rests on (see :meth:`patchgen.proof.system.locate.Source.reads`).
    """

    found: Understood | None
    unknown: tuple[Evidence, ...]
    reads: str


def look(read: Read) -> Look:
    """Read the protocol of the tree's handlers, or say what of it was not understood.

    ``read`` gives the bytes of a path of the tree, or None.  Raises UserError where KVM's
    main file or its table of callbacks is not there.
    """
    source = Source(read)
    found = _understand(source)
    if isinstance(found, tuple):
        return Look(None, found, source.reads())
    return Look(found, (), source.reads())


def understand(read: Read) -> Understood | tuple[Evidence, ...]:
    """The protocol of the tree's handlers, or what of it was not understood, as :func:`look`."""
    looked = look(read)
    return looked.found or looked.unknown


def _understand(source: Source) -> Understood | tuple[Evidence, ...]:
    if source.read(KVM_MAIN) is None:
        raise UserError("no such file: KVM's notifier handlers", KVM_MAIN, "is this a kernel tree?")
    table = _table(source.file(KVM_MAIN).tokens[KVM_MAIN])
    source.note("callbacks", repr([(entry.member, entry.function) for entry in table.entries]))
    handlers: dict[str, Program | None] = {}
    ranges = False
    beside: dict[str, None] = {}
    shifted: list[Evidence] = []
    for member in ("invalidate_range_start", "invalidate_range_end", "change_pte"):
        function = _handler(source, table, member)
        if function is None:
            handlers[member] = None
            continue
        shifted += _shifted(function)
        extractor = Extractor(source.kvm, source.reader)
        handlers[member] = extractor.program(function)
        ranges |= extractor.ranges
        beside |= extractor.beside
    unknown = [
        Evidence(node.place, node.what)
        for program in handlers.values()
        if program is not None
        for node in program.unknown()
    ]
    unknown += shifted
    for member, program in handlers.items():
        unknown += _unlocked(member, program) if program is not None else []
    guest = locate.guest(source)
    if isinstance(guest, Misplaced):
        unknown.append(Evidence(guest.place, guest.reason))
    start, end = handlers["invalidate_range_start"], handlers["invalidate_range_end"]
    for member in ("invalidate_range_start", "invalidate_range_end"):
        if handlers[member] is None:
            unknown.append(Evidence(Place(KVM_MAIN, table.line), f"no {member}() callback"))
    counts = start is not None and start.does("raise_active") is not None
    around = surroundings(source, handlers["change_pte"] is not None, counts)
    unknown += [Evidence(one.place, one.reason) for one in around.wrong]
    cores: dict[str, Core] = {}
    for case in (case for case in CASES if case.transition):
        core = locate.core(source, case)
        if isinstance(core, Misplaced):
            unknown.append(Evidence(core.place, core.reason))
        else:
            cores[case.key] = core
    if unknown or isinstance(guest, Misplaced) or start is None or end is None:
        return tuple(dict.fromkeys(unknown))
    # Of these steps the lines alone are wanted: no part of what was not understood.
    unmap = locate.unmap(source)
    for case in (case for case in CASES if not case.transition):
        cores[case.key] = locate.protect(source) if case.kept else unmap
    cores = {case.key: cores[case.key] for case in CASES}
    asks_slot = any(p is not None and p.tests("slot_invalid") for p in handlers.values())
    protocol = Protocol(
        start,
        end,
        handlers["change_pte"],
        guest,
        ranges,
        locate.deferred(source),
        locate.pfn_cache(source),
        locate.rollback(source),
        locate.memslots(source) if asks_slot else None,
    )
    left_out = (f"{name} is set, and nothing that was looked into reads it" for name in beside)
    limits = (*_LIMITS, *_narrow(protocol), *left_out)
    facts = (*source.facts(), *around.facts)
    return Understood(protocol, cores, unmap, _notes(protocol), limits, facts)


def shape(value: object) -> object:
    """``value`` (an :class:`Understood`) without its places, and where it was read.

    Equal where only lines moved.
    """
    if isinstance(value, Place):
        return None
    if isinstance(value, Value):
        fields = (f for f in value.__struct_fields__ if f != "facts")
        return (type(value), *(shape(getattr(value, f)) for f in fields))
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, shape(item)) for key, item in value.items())
    return value


def _table(tokens: Tokens) -> OpsTable:
    for table in tables(tokens, KVM_MAIN):
        if table.struct == "mmu_notifier_ops":
            return table
    raise UserError("no struct mmu_notifier_ops with callbacks", KVM_MAIN, "is KVM's code here?")


def _handler(source: Source, table: OpsTable, member: str) -> Function | None:
    name = table.function(member)
    if not name:
        return None
    function = source.file(KVM_MAIN).get(name)
    if function is None:
        raise UserError(f".{member} is {name}(), which is not defined here", KVM_MAIN)
    return function


def _shifted(function: Function) -> list[Evidence]:
    """Where a callback moves a bound of its range: what is explored is taken to lie within.

    The distance of both bounds moves nothing.
    """
    ranges = {param.name for param in function.params if "mmu_notifier_range" in param.type}

    def bound(part: Expr) -> bool:
        part = bare(part)
        named = part.kind == "arrow" and part.name in ("start", "end")
        return named and part.args[0].name in ranges

    return [
        Evidence(Place(function.path, part.line), f"a bound of the range is moved: {text(part)}")
        for part in every(function.body)
        if part.kind == "binary"
        and part.name in _MOVES
        and [*map(bound, part.args)].count(True) == 1
    ]


#: What faults read under the MMU lock, so that it must change under it.
_GUARDED = frozenset({"raise_count", "lower_count", "bump_seq"})


def _unlocked(member: str, program: Program) -> list[Evidence]:
    """Where a handler changes the count or the sequence without the MMU lock."""
    held = locksets(program)
    return [
        Evidence(node.place, f"{member}() does this outside of the MMU lock: {node.text()}")
        for index, node in program.reachable()
        if node.kind == "do" and node.what in _GUARDED and "mmu" not in held[index]
    ]


def _notes(protocol: Protocol) -> tuple[Evidence, ...]:
    """What the setter does when the new entry is writable, and deferred flushes."""
    notes = []
    change = protocol.change
    for _, node in change.reachable() if change else ():
        if node.what == "new_writable":
            assert change is not None
            dropped = msgspec.structs.replace(change, entry=node.yes).does("drop_spte")
            if dropped:
                text = "the setter drops the SPTE when the new entry is writable"
                notes.append(Evidence(dropped, text))
    if protocol.deferred:
        notes.append(Evidence(protocol.deferred, "SPTEs are dropped here, the flush is deferred"))
    return tuple(dict.fromkeys(notes))


def _narrow(protocol: Protocol) -> tuple[str, ...]:
    """What is explored within narrower bounds than the rest."""
    apart = [
        name
        for name, there in (
            ("a pfn cache", protocol.cache),
            ("a memslot's removal", protocol.memslots),
        )
        if there
    ]
    return (f"{' and '.join(apart)}: beside one faulting vCPU only",) if apart else ()


def rows(protocol: Protocol, cases: Sequence[Case] = CASES) -> tuple[Case, ...]:
    """The cases of the table: flagged ones first, where the handlers ask for the flag."""
    flagged = [c for c in cases if c.transition] if protocol.guarded() else []
    return (*(msgspec.structs.replace(c, flagged=True) for c in flagged), *cases)


def prove(
    read: Read,
    bounds: Bounds = Bounds(),  # noqa: B008
    keys: Sequence[str] = (),
    progress: Progress | None = None,
) -> ProofResult:
    """Prove the protocol of the tree that ``read`` gives the files of.

    ``keys`` names the cases (of :data:`CASES`), all of them by default.  What is not
    understood, or too large to explore, is said in ``unknown``: never guessed.
    """
    looked = look(read)
    understood = looked.found
    if understood is None:
        return ProofResult((), looked.unknown, bounds, limits=_LIMITS)
    protocol = understood.protocol
    cases = [case for case in CASES if not keys or case.key in keys]
    table: list[Verdict] = []
    sizes: list[Explored] = []
    unknown: list[Evidence] = []
    for case in rows(protocol, cases):
        begun = time.monotonic()
        runs: list[tuple[str, Run]] = []
        states = transitions = 0
        try:
            for system, smaller in understood.searched(case, bounds):
                found = verdicts(system, smaller, _named(progress, case))
                states += found.states
                transitions += found.transitions
                runs += [(v.bad.property, run_of(system, v)) for v in found.violations]
        except TooLarge as error:
            unknown.append(Evidence(_somewhere(protocol), f"{case.name}: {error}"))
            continue
        seconds = time.monotonic() - begun
        sizes.append(Explored(case.key, case.flagged, states, transitions, seconds))
        table += _verdicts(case, runs)
    return ProofResult(
        tuple(table),
        tuple(unknown),
        bounds,
        understood.notes,
        understood.limits,
        tuple(sizes),
        protocol.guarded() is not None,
        protocol.change is not None,
        understood.facts,
    )


def _somewhere(protocol: Protocol) -> Place:
    """A place to name for the protocol as a whole: the guard, or where start begins."""
    places = (node.place for _, node in protocol.start.reachable() if node.place.path)
    return protocol.guarded() or next(places, Place(KVM_MAIN, 1))


def check_cases(keys: Sequence[str]) -> None:
    """Raises UserError for a key that names no case."""
    known = [case.key for case in CASES]
    for key in keys:
        if key not in known:
            raise UserError(f"no such transition: {key}", hint=f"there are {', '.join(known)}")


def _verdicts(case: Case, runs: Sequence[tuple[str, Run]]) -> list[Verdict]:
    made = []
    for prop in PROPERTIES:
        if prop == "O1" and not case.kept:
            continue
        found = shortest([run for name, run in runs if name == prop])
        counts = prop != "O1" and (case.allowed or not case.flagged)
        made.append(
            Verdict(case.key, case.name, case.flagged, case.allowed, prop, not found, counts, found)
        )
    return made


def undecided(unknown: tuple[Evidence, ...]) -> ProofResult:
    """The result where nothing was explored, for ``unknown``."""
    return ProofResult((), unknown, Bounds(), limits=_LIMITS)


def _named(progress: Progress | None, case: Case) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda states, depth: progress(case.name, states, depth)
