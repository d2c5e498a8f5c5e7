# SPDX-License-Identifier: GPL-2.0-only
"""Whether x86's TDP MMU can be left to change_pte(), from the code of the tree.

Asked: does what change_pte() calls reach the TDP MMU's page tables wherever what
range_start() calls does (:func:`_chains`), and is each change that it makes there told
the truth about the SPTE that it overwrites (:class:`patchgen.analysis.spte.run.Run`)?
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from patchgen.analysis.spte.code import (
    Code,
    NotUnderstood,
    Sources,
    iterators,
    mentioned,
    owns_iterator,
)
from patchgen.analysis.spte.handler import by_handler, is_handed
from patchgen.analysis.spte.run import Run
from patchgen.analysis.spte.state import Stale
from patchgen.model.base import Evidence, Place, Value
from patchgen.model.code import Function, If, Return, Stmt
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import text
from patchgen.source.c.walk import calls, expressions, walk


class Setter(Value, frozen=True):
    """The answer.

    ``answer`` is "none" (change_pte() meets no TDP MMU here), "right", "stale" (with
    the writes in ``stale``) or "undecided" (with what was not understood in ``why``).
    ``rests_on`` are the places that were read; ``bug`` is a function behind a write that
    ends in BUG(), if there is one.
    """

    answer: str
    stale: tuple[Stale, ...] = ()
    why: tuple[Evidence, ...] = ()
    rests_on: tuple[Evidence, ...] = ()
    bug: str = ""


class _Chain(NamedTuple):
    """A way from a callback's call to the TDP MMU: conditions, walkers, iterator owners."""

    conditions: frozenset[str]
    walkers: frozenset[str]
    owners: tuple[Function, ...]
    target: Function


def read_by(sources: Sources, main: str) -> Iterator[tuple[str, bytes]]:
    """All that :func:`tdp_setter` reads: paths and contents, in order."""
    code = Code(sources)
    for path in code.files:
        yield path, code.text(path)
    yield main, sources.read(main) or b""


def tdp_setter(sources: Sources, main: str, change: str, start: str) -> Setter:
    """Judge change_pte() beside range_start(), functions of KVM's file ``main``, by name."""
    code = Code(sources)
    if not code.files:
        return Setter("none")
    try:
        return _judged(code, sources.definitions(main), change, start)
    except NotUnderstood as error:
        return Setter("undecided", why=(error.evidence,))


def _judged(code: Code, main: Definitions, change_pte: str, start: str) -> Setter:
    change = main[change_pte]
    set_, zap = _from(code, main, change), _from(code, main, main[start])
    if not set_ and not zap:
        _no_other(code)
        return Setter("none")
    handed = any(is_handed(code, chain.walkers, chain.target.path) for chain in set_)
    same = {chain[: 1 if handed else 2] for chain in set_} == {
        chain[: 1 if handed else 2] for chain in zap
    }
    if not same:
        text_ = "range_start() and change_pte() do not reach the same page tables of the TDP MMU"
        return Setter("undecided", why=(Evidence(Place(change.path, change.line), text_),))
    stale: set[Stale] = set()
    rests: set[Evidence] = set()
    if handed:
        for target in dict.fromkeys(chain.target for chain in set_):
            found = by_handler(code, target)
            stale |= found.stale
            rests |= found.rests_on
        return _answer(code, change, stale, rests)
    for owner in dict.fromkeys(owner for chain in set_ for owner in chain.owners):
        iterator, *more = iterators(owner)
        if more:
            raise NotUnderstood(owner.path, owner.line, f"{owner.name}() has several iterators")
        run = Run(code, owner, iterator)
        run.run()
        stale |= run.stale
        rests |= {Evidence(Place(*place), "writes an SPTE") for place in run.writes}
        if run.writes:
            rests.add(Evidence(Place(owner.path, owner.line), f"{owner.name}()"))
    return _answer(code, change, stale, rests)


def _answer(code: Code, change: Function, stale: set[Stale], rests: set[Evidence]) -> Setter:
    if not any(evidence.text == "writes an SPTE" for evidence in rests):
        text_ = "change_pte() reaches the TDP MMU, and no write of an SPTE is seen there"
        return Setter("undecided", why=(Evidence(Place(change.path, change.line), text_),))
    answer = "stale" if stale else "right"
    return Setter(answer, tuple(sorted(stale)), (), tuple(sorted(rests)), _bug(code, stale))


def _bug(code: Code, stale: set[Stale]) -> str:
    """A function behind the stale writes that calls BUG() itself, as ``name()``."""
    for one in sorted(stale):
        owner = code.function(one.function, one.path)
        for reached in code.reached(owner) if owner is not None else ():
            if any(calls(reached.body, "BUG")):
                return f"{reached.name}()"
    return ""


def _no_other(code: Code) -> None:
    """NotUnderstood where the folders have iterators that neither callback comes to."""
    word = b"struct tdp_iter "
    for path in code.files:
        data = code.text(path)
        if word in data and path.endswith(".c"):
            line = data.count(b"\n", 0, data.index(word)) + 1
            raise NotUnderstood(
                path, line, "neither range_start() nor change_pte() is seen to come here"
            )


def _from(code: Code, main: Definitions, callback: Function) -> tuple[_Chain, ...]:
    """The chains that begin in a callback, or in what it calls in KVM's main file."""
    found: list[_Chain] = []
    todo, seen = [callback.name], set[str]()
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in main:
            todo += mentioned(main[name])
            continue
        entry = code.function(name)
        if entry is not None and any(owns_iterator(f) for f in code.reached(entry)):
            found += _chains(code, entry)
    return tuple(found)


def _chains(code: Code, entry: Function) -> list[_Chain]:
    """From an x86 function that KVM calls: each call in it that leads to the TDP MMU."""
    code.plain(entry)
    found = []
    returned = 0
    for call, conditions, place in _calls(entry.body):
        target = code.function(call, entry.path)
        if target is None or not any(owns_iterator(f) for f in code.reached(target)):
            continue
        returned = min(
            (n.span.start for n in walk(entry.body) if isinstance(n, Return)), default=place
        )
        if returned < place:
            raise NotUnderstood(
                entry.path, entry.line, f"{entry.name}() may return before {call}()"
            )
        walkers = _walkers(code, target)
        # What a walker does beside calling its handler, range_start() has it do, too.
        owners = [
            known
            for known in code.reached(target, lambda f, skip=walkers: f.name not in skip)  # type: ignore[misc]
            if owns_iterator(known)
        ]
        found.append(_Chain(conditions, walkers, tuple(owners), target))
    return found


def _calls(
    stmt: Stmt, under: frozenset[str] = frozenset()
) -> list[tuple[str, frozenset[str], int]]:
    """Calls below a statement: name, the conditions they stand under, offset."""
    if isinstance(stmt, If):
        test = text(stmt.test)
        found = [(call.name, under, call.span.start) for call in calls(stmt.test)]
        found += _calls(stmt.then, under | {test})
        return found + (_calls(stmt.orelse, under | {f"!({test})"}) if stmt.orelse else [])
    inner = getattr(stmt, "body", None)
    if isinstance(inner, tuple):
        return [found for part in inner for found in _calls(part, under)]
    return [(call.name, under, call.span.start) for call in calls(stmt)]


def _walkers(code: Code, target: Function) -> frozenset[str]:
    """The functions that ``target`` hands another function of x86's KVM to."""
    return frozenset(
        call.name
        for call in calls(target.body)
        for argument in call.args[1:]
        for part in expressions(argument)
        if part.kind == "name" and code.function(part.name, target.path) is not None
    )
