# SPDX-License-Identifier: GPL-2.0-only
"""From programs to atomic transitions: Lipton's reduction.

A run of nodes may be one step when it is: nodes that commute with everything the
others do, taking one lock, at most one node that others can see, then dropping locks.
Whether an access commutes is looked up, not assumed: data counts as protected by the
MMU lock only where every access of every process is made under it.  Guest hardware reads
SPTEs without any lock, so that writing one is always seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from patchgen.model.base import Value
from patchgen.proof.extract.program import Node, Program
from patchgen.proof.system.effects import TOUCHES, Scope, condition, operation
from patchgen.proof.system.system import Literal, Transition, Update

_GUARDABLE = ("count", "deferred", "spte", "seq")


class Task(Value, frozen=True):
    """A process to lower: its program and whose operations they are.

    A ``cyclic`` one begins again at its end.
    """

    name: str
    program: Program
    scope: Scope
    cyclic: bool = False


def locksets(program: Program) -> dict[int, frozenset[str]]:
    """Per node the locks that are held whenever it is reached."""
    held: dict[int, frozenset[str]] = {program.entry: frozenset()}
    todo = [program.entry]
    while todo:
        index = todo.pop()
        node = program.nodes[index]
        after = held[index]
        if node.kind == "do" and node.what == "lock":
            after = after | {node.arg}
        elif node.kind == "do" and node.what == "unlock":
            after = after - {node.arg}
        for following in (node.yes, node.no):
            if following < 0:
                continue
            met = held[following] & after if following in held else after
            if held.get(following) != met:
                held[following] = met
                todo.append(following)
    return held


def may_hold(program: Program) -> dict[int, frozenset[str]]:
    """Per node the locks that may be held when it is reached."""
    held: dict[int, frozenset[str]] = {program.entry: frozenset()}
    todo = [program.entry]
    while todo:
        index = todo.pop()
        node = program.nodes[index]
        after = held[index]
        if node.kind == "do" and node.what == "lock":
            after = after | {node.arg}
        elif node.kind == "do" and node.what == "unlock":
            after = after - {node.arg}
        for following in (node.yes, node.no):
            if following < 0 or (following in held and after <= held[following]):
                continue
            held[following] = held.get(following, frozenset()) | after
            todo.append(following)
    return held


def protected(tasks: Sequence[Task]) -> frozenset[str]:
    """The kinds of data whose every access is made under the MMU lock."""
    free: set[str] = set()
    for task in tasks:
        held = locksets(task.program)
        for index, node in task.program.reachable():
            touched = TOUCHES.get(node.what, "")
            kind = "spte" if touched == "mapping" else touched
            if kind in _GUARDABLE and "mmu" not in held[index]:
                free.add(kind)
    return frozenset(_GUARDABLE) - free


def may_be_late(tasks: Sequence[Task]) -> bool:
    """Whether samples may be late: nobody waits for samplers, and only events bump."""
    return not any(
        node.what == "synchronize" or (node.what == "bump_seq" and task.cyclic)
        for task in tasks
        for _, node in task.program.reachable()
    )


class _Path(Value, frozen=True):
    """What a block did so far: pre-state guards, updates in order, nodes run."""

    guards: tuple[Literal, ...] = ()
    updates: tuple[Update, ...] = ()
    steps: tuple[Node, ...] = ()
    lock: str = ""
    seen: bool = False


class Lowering:
    """Lowers one task; ``guarded`` is what :func:`protected` said of all tasks.

    ``late``: the sequence is sampled in one step with what follows (reduce.py says why).
    """

    def __init__(
        self,
        task: Task,
        number: int,
        guarded: frozenset[str],
        reduce: bool,
        late: bool = False,
    ) -> None:
        self.task = task
        self.number = number
        self.guarded = guarded
        self.reduce = reduce
        self.late = late
        self.held = locksets(task.program)
        #: Per node the variables that it asks for, or changes from what they are.
        self._told: dict[int, set[str]] = {}
        self.locations: dict[int, int] = {}
        self.todo: list[int] = []
        self.out: list[Transition] = []
        self.finished = -1

    def run(self) -> tuple[Transition, ...]:
        """All transitions of the task, by location."""
        self._location(self.task.program.entry)
        while self.todo:
            self.start = self.todo.pop(0)
            self._walk(self.start, _Path())
        return tuple(self.out)

    def holding(self) -> dict[tuple[int, int], frozenset[str]]:
        """Per (process, location) the variables of the locks that may be held there."""
        held = may_hold(self.task.program)
        return {
            (self.number, location): frozenset(f"lock_{name}" for name in held.get(index, ()))
            for index, location in self.locations.items()
        }

    def _location(self, index: int) -> int:
        if self.task.cyclic and self.task.program.nodes[index].kind == "end":
            index = self.task.program.entry
        if index not in self.locations:
            self.locations[index] = len(self.locations)
            if self.task.program.nodes[index].kind == "end":
                self.finished = self.locations[index]
            else:
                self.todo.append(index)
        return self.locations[index]

    def _emit(self, path: _Path, index: int) -> None:
        self.out.append(
            Transition(
                self.number,
                self.locations[self.start],
                self._location(index),
                path.guards,
                path.updates,
                path.steps,
                path.lock,
            )
        )

    def _walk(self, index: int, path: _Path) -> None:
        node = self.task.program.nodes[index]
        if node.kind == "stop":
            return
        if node.kind == "end":
            self._emit(path, index)
            return
        if path.steps and self._border(index, node, path):
            self._emit(path, index)
            return
        seen = self._seen(index, node) and not (self.late and node.what == "sample")
        path = _with(path, node, seen)
        if node.kind == "test":
            answers = condition(node, self.task.scope)
            ways = (("yes", node.yes), ("no", node.no))
            for alternatives, (answer, following) in zip(answers, ways, strict=True):
                said = msgspec.structs.replace(node, arg=answer)
                told = msgspec.structs.replace(path, steps=(*path.steps[:-1], said))
                for guards in alternatives:
                    self._branch(told, guards, (), following)
            return
        for guards, updates in operation(node, self.task.scope):
            self._branch(path, guards, updates, node.yes)

    def _branch(
        self, path: _Path, guards: tuple[Literal, ...], updates: tuple[Update, ...], then: int
    ) -> None:
        now = _assume(path.guards, path.updates, guards)
        if now is None:
            return
        done = _compose(path.updates, updates)
        self._walk(then, _Path(now, done, path.steps, path.lock, path.seen))

    def _seen(self, index: int, node: Node) -> bool:
        """Whether others can tell that this node ran now and not a moment later."""
        kind = TOUCHES.get(node.what, "")
        if node.kind == "do" and node.what == "unlock":
            return True
        return bool(kind) and not (kind in self.guarded and "mmu" in self.held[index])

    def _border(self, index: int, node: Node, path: _Path) -> bool:
        """Whether a new step must begin at this node."""
        if not self.reduce:
            return True
        if node.kind == "do" and node.what == "lock":
            return path.seen or bool(path.lock)
        if node.kind == "do" and node.what == "unlock":
            return False
        if path.seen and self._seen(index, node):
            return True
        if index not in self._told:
            self._told[index] = self._reads(node) | self._writes(node)
        return not _readable(path.updates, self._told[index])

    def _reads(self, node: Node) -> set[str]:
        """Variables whose value the node's meaning depends on."""
        if node.kind == "test":
            sides = condition(node, self.task.scope)
            literals = [lit for side in sides for guards in side for lit in guards]
            return {lit.variable for lit in literals} | {lit.other for lit in literals} - {""}
        found: set[str] = set()
        for guards, updates in operation(node, self.task.scope):
            found |= {lit.variable for lit in guards} | {lit.other for lit in guards}
            found |= {update.other for update in updates}
        return found - {""}

    def _writes(self, node: Node) -> set[str]:
        if node.kind == "test":
            return set()
        changes = [u for _, updates in operation(node, self.task.scope) for u in updates]
        return {u.variable for u in changes if u.how != "set"}


def _with(path: _Path, node: Node, seen: bool) -> _Path:
    """``path`` with one more node run."""
    lock = path.lock
    if node.kind == "do" and node.what == "lock":
        lock = f"lock_{node.arg}"
    return _Path(path.guards, path.updates, (*path.steps, node), lock, path.seen or seen)


def _readable(updates: tuple[Update, ...], told: set[str]) -> bool:
    """Whether values after ``updates`` can be told from the state before them."""
    return not any(u.how != "set" and u.variable in told for u in updates)


def _final(updates: tuple[Update, ...]) -> Mapping[str, int]:
    return {u.variable: u.value for u in updates if u.how == "set"}


def _assume(
    guards: tuple[Literal, ...], updates: tuple[Update, ...], more: tuple[Literal, ...]
) -> tuple[Literal, ...] | None:
    """``guards`` and ``more`` (said after ``updates``); None if they cannot hold."""
    known = _final(updates)
    result = list(guards)
    for literal in more:
        name, value, other = literal.variable, literal.value, literal.other
        if other and other in known:
            value, other = known[other], ""
        if name in known and other:
            name, value, other = other, known[name], ""
        elif name in known:
            if (known[name] == value) == literal.negated:
                return None
            continue
        fact = Literal(name, value, literal.negated, other)
        if _contradicts(result, fact):
            return None
        if fact not in result:
            result.append(fact)
    return tuple(result)


def _contradicts(guards: list[Literal], fact: Literal) -> bool:
    for held in guards:
        if held.variable != fact.variable or held.other or fact.other:
            continue
        if not held.negated and not fact.negated and held.value != fact.value:
            return True
        if held.negated != fact.negated and held.value == fact.value:
            return True
    return False


def _compose(updates: tuple[Update, ...], more: tuple[Update, ...]) -> tuple[Update, ...]:
    """``updates`` and then ``more``, where what is known by then is filled in."""
    result = list(updates)
    for update in more:
        known = _final(tuple(result))
        if update.how == "copy" and update.other in known:
            update = Update(update.variable, "set", known[update.other])
        elif update.how == "or" and update.other in known:
            if not known[update.other]:
                continue
            update = Update(update.variable, "set", 1)
        elif update.how == "add" and update.variable in known:
            update = Update(update.variable, "set", known[update.variable] + update.value)
        elif update.how == "or" and known.get(update.variable) == 1:
            continue
        elif update.how == "or" and update.variable in known:
            update = Update(update.variable, "copy", other=update.other)
        if update.how in ("set", "copy"):
            result = [u for u in result if u.variable != update.variable]
        result.append(update)
    return tuple(result)
