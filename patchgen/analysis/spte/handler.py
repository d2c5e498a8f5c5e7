# SPDX-License-Identifier: GPL-2.0-only
"""A setter of x86's TDP MMU that a walker calls for each leaf of each root.

From 5.13 on change_pte() comes to the TDP MMU by a walker that owns the iterator and
hands it, by a pointer, to a function that changes one SPTE.  Asked here: does the walker
come by every present leaf of every root of the memslot's address space, and is each
change of the function told the truth about the SPTE that it overwrites?  What changes an
SPTE is read, not known by name: what it writes, what it tells, what the iterator's copy
holds afterwards (:class:`_Step`).  What is not understood ends the judgement.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from patchgen.analysis.paths import bodies as paths_bodies
from patchgen.analysis.paths.bodies import Bodies
from patchgen.analysis.paths.events import Call, Event, Loop, Path, Store, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.analysis.spte.code import (
    ENTRY,
    FRAMES,
    ITERATOR,
    OLD,
    READS,
    Code,
    NotUnderstood,
    takes_iterator,
)
from patchgen.analysis.spte.state import FIRST, MADE, Stale
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Block, Expr, ExprStmt, Function, MacroLoop, Stmt
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls, walk

_WALKS: dict[str, list[str]] = load("kvm")["walks"]
_WRITERS: dict[str, dict[str, int]] = load("kvm")["writers"]
_ASKS = names("kvm", "handler", "asks")
_EXCUSES = tuple((re.compile(one[0]), one[1]) for one in load("kvm")["handler"]["excuses"])
_COPY = f"$iter->{OLD}"
#: A statement that a walker may have beside its loops.
_BESIDE = frozenset({"rcu_read_lock", "rcu_read_unlock"})


class Found(NamedTuple):
    """What was found: writes through a stale copy, and the places that were read."""

    stale: frozenset[Stale]
    rests_on: frozenset[Evidence]


class _Step(NamedTuple):
    """What a function that is handed the iterator does: the parameter that it writes.

    ``keeps``: the iterator's copy is left at what the SPTE held before; else at what was
    written.
    """

    value: int
    keeps: bool


def is_handed(code: Code, walkers: frozenset[str], path: str) -> bool:
    """Whether one of ``walkers`` hands an iterator of its own on by a pointer."""
    known = (code.function(name, path) for name in walkers)
    return any(f is not None and _iterator(f) and _pointer(f) for f in known)


def by_handler(code: Code, target: Function) -> Found:
    """Judge what ``target``, which calls such a walker, does.  NotUnderstood: it cannot be."""
    try:
        call = _walking(code, target)
        walker = code.function(call.name, target.path)
        if walker is None or not _iterator(walker):
            raise _odd(target, call.place.line, f"calls {call.name}(), no walk of the TDP MMU")
        _walks_all(code, walker)
        given = dict(zip((p.name for p in walker.params), call.args, strict=True))
        handler = code.function(bare(given[_pointer(walker)]).name, target.path)
        if handler is None or not takes_iterator(handler):
            raise _odd(target, call.place.line, f"hands {walker.name}() what is not known")
        at = Evidence(Place(walker.path, walker.line), f"{walker.name}()")
        return _judged(code, code.plain(handler), at)
    except paths_bodies.NotUnderstood as error:
        found = error.evidence
        raise NotUnderstood(found.place.path, found.place.line, found.text) from None


def _walking(code: Code, target: Function) -> Call:
    """The one walk of ``target``, whose answer is its own, or leads to a flush of its own."""
    code.plain(target)
    bodies = Bodies(lambda path: code.text(path) or None, (target.path,))
    stop = frozenset(f.name for f in code.reached(target)) - {target.name}
    args = tuple(f"${p.name}" for p in target.params)
    walks: dict[str, Call] = {}
    for way in paths(bodies, target.name, args, stop):
        first = way.events[0] if way.events else None
        if not isinstance(first, Call) or not first.direct:
            raise _odd(target, target.line, "does more than to walk")
        walks[first.name] = first
        answer = text(bare(way.value)) if way.value is not None else ""
        flushes = [e for e in way.events[1:] if isinstance(e, Call)
                   and code.flushes(e.name, target.path)]  # fmt: skip
        page = len(flushes) == 1 and [text(a) for a in flushes[0].args][1:] in (
            [], ["$range->start", "1"],
        )  # fmt: skip
        settled = way.holds(first.result) is False or page
        if len(way.events) != 1 + len(flushes) or not (answer == first.result or settled):
            raise _odd(target, target.line, "does not ask for the flush of what it changed")
    if len(walks) != 1:
        raise _odd(target, target.line, "does more than one walk")
    return walks.popitem()[1]


# -- the walker -------------------------------------------------------------------


def _iterator(function: Function) -> str:
    """The variable of type ``struct tdp_iter`` that a walker declares; "" for none."""
    from patchgen.analysis.spte.code import iterators

    found = iterators(function)
    return found[0] if len(found) == 1 else ""


def _pointer(function: Function) -> str:
    """The parameter through which a walker calls with its iterator's address; "" for none."""
    handed = f"&{_iterator(function)}"
    params = {p.name for p in function.params}
    for call in calls(function.body):
        if call.name in params and any(text(a) == handed for a in call.args[1:]):
            return call.name
    return ""


def _walks_all(code: Code, walker: Function) -> None:
    """NotUnderstood where it may leave out a leaf of a root of the memslot's address space."""
    code.plain(walker)
    code.hidden(walker, _iterator(walker))
    kvm, span = (next((p.name for p in walker.params if p.type.split()[-2:] == [kind, "*"]), "")
                 for kind in ("kvm", "kvm_gfn_range"))  # fmt: skip
    loops = [s for s in walk(walker.body) if isinstance(s, MacroLoop)]
    wanted = (
        (kvm, "root", f"{span}->slot->as_id"),
        (_iterator(walker), "root", f"{span}->start", f"{span}->end"),
    )
    if len(loops) != 2:
        raise _odd(walker, walker.line, "is not seen to be two loops")
    for loop, args in zip(loops, wanted, strict=True):
        if tuple(text(a) for a in loop.call.args[1:]) != args:
            raise _odd(walker, loop.line, f"{loop.call.name}() has other arguments")
        _comes_by_all(code, loop.call.name, walker, loop.line)
    outer, inner = loops
    held = outer.body.body if isinstance(outer.body, Block) else (outer.body,)
    if inner not in held or not all(part is inner or _beside(part) for part in held):
        raise _odd(walker, outer.line, "does more for a root than to walk its leaves")
    body = inner.body.body if isinstance(inner.body, Block) else (inner.body,)
    if len(body) != 1 or not _gathers(body[0], _pointer(walker)):
        raise _odd(walker, inner.line, "does more for a leaf than to call its handler")


def _odd(function: Function, line: int, what: str) -> NotUnderstood:
    return NotUnderstood(function.path, line, f"{function.name}() {what}")


def _beside(stmt: Stmt) -> bool:
    return isinstance(stmt, ExprStmt) and bare(stmt.expr).name in _BESIDE


def _gathers(stmt: Stmt, handler: str) -> bool:
    """``ret |= handler(...)``."""
    expr = bare(stmt.expr) if isinstance(stmt, ExprStmt) else None
    return (
        expr is not None
        and expr.kind == "assign"
        and expr.name == "|="
        and bare(expr.args[1]).kind == "call"
        and bare(expr.args[1]).name == handler
    )


def _comes_by_all(code: Code, name: str, walker: Function, line: int) -> None:
    """A loop macro, and those that it is made of, as they are known to come by everything."""
    while name != "":
        known, text_ = code.macros(name), f"what {name}() comes by is not understood"
        if len(known) != 1 or name not in _WALKS:
            raise _odd(walker, line, text_)
        body = re.sub(r"\s+", "", known[0].body)
        if not any(re.fullmatch(pattern, body) for pattern in _WALKS[name]):
            raise NotUnderstood(known[0].place.path, known[0].place.line, text_)
        head = body.partition("(")[0]
        name = head if head in _WALKS else ""


# -- the handler ------------------------------------------------------------------


def _judged(code: Code, handler: Function, walker: Evidence) -> Found:
    """Every way through a handler: is each write told what the SPTE holds, is none left out?"""
    files = tuple(dict.fromkeys(f.path for f in code.reached(handler)))
    bodies = Bodies(lambda path: code.text(path) or None, files)
    steps: dict[str, _Step] = {}
    for name in dict.fromkeys(call.name for call in calls(handler.body)):
        function = code.function(name, handler.path)
        if function is not None and takes_iterator(function):
            steps[name] = _step(code, bodies, code.plain(function))
    stop = frozenset(f.name for f in code.reached(handler)) - {handler.name}
    args = tuple("$iter" if ITERATOR in p.type.split() else f"${p.name}" for p in handler.params)
    stale: set[Stale] = set()
    rests = {walker, Evidence(Place(handler.path, handler.line), f"{handler.name}()")}
    for way in paths(bodies, handler.name, args, stop):
        stale |= _way(code, handler, way, steps, rests)
    return Found(frozenset(stale), frozenset(rests))


def _way(
    code: Code, handler: Function, way: Path, steps: dict[str, _Step], rests: set[Evidence]
) -> set[Stale]:
    entry = copy = FIRST
    made: dict[str, str] = {}
    stale: set[Stale] = set()
    for event in way.events:
        if isinstance(event, Store) and text(event.target) == _COPY and event.op == "=":
            copy = _valued(event.value, made)
        elif isinstance(event, Call) and event.direct and event.name in steps:
            step = steps[event.name]
            value = _valued(event.args[step.value], made)
            if copy != entry:
                stale.add(_stale(handler, event, entry))
            if value not in ("0", MADE) or (value == MADE and entry != "0"):
                text_ = "the SPTE is given what is not seen to be made of the old one, cleared,"
                raise NotUnderstood(
                    handler.path, event.place.line, f"{text_} and the new page, read-only"
                )
            rests.add(Evidence(event.place, "writes an SPTE"))
            entry, copy = value, entry if step.keeps else value
        elif isinstance(event, Call) and event.direct and _makes(code, handler, event, copy):
            made[event.result] = MADE
        elif not _asks(event):
            raise NotUnderstood(
                handler.path, event.place.line, f"{said(event)} is not understood in a setter"
            )
    if entry == FIRST and not _excused(way):
        raise _odd(handler, handler.line, "leaves an SPTE as it is on some path")
    if entry != FIRST and (way.value is None or constant(way.value) is not True):
        raise _odd(handler, handler.line, "changes an SPTE and does not ask for a flush")
    return stale


def _valued(value: Expr, made: dict[str, str]) -> str:
    value = bare(value)
    if text(value) == "0":
        return "0"
    return made.get(value.name, "") if value.kind == "name" else ""


def _makes(code: Code, handler: Function, call: Call, copy: str) -> bool:
    """Whether a call makes a read-only SPTE of the first one and the new page."""
    function = code.function(call.name, handler.path)
    if function is None or copy != FIRST or len(call.args) != 2:
        return False
    old, frame = (bare(arg) for arg in call.args)
    framed = frame.kind == "call" and frame.name in FRAMES and text(frame.args[1]) == "$range->pte"
    return text(old) == _COPY and framed and code.takes_write(function)


def _asks(event: Event) -> bool:
    return isinstance(event, Call) and event.direct and event.name in _ASKS


def _excused(way: Path) -> bool:
    return any(
        asked.holds == holds and pattern.fullmatch(asked.text)
        for asked in way.conditions
        for pattern, holds in _EXCUSES
    )


def _stale(handler: Function, call: Call, entry: str) -> Stale:
    """The write as the owner's statement, which a mend goes before."""
    for stmt in walk(handler.body):
        if not isinstance(stmt, ExprStmt) or stmt.line != call.place.line:
            continue
        if bare(stmt.expr).kind == "call" and bare(stmt.expr).name == call.name:
            own = next(p.name for p in handler.params if ITERATOR in p.type.split())
            return Stale(handler.name, handler.path, stmt.line, stmt.span.start, f"{own}->", entry)
    raise NotUnderstood(handler.path, call.place.line, "no statement of its own")


# -- what changes an SPTE ---------------------------------------------------------


def _step(code: Code, bodies: Bodies, function: Function) -> _Step:
    """What a function that is handed the iterator does to the SPTE, on every path the same."""
    inner = {
        f.name
        for f in code.reached(function)
        if takes_iterator(f) or any(True for _ in calls(f.body, *_WRITERS))
    }
    stop = frozenset(f.name for f in code.reached(function)) - inner | frozenset(_WRITERS)
    args = tuple("$iter" if ITERATOR in p.type.split() else f"${p.name}" for p in function.params)
    ways = paths(bodies, function.name, args, stop)
    found = {_one_step(code, function, way, args) for way in ways}
    if len(found) != 1:
        what = "leaves the SPTE or the iterator in one of several states"
        raise _odd(function, function.line, what)
    return found.pop()


def _one_step(code: Code, function: Function, way: Path, args: tuple[str, ...]) -> _Step:
    new = before = copy = ""
    told = False
    for event in way.events:
        if isinstance(event, Loop):
            raise _odd(function, event.place.line, "has a loop that is not understood")
        written = _written(code, event, _pointers(way, f"$iter->{ENTRY}"))
        if written is not None:
            if new:
                raise _odd(function, event.place.line, "writes an SPTE twice")
            new, before = written
        elif isinstance(event, Store) and text(event.target) == _COPY and event.op == "=":
            copy = text(bare(event.value))
        elif isinstance(event, Call) and event.direct:
            given = {text(bare(arg)) for arg in event.args}
            if "$iter" in given:
                raise _odd(function, event.place.line, f"hands the iterator to {event.name}()")
            if new and new in given and before not in given:
                what = f"tells {event.name}() of a change from another value"
                raise _odd(function, event.place.line, what)
            told |= bool(new) and {before, new} <= given
        else:
            raise _odd(function, event.place.line, f"does {said(event)}")
    if not new or not told or new not in args:
        raise _odd(function, function.line, "is not seen to write an SPTE and to tell of it")
    if copy not in ("", before, new):
        raise _odd(function, function.line, f"gives {OLD} a value that is not known")
    return _Step(args.index(new), copy != new)


def _pointers(way: Path, pointer: str) -> set[str]:
    """The expressions that point to what ``pointer`` points to on a way."""
    calls_ = [e for e in way.events if isinstance(e, Call) and e.name in READS]
    return {pointer, *(e.result for e in calls_ if text(bare(e.args[0])) == pointer)}


def _written(code: Code, event: Event, pointers: set[str]) -> tuple[str, str] | None:
    """What an event writes to the iterator's SPTE, and what stands for the value before."""
    if isinstance(event, Call) and event.direct and event.name in _WRITERS:
        rule = _WRITERS[event.name]
        pointer, old, new = (text(bare(event.args[rule[k]])) for k in ("pointer", "old", "new"))
        if pointer != f"$iter->{ENTRY}" or old != _COPY:
            where, what = event.place, f"{event.name}() is given another SPTE"
            raise NotUnderstood(where.path, where.line, what)
        _as_known(code, event)
        return new, event.result
    if isinstance(event, Store) and event.op == "=":
        target = bare(event.target)
        if target.kind == "unary" and target.name == "*" and text(target.args[0]) in pointers:
            return text(bare(event.value)), _COPY
    return None


def _as_known(code: Code, call: Call) -> None:
    """NotUnderstood where a writer does not write once and answer what was there before."""
    rule = _WRITERS[call.name]
    function = code.function(call.name, call.place.path)
    if function is None:
        raise NotUnderstood(call.place.path, call.place.line, f"{call.name}() is not known")
    args = ["$" + p.name for p in function.params]
    args[rule["pointer"]], args[rule["old"]], args[rule["new"]] = "$sptep", "$old", "$new"
    bodies = Bodies(lambda path: code.text(path) or None, (function.path,))
    for way in paths(bodies, call.name, args):
        pointers = _pointers(way, "$sptep")
        writes = [e for e in way.events if _writes(e, pointers)]
        answers = {"$old", *(e.result for e in writes if isinstance(e, Call))}
        said_ = text(bare(way.value)) if way.value is not None else ""
        if len(writes) != 1 or said_ not in answers:
            what = "is not seen to write once and to answer the old value"
            raise _odd(function, function.line, what)


def _writes(event: Event, pointers: set[str]) -> bool:
    """``*rcu_dereference(sptep) = new``, ``xchg(rcu_dereference(sptep), new)``."""
    if isinstance(event, Store):
        target = bare(event.target)
        through = target.kind == "unary" and text(target.args[0]) in pointers
        return through and text(bare(event.value)) == "$new"
    return (
        isinstance(event, Call)
        and event.direct
        and event.name == "xchg"
        and text(bare(event.args[0])) in pointers
        and text(bare(event.args[-1])) == "$new"
    )
