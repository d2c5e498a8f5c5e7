# SPDX-License-Identifier: GPL-2.0-only
"""Whether the API's own macros and functions do what everybody takes for granted.

Read in the tree: ``set_pte_at_notify()`` tells every subscriber, with its own address and
entry, before the entry is set; start and end of an invalidation hand every subscriber the
same range with the flags that the section gave it; the initialisation keeps what it is given.
(include/linux/mmu_notifier.h, mm/mmu_notifier.c.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Odd, Path, Store, every, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.kernel.knowledge import names
from patchgen.model.base import Evidence, Place, Value
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls

HEADER = "include/linux/mmu_notifier.h"
CORE = "mm/mmu_notifier.c"
NOTIFY = "set_pte_at_notify"
INIT = "mmu_notifier_range_init"
BLOCKABLE = "MMU_NOTIFIER_RANGE_BLOCKABLE"
#: The option without which nobody is told of anything, and no KVM is built.
CONFIGURED = {"CONFIG_MMU_NOTIFIER": True}

_STARTS = ("mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock")
_ONLY_END = "mmu_notifier_invalidate_range_only_end"
_ENDS = ("mmu_notifier_invalidate_range_end", _ONLY_END)
_PLAIN = ("__mmu_notifier_change_pte", "__mmu_notifier_test_young", "__mmu_notifier_clear_young")
_CORES = ("__mmu_notifier_invalidate_range_start", "__mmu_notifier_invalidate_range_end")
_EACH = names("paths", "dispatch", "each")
_ADDS = names("paths", "dispatch", "adds")
_EMPTY = names("paths", "dispatch", "empty")
_SETS = names("paths", "dispatch", "sets")
_SPINS = ("spin_lock", "spin_unlock", "read_unlock", "write_unlock", "mutex_", "pte_unmap")
_WARNS = names("paths", "calls", "warns")
_NEUTRAL = names("paths", "calls", "neutral") | _WARNS
_PREFIXES = tuple(sorted(names("paths", "calls", "neutral_prefixes")))


class Reading(Value, frozen=True):
    """``faults``: what is not as it is taken for granted; ``rests_on``: what was read."""

    faults: tuple[Evidence, ...]
    rests_on: tuple[Evidence, ...]


class _List(NamedTuple):
    """How subscribers are linked.

    ``link`` is the member of a subscriber, ``head`` that of the list's owner, ``owner`` the
    member of an address space that points to that one.
    """

    link: str
    head: str
    owner: str = ""


def notification(read: Read) -> Reading:
    """Whether set_pte_at_notify() tells every subscriber, and only then sets the entry."""

    def judged(bodies: Bodies) -> Iterator[Evidence]:
        linked = _linked(bodies)
        for path in paths(bodies, NOTIFY, ("$mm", "$address", "$ptep", "$pte")):
            yield from _told(path, bodies, linked)

    return _read(read, judged, (NOTIFY, "mmu_notifier_change_pte", "__mmu_notifier_change_pte"))


def dispatch(read: Read) -> Reading:
    """Whether a range reaches every subscriber's start and end as it was initialised."""

    def judged(bodies: Bodies) -> Iterator[Evidence]:
        linked = _linked(bodies)
        # Each parameter is kept in the member of its name; which there are differs by tree.
        args = _params(bodies, INIT)
        for path in paths(bodies, INIT, args):
            yield from _kept(path, args[1:], bodies)
        for name in (*_STARTS, *_ENDS):
            core = _CORES[name in _ENDS]
            if name == _ONLY_END and not bodies.functions(name):
                continue
            for path in paths(bodies, name, ("$range",), stop=frozenset({core})):
                yield from _passed_on(path, name, core, bodies, linked)
        for path in paths(bodies, _CORES[0], ("$range",)):
            yield from _handed(path, "invalidate_range_start", bodies, linked)
        for path in paths(bodies, _CORES[1], _params(bodies, _CORES[1])):
            yield from _handed(path, "invalidate_range_end", bodies, linked)

    return _read(read, judged, (INIT, *_STARTS, *_ENDS, *_CORES))


def _read(
    read: Read, judged: Callable[[Bodies], Iterator[Evidence]], asked: tuple[str, ...]
) -> Reading:
    try:
        bodies = Bodies(read, (HEADER, CORE), CONFIGURED)
        faults = tuple(dict.fromkeys(judged(bodies)))
    except NotUnderstood as error:
        return Reading((error.evidence,), ())
    rests: list[Evidence] = []
    for name in asked:
        found = [Place(m.path, m.line) for m in bodies.macros(name)]
        found += [Place(f.path, f.line) for f in bodies.functions(name)]
        rests += [Evidence(place, f"{name}()") for place in found]
    return Reading(faults, tuple(rests))


def _params(bodies: Bodies, name: str) -> tuple[str, ...]:
    """Arguments for a function by the names of its parameters; the range is ``$range``."""
    functions = bodies.functions(name)
    names = [param.name for param in functions[0].params] if functions else []
    return ("$range", *(f"${one}" for one in names[1:]))


def _linked(bodies: Bodies) -> _List:
    """The list that subscribing adds to; NotUnderstood: none, or several."""
    found: set[_List] = set()
    for name in ("__mmu_notifier_register", "do_mmu_notifier_register"):
        for function in bodies.functions(name):
            for call in calls(function.body, *_ADDS):
                link, head = (_member(arg) for arg in call.args[1:3])
                found.add(_List(link, head))
    if len(found) != 1 or "" in next(iter(found))[:2]:
        raise NotUnderstood(CORE, 1, "which list a subscriber is added to is not understood")
    linked = found.pop()
    owners: set[str] = set()
    # Any callback of single pages: which there are differs by tree.
    asked = next((name for name in _PLAIN if bodies.functions(name)), _PLAIN[0])
    for path in paths(bodies, asked, ("$mm", *_params(bodies, asked)[1:])):
        for loop in (e for e in path.events if isinstance(e, Loop) and len(e.args) > 1):
            owners.add(text(loop.args[1]).removeprefix("&$mm->").removesuffix(f"->{linked.head}"))
    if len(owners) != 1 or not next(iter(owners)).isidentifier():
        raise NotUnderstood(CORE, 1, "where an address space has its subscribers")
    return linked._replace(owner=owners.pop())


def _member(expr: Expr) -> str:
    expr = bare(expr)
    inner = bare(expr.args[0]) if expr.kind == "unary" and expr.name == "&" else expr
    return inner.name if inner.kind in ("arrow", "member") else ""


# -- what a path says ---------------------------------------------------------


def _told(path: Path, bodies: Bodies, linked: _List) -> Iterator[Evidence]:
    """What is wrong with one way through set_pte_at_notify()."""
    told = [e for e in path.events if isinstance(e, Loop) and _about(e, "change_pte")]
    sets = [e for e in path.events if isinstance(e, Call) and e.direct and e.name in _SETS]
    where = _where(path, bodies, NOTIFY)
    yield from _strange(path.events, (*told, *sets), "$none", bodies)
    for event in every(path.events):
        # The caller's page-table lock is held throughout, and others must not be waited for.
        if isinstance(event, Call) and event.name.startswith(_SPINS):
            yield Evidence(event.place, f"{said(event)} between the caller's lock and the entry")
    if len(sets) != 1 or _texts(sets[0].args) != ("$mm", "$address", "$ptep", "$pte"):
        place = sets[-1].place if sets else where
        yield Evidence(place, f"{NOTIFY}() does not set just its own entry")
    if not told:
        if not _nobody(path, "$mm", linked):
            gone_by = [e.place for e in path.events if isinstance(e, Loop)]
            place = gone_by[-1] if gone_by else where
            yield Evidence(place, f"on some path {NOTIFY}() calls no subscriber's change_pte()")
        return
    if len(told) > 1:
        yield Evidence(told[1].place, "subscribers are told of a change more than once")
    if sets and path.events.index(told[0]) > path.events.index(sets[0]):
        yield Evidence(sets[0].place, f"{NOTIFY}() sets the entry before it tells of it")
    yield from _all_called(told[0], "change_pte", "$mm", ("$mm", "$address", "$pte"), bodies,
                           linked)  # fmt: skip


def _passed_on(
    path: Path, name: str, core: str, bodies: Bodies, linked: _List
) -> Iterator[Evidence]:
    """What is wrong with one way through the header's part of a start or an end."""
    passed = [e for e in path.events if isinstance(e, Call) and e.name == core]
    yield from _strange(path.events, tuple(passed), "$range", bodies)
    for event in every(path.events):
        if not isinstance(event, Store) or not _of_range(event):
            continue
        if name not in _STARTS or not _only_blockable(event, bodies):
            yield Evidence(event.place, f"the range is changed on its way: {said(event)}")
    where = _where(path, bodies, name)
    if not passed and not _nobody(path, "$range->mm", linked):
        yield Evidence(where, f"on some path {name}() does not call {core}()")
    for call in passed[1:]:
        yield Evidence(call.place, f"{core}() is called twice")
    for call in passed[:1]:
        if text(bare(call.args[0])) != "$range":
            yield Evidence(call.place, f"{core}() is given {text(call.args[0])}")


def _of_range(store: Store) -> bool:
    """Whether the range itself is written, or a member of it."""
    target = bare(store.target)
    whole = bare(target.args[0]) if target.args else target
    return text(whole) == "$range"


def _handed(path: Path, member: str, bodies: Bodies, linked: _List) -> Iterator[Evidence]:
    """What is wrong with one way through a start or an end."""
    where = _where(path, bodies, member)
    told = [e for e in path.events if isinstance(e, Loop) and _about(e, member)]
    others = [e for e in path.events if isinstance(e, Loop) and e not in told
              and not path_failed(path)]  # fmt: skip
    starts = member.endswith("start")
    mine = [*told, *(e for e in path.events if isinstance(e, Loop))]
    yield from _strange(path.events, tuple(mine), "$range", bodies)
    for event in every(path.events):
        if isinstance(event, Store) and _of_range(event):
            yield Evidence(event.place, f"the range is changed on its way: {said(event)}")
    for other in others:
        if not starts and _about(other, "invalidate_range_start"):
            yield Evidence(other.place, "the end of a section begins one")
        if starts and _about(other, "invalidate_range_end"):
            yield Evidence(other.place, "subscribers get an end within the start that succeeds")
        for round_ in other.rounds:
            yield from _strange(round_.events, (), "$range", bodies)
    if not told:
        if not _nobody(path, "$range->mm", linked) and not (starts and path_failed(path)):
            yield Evidence(where, f"on some path no subscriber's {member}() is called")
        return
    if len(told) > 1:
        yield Evidence(told[1].place, f"a subscriber's {member}() is called twice")
    yield from _all_called(told[0], member, "$range->mm", ("$range",), bodies, linked)


def path_failed(path: Path) -> bool:
    """Whether a path returns an error: a number that is not 0, or what was asked for so."""
    if path.value is None:
        return False
    known = constant(path.value)
    return known if known is not None else path.holds(text(path.value)) is True


def _all_called(
    loop: Loop, member: str, mm: str, args: tuple[str, ...], bodies: Bodies, linked: _List
) -> Iterator[Evidence]:
    """What is wrong with a loop that is to call ``member`` of every subscriber once."""
    # A macro of that name in these files is not the one that is known.
    if loop.macro not in _EACH or len(loop.args) < 3 or bodies.macros(loop.macro):
        yield Evidence(loop.place, f"whether {loop.macro or 'the loop'} comes by all"
                                   " subscribers is not understood")  # fmt: skip
        return
    head, link = bare(loop.args[1]), text(loop.args[2])
    whole = text(head.args[0]) if head.kind == "unary" and head.name == "&" else ""
    if not whole.startswith(f"{mm}->") or _member(head) != linked.head or link != linked.link:
        yield Evidence(loop.place, f"the loop goes through {text(head)}, not all subscribers")
    each = text(loop.args[0])
    for one in loop.rounds:
        if one.exit not in ("", "continue"):
            yield Evidence(loop.place, f"the loop over subscribers may end early ({one.exit})")
        called = [e for e in one.events if isinstance(e, Call) and _of(e, member)]
        for call in called:
            if text(call.callee) != f"{each}->ops->{member}" or _texts(call.args) != (each, *args):
                yield Evidence(call.place, f"{member}() is called with something else: "
                               f"{', '.join(_texts(call.args))}")  # fmt: skip
        if len(called) > 1:
            yield Evidence(called[1].place, f"a subscriber's {member}() is called twice")
        if not called and one.holds(f"{each}->ops->{member}") is not False:
            why = next((c for c in one.conditions if "'" not in c.text), None)
            place = why.place if why else loop.place
            yield Evidence(place, f"a subscriber's {member}() may be left out")
        yield from _strange(one.events, tuple(called), "$range", bodies)


def _kept(path: Path, args: tuple[str, ...], bodies: Bodies) -> Iterator[Evidence]:
    """What is wrong with one way through the initialisation of a range."""
    last: dict[str, tuple[str, Place]] = {}
    for event in path.events:
        if isinstance(event, Store) and event.op == "=" and text(event.target) == "*$range":
            for field in _fields(event.value):
                last[field.name] = (text(field.args[0]), event.place)
        elif isinstance(event, Store) and text(event.target).startswith("$range->"):
            plain = text(event.value) if event.op == "=" else said(event)
            last[event.target.name] = (plain, event.place)
        elif _odd(event, "$range", bodies):
            yield Evidence(event.place, f"{INIT}(): {said(event)} is not understood")
    for arg in args:
        held, place = last.get(arg[1:], ("nothing", _where(path, bodies, INIT)))
        if held != arg:
            yield Evidence(place, f"{INIT}() does not keep the {arg[1:]} that it is given")


def _fields(value: Expr) -> tuple[Expr, ...]:
    value = bare(value)
    inner = value.args[0].args if value.kind == "compound" and value.args else value.args
    return tuple(field for field in inner if field.kind == "field" and field.args)


# -- single events ------------------------------------------------------------


def _about(loop: Loop, member: str) -> bool:
    return any(isinstance(e, Call) and _of(e, member) for e in every((loop,)))


def _of(call: Call, member: str) -> bool:
    return not call.direct and call.name == member


def _texts(args: tuple[Expr, ...]) -> tuple[str, ...]:
    return tuple(text(bare(arg)) for arg in args)


def _nobody(path: Path, mm: str, linked: _List) -> bool:
    """Whether nobody has subscribed: there are no subscriptions, or their list is empty."""
    for asked in path.conditions:
        if asked.text == f"{mm}->{linked.owner}" and not asked.holds:
            return True
        if asked.holds and "#" in asked.text and asked.text.split("#")[0] in _EMPTY:
            return any(
                isinstance(e, Call) and e.result == asked.text
                and text(e.args[0]).startswith(f"&{mm}->") and _member(e.args[0]) == linked.head
                for e in path.events
            )  # fmt: skip
    return False


def _strange(
    events: tuple[Event, ...], known: tuple[Event, ...], mine: str, bodies: Bodies
) -> Iterator[Evidence]:
    for event in events:
        if event not in known and _odd(event, mine, bodies):
            yield Evidence(event.place, f"{said(event)} is not understood here")


def _odd(event: Event, mine: str, bodies: Bodies) -> bool:
    """Whether an event might do something to who is told, or of what."""
    match event:
        case Odd():
            return True
        case Store():
            # What is a variable of the file's own leads to no subscriber.
            plain = text(event.target)
            outside = "->" not in plain and "*" not in plain and not plain.startswith("$")
            return not outside and not _of_range(event) and not _of_subscriptions(event)
        case Call():
            if event.direct:
                known = event.name in _NEUTRAL or event.name.startswith(_PREFIXES)
                known |= event.name in _EMPTY or event.name in _INNER
                return not known or bool(bodies.macros(event.name) or bodies.functions(event.name))
            return event.name not in _CALLBACKS
        case Loop():
            return any(_odd(e, mine, bodies) for one in event.rounds for e in one.events)


#: Other callbacks that the core calls beside the ones that are asked about, and what it does
#: to the tree of interval notifiers (mm/mmu_notifier.c, include/linux/interval_tree.h).
_CALLBACKS = names("paths", "dispatch", "callbacks")
_INNER = names("paths", "dispatch", "inner")


def _of_subscriptions(store: Store) -> bool:
    """Whether a member of the subscriptions is set, other than the list: sequence, counts."""
    target = bare(store.target)
    return target.kind == "arrow" and target.name in _STATE


_STATE = names("paths", "dispatch", "state")


def _only_blockable(store: Store, bodies: Bodies) -> bool:
    """Whether just what says "may sleep" is set, or cleared, in the range."""
    if text(store.target) == "$range->blockable":
        return True
    if text(store.target) != "$range->flags":
        return False
    value = bare(store.value)
    if store.op == "|=":
        return value.kind == "name" and value.name == BLOCKABLE
    inverted = value.kind == "unary" and value.name == "~"
    return store.op == "&=" and inverted and bare(value.args[0]).name == BLOCKABLE


def _where(path: Path, bodies: Bodies, name: str) -> Place:
    """The last place that a path shows."""
    shown = [c.place for c in path.conditions] or [e.place for e in path.events]
    if shown:
        return shown[-1]
    macros, functions = bodies.macros(name), bodies.functions(name)
    if macros:
        return Place(macros[0].path, macros[0].line)
    return Place(functions[0].path, functions[0].line) if functions else Place(HEADER, 1)
