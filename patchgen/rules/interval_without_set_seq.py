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

from collections.abc import Iterator

from patchgen.api.features import ApiFeatures
from patchgen.flow import events
from patchgen.flow.events import Event
from patchgen.flow.locks import lock_of, primitives
from patchgen.flow.text import bare, every, root, subexpressions, text
from patchgen.flow.value import show, truth
from patchgen.flow.walk import Checker, Here, walk
from patchgen.model import Expr, Finding, Function, Step, Undecided
from patchgen.rules.base import ERROR, INTERVAL, Context, Handler, Rule, undecided


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

_SET, _RETRY = "mmu_interval_set_seq", "mmu_interval_read_retry"


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Interval callbacks of the drivers that read with begin and retry."""
    for handler in tree.handlers(struct=INTERVAL):
        if handler.entry.member not in ("invalidate", "invalidate_start"):
            continue
        folder = handler.function.path.rpartition("/")[0]
        mine = [f for f in tree.functions() if f.path.rpartition("/")[0] == folder]
        container = _container(handler.function)
        # Begin alone is no pairing; a reader of another folder names the struct.
        readers = [f for f in mine if _reads(tree, f, container)] or [
            f for f in tree.functions() if container and container in _read_structs(tree, f)
        ]
        if not readers:
            continue
        locks = {lock for function in readers for lock in _locks_at(tree, function, _RETRY)}
        yield from _callback(tree, handler, frozenset(locks))


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
        if call.name != _RETRY or len(call.args) < 2:
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
        if call.name != _RETRY or len(call.args) < 2:
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
    return {_member(lock) for held in checker.held_at.get(name, ()) for lock in held}


def _member(lock: str) -> str:
    return lock.rpartition(">")[2].rpartition(".")[2].lstrip("*")


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
    for event, held, steps in checker.sets:
        if locks and not {_member(lock) for lock in held} & locks:
            shown = ", ".join(sorted(locks))
            message = f"{_SET}() outside the lock that readers hold around retry ({shown})"
            yield tree.finding(RULE, event, message, steps, function=name)


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
        self.held_at: dict[str, set[frozenset[str]]] = {}
        self.sets: list[tuple[Event, frozenset[str], tuple[Step, ...]]] = []
        self.unset: list[tuple[Event, tuple[Step, ...], bool]] = []

    def initial(self, function: Function) -> frozenset[str]:
        return frozenset()

    def event(self, state: frozenset[str], event: Event, here: Here) -> frozenset[str]:
        call = event.expr
        assert call is not None
        if event.kind == events.BRANCH:
            return state | {"?"} if _filters(call) else state
        state -= {"?"}  # it does something, so it does not just filter
        primitive = primitives().get(call.name)
        if primitive is not None:
            lock = text(lock_of(call, primitive))
            return state | {lock} if primitive.acquires else state - {lock}
        if call.name in (_SET, _RETRY):
            self.held_at.setdefault(call.name, set()).add(state - {"="})
        if call.name == _SET:
            self.sets.append((event, state, here.steps(event)))
            return state | {"="}
        if "=" not in state and self._sets_inside(event):
            return state | {"="}
        return state

    def _sets_inside(self, event: Event) -> bool:
        """Whether a helper that is called here sets the sequence."""
        assert event.expr is not None
        targets = self.tree.program.targets(event.expr, self.function)
        return any(
            call.name == _SET
            for function in self.tree.program.reachable(targets, 4)
            for call in self.tree.program.calls(function)
        )

    def at_exit(self, state: frozenset[str], event: Event, here: Here) -> None:
        if "=" in state or event.expr is None:
            return
        value = here.value(event.expr)
        if truth(value) is True or show(value) == "1":
            self.unset.append((event, here.steps(event), "?" in state))
