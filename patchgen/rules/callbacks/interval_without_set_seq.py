# SPDX-License-Identifier: GPL-2.0-only
"""An interval callback says "done" without moving the sequence under the lock.

A driver that maps pages with mmu_interval_read_begin() and checks with
mmu_interval_read_retry() under its lock relies on invalidate() to call
mmu_interval_set_seq() under the same lock.  Otherwise a mapping made from the
old page passes the check and stays.

Bad::

    static bool invalidate(struct mmu_interval_notifier *mni, ...)
    {
            unmap(d);
            return true;

Good::

    mutex_lock(&d->lock);
    mmu_interval_set_seq(mni, cur_seq);
    unmap(d);
    mutex_unlock(&d->lock);
    return true;
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.analysis.callbacks.readers import late_locks, member
from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.analysis.locks.calls import lock_of
from patchgen.analysis.sleeping.blocking import is_idle
from patchgen.analysis.values.naming import Naming
from patchgen.analysis.values.value import show, truth
from patchgen.kernel.api.features import ApiFeatures
from patchgen.kernel.locks import primitives, transferable
from patchgen.model.base import Place
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.rules.base import ERROR, INTERVAL, RETRY, Context, Handler, Rule, undecided
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text


def _applies(api: ApiFeatures) -> bool:
    return api.has_interval


RULE = Rule(
    "MN035",
    "interval-without-set-seq",
    ERROR,
    "an interval callback returns true without mmu_interval_set_seq() under the reader's lock",
    _applies,
    "trees with interval notifiers",
)

_SET = "mmu_interval_set_seq"

#: What a state says besides the locks: set; only asked for event or owner; perhaps locked.
_DONE, _FILTERED, _PERHAPS = "=", "?", "~"
_MARKS = frozenset({_DONE, _FILTERED, _PERHAPS})


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Interval callbacks of the drivers that read with begin and retry."""
    handlers = [h for h in tree.handlers(struct=INTERVAL) if h.entry.member in _INVALIDATE]
    # Begin alone is no pairing.
    retrying = [f for f in _known(tree) if _retries(tree, f)] if handlers else []
    for handler in handlers:
        container = _container(handler.function)
        readers = _readers(tree, handler, container, retrying)
        if readers:
            locks = {lock for function in readers for lock in _locks_at(tree, function, RETRY)}
            yield from _callback(tree, handler, frozenset(locks))
            yield from _asked_too_early(tree, handler, readers)
            yield from _other_sequence(tree, handler.function)


def _asked_too_early(
    tree: Context, handler: Handler, readers: list[Function]
) -> Iterator[Finding | Undecided]:
    """Readers that retry, then take the callback's lock, and map."""
    checker = _Checker(tree, handler.function)
    walk(handler.function, checker)
    locks = frozenset(member(lock) for _, state, _ in checker.sets for lock in state - _MARKS)
    for reader in readers:
        for late in late_locks(reader, RETRY, locks) if locks else ():
            message = (
                f"{reader.name}() takes {late.lock} only behind {RETRY}(): "
                f"{handler.function.name}() may run in between, and the old page is mapped"
            )
            yield tree.finding(RULE, late.event, message, late.steps, function=reader.name)


def _other_sequence(tree: Context, callback: Function) -> Iterator[Finding | Undecided]:
    """The sequence that is set must be the one that the callback gets."""
    if len(callback.params) < 3:
        return
    given = callback.params[2].name
    naming = tree.effects.naming(callback)
    stored = {root(e.args[0]) for e in every(callback.body) if e.kind in ("assign", "postfix")}
    for call in tree.program.calls(callback):
        value = naming.plain(call.args[2]) if call.name == _SET and len(call.args) > 2 else None
        if value is None or (value.kind == "name" and value.name == given not in stored):
            continue
        shown = f"{callback.name}() sets {text(call.args[2])}, not the sequence that it is given"
        if value.kind == "name" and (value.name == given or value.name in stored):
            place = Place(callback.path, call.line)
            yield undecided(RULE, place, f"whether {text(value)} is the sequence that is given")
        else:
            yield tree.finding(RULE, call, shown, path=callback.path, function=callback.name)


_INVALIDATE = ("invalidate", "invalidate_start")


def _known(tree: Context) -> Iterator[Function]:
    yield from tree.functions()
    yield from tree.beside


def _retries(tree: Context, function: Function) -> bool:
    return any(call.name == RETRY and len(call.args) > 1 for call in tree.program.calls(function))


def _readers(
    tree: Context, handler: Handler, container: str, retrying: list[Function]
) -> list[Function]:
    """Functions that retry for the callback's notifier.

    Those of its folder; where there are none those that name its struct, or that take the
    notifier from where a pointer leads (amdgpu's, from hmm_range) and that its file calls.
    """
    folder = handler.function.path.rpartition("/")[0]
    mine = [f for f in retrying if f.path.rpartition("/")[0] == folder]
    return (
        [f for f in mine if _reads(tree, f, container)]
        or [f for f in retrying if container and container in _read_structs(tree, f)]
        or [f for f in retrying if _left(tree, f) and _calls(tree, handler.function.path, f.name)]
    )


def _left(tree: Context, function: Function) -> bool:
    """Whether the function retries for a notifier that a pointer leads to."""
    return any(
        call.name == RETRY and bare(call.args[1]).kind in ("arrow", "member", "name")
        for call in tree.program.calls(function)
    )


def _calls(tree: Context, path: str, name: str) -> bool:
    """Whether the file's text has a call of ``name``; not all its functions are facts."""
    source = tree.read(path) or b""
    return re.search(rb"\b" + re.escape(name.encode()) + rb"\s*\(", source) is not None


def _container(callback: Function) -> str:
    """The struct that the callback's first parameter is embedded in, or ""."""
    first = callback.params[0].name if callback.params else ""
    for part in every(callback.body):
        embedded = part.kind == "call" and part.name == "container_of" and len(part.args) == 4
        if embedded and bare(part.args[1]).name == first:
            return text(part.args[2])
    return ""


def _reads(tree: Context, function: Function, container: str) -> bool:
    """Whether the function calls retry, for a notifier of this struct if known."""
    for call in tree.program.calls(function):
        if call.name != RETRY or len(call.args) < 2:
            continue
        subject = bare(call.args[1])
        if subject.kind == "unary" and subject.name == "&":
            written = tree.effects.naming(function).types.get(root(subject.args[0]), "")
            direct = bare(subject.args[0]).kind == "arrow" and written
            struct = written.replace("*", "").replace("const ", "").strip()
            if container and direct and struct != container and _is_plain(subject.args[0]):
                continue
        return True
    return False


def _read_structs(tree: Context, function: Function) -> set[str]:
    """The structs whose own notifier the function passes to retry."""
    found = set()
    for call in tree.program.calls(function):
        if call.name != RETRY or len(call.args) < 2:
            continue
        subject = bare(call.args[1])
        if subject.kind == "unary" and subject.name == "&" and _is_plain(subject.args[0]):
            written = tree.effects.naming(function).types.get(root(subject.args[0]), "")
            found.add(written.replace("*", "").replace("const ", "").strip())
    return found


def _is_plain(access: Expr) -> bool:
    """``p->notifier``: the variable's own struct holds the notifier."""
    access = bare(access)
    return access.kind == "arrow" and bare(access.args[0]).kind == "name"


def _locks_at(tree: Context, function: Function, name: str) -> set[str]:
    if not any(call.name == name for call in tree.program.calls(function)):
        return set()
    checker = _Checker(tree, function)
    walk(function, checker)
    return {member(lock) for held in checker.held_at.get(name, ()) for lock in held}


def _callback(
    tree: Context, handler: Handler, locks: frozenset[str]
) -> Iterator[Finding | Undecided]:
    checker = _Checker(tree, handler.function)
    walk(handler.function, checker)
    name = handler.function.name
    for event, steps, filtered in checker.unset:
        if filtered:
            reason = f"{name}() does nothing for some events or owners, on purpose?"
            yield undecided(RULE, event.place, reason)
            continue
        message = f"{name}() returns true without {_SET}(): a racing reader keeps the old page"
        yield tree.finding(RULE, event, message, steps, function=name)
    for event, state, steps in checker.sets:
        held = state - _MARKS
        if locks and not {member(lock) for lock in held} & locks:
            shown = ", ".join(sorted(locks))
            message = f"{_SET}() outside the lock that readers hold around retry ({shown})"
            yield tree.finding(RULE, event, message, steps, function=name)
        elif not locks and not held and _PERHAPS not in state:
            if not _locks(tree, handler.function):
                reason = f"{_SET}() under no lock, and none is seen around retry: are pages pinned?"
                yield undecided(RULE, event.place, reason)
                continue
            message = (
                f"{_SET}() under no lock: a reader may retry just before, and map the old page"
            )
            yield tree.finding(RULE, event, message, steps, function=name)


def _locks(tree: Context, function: Function) -> bool:
    """Whether the callback itself takes a lock: then it is the one its readers rely on."""
    taken = (primitives().get(call.name) for call in tree.program.calls(function))
    return any(primitive is not None and primitive.acquires for primitive in taken)


def _filters(test: Expr) -> bool:
    """Whether a condition asks for the event or its initiator."""
    return any(
        part.kind in ("arrow", "member") and part.name in ("event", "owner", "migrate_pgmap_owner")
        for part in subexpressions(test)
    )


class _Checker(Checker[frozenset[str]]):
    kinds = frozenset({events.CALL, events.BRANCH})

    def __init__(self, tree: Context, function: Function) -> None:
        self.tree = tree
        self.function = function
        self.sequence = function.params[2].name if len(function.params) > 2 else ""
        self.naming = tree.effects.naming(function)
        self.objects = frozenset(_objects(function))
        self.held_at: dict[str, set[frozenset[str]]] = {}
        self.sets: list[tuple[Event, frozenset[str], tuple[Step, ...]]] = []
        self.unset: list[tuple[Event, tuple[Step, ...], bool]] = []

    def initial(self, function: Function) -> frozenset[str]:
        return frozenset()

    def event(self, state: frozenset[str], event: Event, here: Here) -> frozenset[str]:
        call = event.expr
        assert call is not None
        if event.kind == events.BRANCH:
            if not event.polarity and self._asks_for_mm(call):
                own = self._is_own_mm(self.naming.plain(call))
                return state | ({_DONE} if own else {_FILTERED})
            return state | {_FILTERED} if _filters(call) else state
        state -= {_FILTERED}  # it does something, so it does not just filter
        primitive = primitives().get(call.name)
        if primitive is not None:
            if primitive.kind in transferable() or (primitive.fixed and primitive.kind != "rcu"):
                return state
            lock = text(lock_of(call, primitive))
            return state | {lock} if primitive.acquires else state - {lock}
        if call.name in (_SET, RETRY):
            self.held_at.setdefault(call.name, set()).add(state - _MARKS)
        if call.name == _SET:
            self.sets.append((event, state, here.steps(event)))
            return state | {_DONE}
        targets = self.tree.program.targets(call, self.function)
        if _DONE not in state and self._sets_inside(call, targets):
            state |= {_DONE}
        if state <= _MARKS and self._may_lock(call, targets):
            state |= {_PERHAPS}
        return state

    def _asks_for_mm(self, test: Expr) -> bool:
        """Whether a condition takes a reference on an mm; without one its last user is gone.

        Then nobody is left who reads its page tables, and maps what was there.
        """
        primitive = primitives().get(self.naming.plain(test).name)
        return primitive is not None and primitive.kind in transferable()

    def _is_own_mm(self, taking: Expr) -> bool:
        """Whether that is the mm of the range, or of the notifier."""
        mm = bare(self.naming.plain(taking.args[1])) if len(taking.args) > 1 else taking
        given = {param.name for param in self.function.params[:2]}
        return mm.kind == "arrow" and mm.name == "mm" and bare(mm.args[0]).name in given

    def _sets_inside(self, call: Expr, targets: tuple[Function, ...]) -> bool:
        """Whether a helper that is called here sets the sequence, or may: it is given it."""
        if not targets:
            given = (bare(argument) for argument in call.args[1:])
            return any(one.kind == "name" and one.name == self.sequence for one in given)
        return any(
            inner.name == _SET
            for function in self.tree.program.reachable(targets, 4)
            for inner in self.tree.program.calls(function)
        )

    def _may_lock(self, call: Expr, targets: tuple[Function, ...]) -> bool:
        """Whether a helper may return with a lock held; one that gives an object does not."""
        if is_idle(call) or id(call) in self.objects:
            return False
        if not targets:
            return True
        summaries = [self.tree.effects.of(target) for target in targets]
        return any(s.incomplete or any(e.state.held for e in s.exits) for s in summaries)

    def at_exit(self, state: frozenset[str], event: Event, here: Here) -> None:
        if _DONE in state or event.expr is None:
            return
        value = here.value(event.expr)
        if truth(value) is True or show(value) == "1":
            self.unset.append((event, here.steps(event), _FILTERED in state))


def _objects(function: Function) -> Iterator[int]:
    """Calls whose values initialise pointers, or are parts of other expressions."""
    types = Naming(function).types
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.init is not None and "*" in variable.type:
                yield id(bare(variable.init))
    for part in every(function.body):
        if part.kind == "assign" and "*" in types.get(bare(part.args[0]).name, ""):
            yield id(bare(part.args[1]))
        elif part.kind in ("call", "arrow", "member"):
            yield from (id(bare(inner)) for inner in part.args)
