# SPDX-License-Identifier: GPL-2.0-only
"""What KVM's callbacks do around their walker, where ranges may be left to change_pte().

The hva-range idiom (virt/kvm/kvm_main.c, 5.13 to 6.9): start, end and change_pte() come by
each memslot of a range through one walker.  A start that keeps flagged ranges mapped changes
nothing but what is done to a memslot's mappings, so everything else that change_pte() rests
on must be there, on every way, whatever the flag:

- active invalidations are counted before the walk, and no longer after end's: a memslot swap
  and a pfn cache's retry go by that count;
- pfn caches are invalidated before the walk;
- the walk takes mmu_lock at its first memslot and raises the count there; end's bumps the
  sequence there, and then lowers the count; both come by the same memslots;
- a memslot's mappings are dropped; or, for a flagged range, kept unless the memslot is being
  removed, with everything that is done beside dropping them;
- change_pte() returns early only where no invalidation is in progress, and sets the entries
  of every memslot but those that are being removed; what it changed is flushed under the lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.analysis.handlers.effects import CONFIGURED
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Condition, Event, Loop, Path, Store, every, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.analysis.told.dispatch import HEADER
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place, Value
from patchgen.source.c.outline import outline
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import expressions

FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"
UNMAP = "kvm_unmap_gfn_range"
SET = "kvm_set_spte_gfn"
_HOST = "include/linux/kvm_host.h"
_NULL = names("kvm", "null", "functions")
_FLUSHES = names("kvm", "flush", "functions")
_WALK = load("hva_range")["walker"]
_NEUTRAL = names("paths", "calls", "neutral") | names("hva_range", "walker", "neutral")
_WARNS = names("paths", "calls", "warns")
_PREFIXES = tuple(sorted(names("paths", "calls", "neutral_prefixes")))
_SPACES = re.compile(_WALK["spaces"])
_EMPTY = re.compile(_WALK["empty"])
_SLOTS: dict[str, str] = load("hva_range")["slots"]
_BESIDE = re.compile(_WALK["beside_range"])
_INVALID = re.compile(r"[^|?]*->flags & KVM_MEMSLOT_INVALID")
#: The first and the last address that a walk is about.
_RANGE = ("$range->start", "$range->end - 1")
_PAGE = ("$address", "($address + 1) - 1")
_KVM = "container_of($mn, struct kvm, mmu_notifier)"


class Walker(Value, frozen=True):
    """KVM's callbacks and members by name, and the file that they are in.

    ``caches`` is the function that invalidates pfn caches, "" where there are none.
    """

    path: str
    start: str
    end: str
    change_pte: str
    count: str
    sequence: str
    active: str
    caches: str


def walks(read: Read, kvm: Walker) -> tuple[Evidence, ...]:
    """What in the callbacks speaks against keeping flagged ranges mapped; () for nothing."""
    stop = frozenset({UNMAP, SET, kvm.caches, *_NULL, *_FLUSHES, *_WALK["stop"]})
    found: list[Evidence] = []
    places: set[Place] = set()
    macros: set[str] = set()
    try:
        bodies = Bodies(read, (kvm.path, _HOST, HEADER), CONFIGURED)
        for name, args, about, judge in (
            (kvm.start, ("$mn", "$range"), _RANGE, _in_start),
            (kvm.end, ("$mn", "$range"), _RANGE, _in_end),
            (kvm.change_pte, ("$mn", "$mm", "$address", "$pte"), _PAGE, _in_change),
        ):
            seen = False
            for way in paths(bodies, name, args, stop):
                if not _possible(way.conditions):
                    continue
                walk = _walk(way, about)
                if walk is not None:
                    places.add(walk[1].place)
                    macros.add(walk[1].macro)
                    seen = True
                found += judge(way, walk, kvm)
            if not seen:
                where = bodies.functions(name, kvm.path)[0].line
                found.append(Evidence(Place(kvm.path, where), f"{name}() has no walk of memslots"))
        found += [one for name in sorted(macros) for one in _slots(bodies, name)]
    except NotUnderstood as error:
        return (error.evidence,)
    if len(places) > 1:
        text_ = "start, end and change_pte() do not come by memslots in one and the same walk"
        found.append(Evidence(max(places), text_))
    return tuple(dict.fromkeys(found))


def _slots(bodies: Bodies, name: str) -> Iterator[Evidence]:
    """What speaks against a loop that comes by memslots."""
    macros = bodies.macros(name)
    shown = [" ".join(macro.tokens.texts) for macro in macros]
    if len(macros) != 1 or not re.fullmatch(_SLOTS[name], shown[0]):
        place = Place(macros[0].path, macros[0].line) if macros else Place(_HOST, 1)
        yield Evidence(place, f"what {name}() comes by is not understood")


# -- ways ----------------------------------------------------------------------------


def _possible(conditions: tuple[Condition, ...]) -> bool:
    """Whether no function's address is said to be another's, or not its own."""
    for asked in conditions:
        one, _, other = asked.text.partition(" == ")
        if other in _NULL and re.fullmatch(r"\w+", one) and asked.holds != (one == other):
            return False
    return True


def _walk(way: Path, about: tuple[str, str]) -> tuple[Loop, Loop] | None:
    """The loop over address spaces on a way, and that over the memslots of ``about`` within it."""
    spaces = [e for e in way.events if isinstance(e, Loop)]
    if len(spaces) != 1 or not _SPACES.fullmatch("; ".join(text(a) for a in spaces[0].args)):
        return None
    inner = [e for one in spaces[0].rounds for e in one.events if isinstance(e, Loop)]
    plain = all(one.exit == "" for one in spaces[0].rounds)
    if not plain or len({(loop.place, loop.macro) for loop in inner}) != 1:
        return None
    rounds: list[Path] = []
    for loop in inner:
        made = _overlapping(loop, about)
        if made is None:
            return None
        rounds += [one for one in made if _possible(one.conditions)]
    return spaces[0], inner[0]._replace(rounds=tuple(rounds))


def _overlapping(loop: Loop, about: tuple[str, str]) -> list[Path] | None:
    """The rounds for memslots that hold some of ``about``; None: others may be left out."""
    if loop.macro not in _SLOTS:
        return None
    if len(loop.args) == 4:
        return [*loop.rounds] if tuple(text(a) for a in loop.args[2:]) == about else None
    kept = []
    for one in loop.rounds:
        asked = [(_BESIDE.fullmatch(c.text), c.holds) for c in one.conditions[:1]]
        if not asked or asked[0][0] is None:
            return None
        bounds = (asked[0][0]["first"], f"{_joined(asked[0][0]['end'])} - 1")
        if bounds != about or (asked[0][1] and (one.events or one.exit != "continue")):
            return None
        kept += [] if asked[0][1] else [one]
    return kept


def _joined(expr: str) -> str:
    """A sum as the operand of another."""
    return f"({expr})" if " + " in expr else expr


def _unwalked(way: Path) -> bool:
    """Whether a way ends before its walk only because the range would be empty."""
    asked = [c for c in way.conditions if c.text.startswith("WARN_ON_ONCE#") and c.holds]
    warned = {e.result: text(bare(e.args[0])) for e in way.events if isinstance(e, Call) and e.args}
    said_ = {warned.get(c.text, "") for c in asked}
    return any(_EMPTY.fullmatch(one) for one in said_) or "0" in said_


def _place(way: Path, kvm: Walker) -> Place:
    shown = [c.place for c in way.conditions] + [e.place for e in way.events]
    return shown[-1] if shown else Place(kvm.path, 1)


def _member(event: Event, name: str) -> str:
    """How a step of KVM's member ``name`` goes: "+=", "-=", "=" or "" for no such step."""
    if not isinstance(event, Store):
        return ""
    target = bare(event.target)
    mine = target.kind == "arrow" and target.name == name and text(target.args[0]) == _KVM
    if mine and event.op in ("+=", "-=") and text(bare(event.value)) == "1":
        return event.op
    return "=" if mine else ""


def _called(event: Event, wanted: frozenset[str] | set[str]) -> bool:
    return isinstance(event, Call) and event.direct and event.name in wanted


def _ignored(event: Event) -> bool:
    if not isinstance(event, Call) or not event.direct:
        return False
    return event.name in _NEUTRAL | _WARNS | _NULL or event.name.startswith(_PREFIXES)


def _locked(event: Event, call: str) -> bool:
    wanted = isinstance(event, Call) and event.direct and event.name == call
    return wanted and text(bare(event.args[0])) == f"&{_KVM}->mn_invalidate_lock"  # type: ignore[union-attr]


def _counted(way: Path, kvm: Walker, op: str) -> int | None:
    """Where the count of active invalidations is stepped, once and under its lock."""
    steps = [n for n, e in enumerate(way.events) if _member(e, kvm.active)]
    if len(steps) != 1 or _member(way.events[steps[0]], kvm.active) != op:
        return None
    at = steps[0]
    before = [n for n, e in enumerate(way.events[:at]) if _locked(e, "spin_lock")]
    dropped = [n for n, e in enumerate(way.events[:at]) if _locked(e, "spin_unlock")]
    after = any(_locked(e, "spin_unlock") for e in way.events[at:])
    return at if before and after and not [n for n in dropped if n > before[-1]] else None


def _flushed(way: Path, kvm: Walker, name: str) -> Iterator[Evidence]:
    """What a walk's answers come to: a flush where there was one, before the lock is dropped."""
    order = [e.name for e in way.events
             if isinstance(e, Call) and e.name in _FLUSHES | {_WALK["unlock"]}]  # fmt: skip
    answered = [c for c in way.conditions if re.fullmatch(_WALK["answer"], c.text)]
    unflushed = any(c.holds for c in answered) != any(n in _FLUSHES for n in order)
    if not answered or unflushed or order[1:2] == [next(iter(_FLUSHES))]:
        text_ = f"on some way {name}() does not flush under the lock what its walk changed"
        yield Evidence(_place(way, kvm), text_)


# -- start -----------------------------------------------------------------------------


def _in_start(way: Path, walk: tuple[Loop, Loop] | None, kvm: Walker) -> Iterator[Evidence]:
    where = _place(way, kvm)
    at = _counted(way, kvm, "+=")
    walked = way.events.index(walk[0]) if walk else len(way.events)
    if at is None or at > walked:
        text_ = f"on some way {kvm.start}() does not raise {kvm.active} under its lock before all"
        yield Evidence(where, text_)
        return
    caches = [n for n, e in enumerate(way.events) if _called(e, {kvm.caches})]
    if kvm.caches and not (len(caches) == 1 and at < caches[0] < walked):
        text_ = f"on some way {kvm.start}() does not call {kvm.caches}() before its walk"
        yield Evidence(where, text_)
    if caches:
        call = way.events[caches[0]]
        assert isinstance(call, Call)
        if [text(bare(a)) for a in call.args[:3]] != [_KVM, "$range->start", "$range->end"]:
            yield Evidence(call.place, f"{call.name}() is given something else than the range")
    if walk is None:
        if not _unwalked(way):
            yield Evidence(where, f"on some way {kvm.start}() does not come by the memslots")
        return
    if way.value is None or text(bare(way.value)) != "0":
        yield Evidence(where, f"what {kvm.start}() answers depends on its walk")
    yield from _flushed(way, kvm, kvm.start)
    yield from _beside(way, kvm, kvm.start)
    yield from _kept(way, walk[1], kvm)


def _beside(way: Path, kvm: Walker, name: str) -> Iterator[Evidence]:
    """What else a callback does outside its walk."""
    for event in way.events:
        known = _called(event, {kvm.caches, _WALK["unlock"]} | _FLUSHES) or _ignored(event)
        if not (known or isinstance(event, Loop) or _member(event, kvm.active)):
            arch = isinstance(event, Call) and event.name in _WALK["beside"]
            if not arch:
                yield Evidence(event.place, f"{name}() also does {said(event)}")


def _kept(way: Path, slots: Loop, kvm: Walker) -> Iterator[Evidence]:
    """Each memslot's mappings are dropped, or kept where a flagged range may keep them."""
    flagged = any(c.holds and c.text == f"$range->flags & {FLAG}" for c in way.conditions)
    beside: dict[bool, set[frozenset[str]]] = {False: set(), True: set()}
    for one in slots.rounds:
        entered = [e for e in one.events if _called(e, {_WALK["lock"]})]
        raised = [_member(e, kvm.count) for e in one.events if _member(e, kvm.count)]
        if raised != ["+="] * len(entered) or one.exit != "":
            yield Evidence(
                slots.place, f"{kvm.start}() does not raise {kvm.count} where it takes the lock"
            )
        unmaps = [e for e in one.events if _called(e, {UNMAP})]
        removed = _is_removed(one)
        asked = any(not c.holds and _INVALID.fullmatch(c.text) for c in one.conditions)
        if not unmaps and not (flagged and asked and not removed):
            what = "whose memslot is being removed" if removed else "that is not flagged"
            text_ = f"{kvm.start}() leaves mappings of a range {what}"
            yield Evidence(slots.place, text_)
        beside[bool(entered)].add(frozenset(_extra(e) for e in one.events if _extra(e)))
        for event in one.events:
            if not (_known(event, kvm) or _ignored(event)):
                yield Evidence(event.place, f"{kvm.start}() also does {said(event)} for a memslot")
    if any(len(words) > 1 for words in beside.values()):
        yield Evidence(slots.place, f"{kvm.start}() does less for a memslot that it keeps mapped")


def _is_removed(one: Path) -> bool:
    """Whether a memslot is being removed on a way through a round."""
    return any(c.holds and _INVALID.fullmatch(c.text) for c in one.conditions)


def _extra(event: Event) -> str:
    """What is done for every memslot beside its mappings: the range that is kept account of."""
    stored = isinstance(event, Store) and bare(event.target).name in _WALK["range"]
    return bare(event.target).name if stored and isinstance(event, Store) else ""


def _known(event: Event, kvm: Walker) -> bool:
    own = bool(_extra(event)) or bool(_member(event, kvm.count))
    return own or _called(event, {UNMAP, _WALK["lock"]})


# -- end -------------------------------------------------------------------------------


def _in_end(way: Path, walk: tuple[Loop, Loop] | None, kvm: Walker) -> Iterator[Evidence]:
    where = _place(way, kvm)
    at = _counted(way, kvm, "-=")
    walked = way.events.index(walk[0]) if walk else -1
    if at is None or at < walked:
        text_ = f"on some way {kvm.end}() does not lower {kvm.active} under its lock at last"
        yield Evidence(where, text_)
        return
    if walk is None:
        if not _unwalked(way):
            yield Evidence(where, f"on some way {kvm.end}() does not come by the memslots")
        return
    for one in walk[1].rounds:
        steps = [(m, _member(e, m)) for e in one.events
                 for m in (kvm.sequence, kvm.count) if _member(e, m)]  # fmt: skip
        if any(_called(e, {_WALK["lock"]}) for e in one.events):
            if steps != [(kvm.sequence, "+="), (kvm.count, "-=")]:
                text_ = f"{kvm.end}() does not bump {kvm.sequence} and then lower {kvm.count}"
                yield Evidence(walk[1].place, f"{text_} where it takes the lock")
        elif steps:
            yield Evidence(walk[1].place, f"{kvm.end}() changes {steps[0][0]} without the lock")
    yield from _beside(way, kvm, kvm.end)


# -- change_pte --------------------------------------------------------------------------


def _in_change(way: Path, walk: tuple[Loop, Loop] | None, kvm: Walker) -> Iterator[Evidence]:
    where = _place(way, kvm)
    if walk is None:
        idle = any(c.text == f"{_KVM}->{kvm.count}" and not c.holds for c in way.conditions)
        if not idle and not _unwalked(way):
            text_ = f"on some way {kvm.change_pte}() updates nothing, though {kvm.count} is raised"
            yield Evidence(where, text_)
        return
    for event in every(way.events):
        if isinstance(event, Store) and bare(event.target).name in (kvm.count, kvm.active):
            yield Evidence(event.place, f"{kvm.change_pte}() does {said(event)}")
    yield from _flushed(way, kvm, kvm.change_pte)
    for one in walk[1].rounds:
        sets = [e for e in one.events if _called(e, {SET})]
        removed = _is_removed(one)
        unmapped = any(_called(e, {UNMAP}) for e in one.events)
        if one.exit != "" or not (sets or unmapped or removed):
            text_ = f"on some way {kvm.change_pte}() leaves the mappings of a memslot as they are"
            yield Evidence(walk[1].place, text_)


def answers_kept(read: Read, kvm: Walker) -> tuple[Evidence, ...]:
    """What paths do not show of the walk; () for nothing.

    Each call of a handler joins its answer to those before (``ret |= ...``), and change_pte(),
    which is called under the page-table lock, lets no handler sleep.
    """
    try:
        bodies = Bodies(read, (kvm.path,), CONFIGURED)
        walkers = [f for name in _walkers(bodies) for f in bodies.functions(name, kvm.path)]
        sleeping = tuple(_sleeping(bodies, kvm))
    except NotUnderstood as error:
        return (error.evidence,)
    found = [Evidence(Place(kvm.path, 1), "no walk of memslots is found")] if not walkers else []
    for walker in walkers:
        joined = {bare(e.args[1]).span for e in expressions(walker.body)
                  if e.kind == "assign" and e.name == "|="}  # fmt: skip
        for expr in expressions(walker.body):
            through = expr.kind == "call" and bare(expr.args[0]).name == "handler"
            if through and expr.span not in joined:
                text_ = f"{walker.name}() does not keep each handler's answer"
                found.append(Evidence(Place(kvm.path, expr.line), text_))
    return (*found, *sleeping)


def _walkers(bodies: Bodies) -> tuple[str, ...]:
    """The functions with a loop over memslots."""
    known = []
    for path in bodies.paths:
        tokens = bodies.tokens(path)
        for one in outline(tokens):
            if _SLOTS.keys() & {*tokens.texts[one.body_at : one.last]}:
                known.append(one.name)
    return tuple(known)


def _sleeping(bodies: Bodies, kvm: Walker) -> Iterator[Evidence]:
    """Where the walk of change_pte() is not told that its handlers must not sleep."""
    todo, told = [kvm.change_pte], False
    for name in todo:
        for function in bodies.functions(name, kvm.path):
            for expr in expressions(function.body):
                if expr.kind == "field" and expr.name == "may_block":
                    told = True
                    if constant(expr.args[0]) is not False:
                        text_ = f"{kvm.change_pte}() may let its handlers sleep"
                        yield Evidence(Place(kvm.path, expr.line), text_)
                elif expr.kind == "name" and expr.name not in todo:
                    todo += [expr.name] if bodies.functions(expr.name, kvm.path) else []
    if not told:
        text_ = f"whether {kvm.change_pte}()'s handlers may sleep is not seen"
        yield Evidence(Place(kvm.path, bodies.functions(kvm.change_pte)[0].line), text_)
