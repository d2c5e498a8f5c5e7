# SPDX-License-Identifier: GPL-2.0-only
"""What operators look at: one file's functions, handlers and range sections."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from patchgen.model.base import Value
from patchgen.model.code import Expr, Stmt
from patchgen.model.facts import FileFacts, OpsTable
from patchgen.model.plan import Edit
from patchgen.source.c.walk import callees
from tests.mutants.code import Code

START = "mmu_notifier_invalidate_range_start"
START_NONBLOCK = "mmu_notifier_invalidate_range_start_nonblock"
END = "mmu_notifier_invalidate_range_end"
ONLY_END = "mmu_notifier_invalidate_range_only_end"
BLOCKABLE = "mmu_notifier_range_blockable"
USE_CHANGE_PTE = "mmu_notifier_range_use_change_pte"
NOTIFY = "set_pte_at_notify"
INTERVAL_OPS = "mmu_interval_notifier_ops"


class Site(Value, frozen=True):
    """One place where an operator fits, with the edits that make the fault.

    ``header`` is included where the mutant does not compile without it.
    """

    path: str
    function: str
    line: int
    edits: tuple[Edit, ...]
    header: str = ""


class Handler(Value, frozen=True):
    """A callback of an ops table, with its code."""

    table: OpsTable
    member: str
    code: Code

    @property
    def interval(self) -> bool:
        """A callback of an interval notifier (bool), not of a list notifier."""
        return self.table.struct == INTERVAL_OPS

    @property
    def range(self) -> str:
        """The name of the range parameter, or ""."""
        params = self.code.function.params
        return next((p.name for p in params if "mmu_notifier_range" in p.type), "")

    @property
    def notifier(self) -> str:
        """The name of the first parameter: the notifier."""
        return self.code.function.params[0].name

    @property
    def success(self) -> str:
        """What the callback returns when all is well."""
        return "true" if self.interval else "0"


class Section(Value, frozen=True):
    """The calls on one range variable in one function, in source order."""

    code: Code
    range: str
    inits: tuple[Expr, ...]
    starts: tuple[Expr, ...]
    ends: tuple[Expr, ...]

    def between(self) -> Iterator[Expr]:
        """The calls behind the first start and in front of the last end."""
        if self.starts and self.ends:
            first, last = self.starts[0].span.end, self.ends[-1].span.start
            for call in self.code.calls():
                if first < call.span.start < last:
                    yield call


class Subject:
    """One file in one state of a tree.

    ``idiom`` is KVM's (direct, hva-range, none), ``flagged`` tells that the tree has
    MMU_NOTIFIER_USE_CHANGE_PTE.
    """

    def __init__(
        self, source: bytes, facts: FileFacts, idiom: str = "", flagged: bool = False
    ) -> None:
        self.source = source
        self.facts = facts
        self.path = facts.path
        self.idiom = idiom
        self.flagged = flagged

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        """The file's functions that matter to mmu notifiers."""
        return tuple(Code(self.source, function) for function in self.facts.functions)

    def code(self, name: str) -> Code | None:
        """The function of that name."""
        return next((code for code in self.codes if code.function.name == name), None)

    @cached_property
    def handlers(self) -> tuple[Handler, ...]:
        """The callbacks of the file's tables, each function once a table kind."""
        found: dict[tuple[str, str], Handler] = {}
        for table in self.facts.ops:
            if table.struct not in ("mmu_notifier_ops", INTERVAL_OPS):
                continue
            for entry in table.entries:
                code = self.code(entry.function)
                if code is not None:
                    found.setdefault(
                        (entry.member, entry.function), Handler(table, entry.member, code)
                    )
        return tuple(found.values())

    @property
    def range_handlers(self) -> tuple[Handler, ...]:
        """range_start callbacks and interval callbacks: those that may be told not to block."""
        wanted = ("invalidate_range_start", "invalidate")
        return tuple(h for h in self.handlers if h.member in wanted and h.range)

    @cached_property
    def reached(self) -> tuple[Code, ...]:
        """Callbacks and the functions of this file that run in them.

        A function that is only handed to a work item or a grace period runs later, without
        the callback's context, and is not among them.
        """
        names: dict[str, None] = dict.fromkeys(h.code.function.name for h in self.handlers)
        queue = list(names)
        while queue:
            code = self.code(queue.pop())
            if code is None:
                continue
            for name in sorted(callees(code.function) - _deferred(code)):
                if name not in names and self.code(name) is not None:
                    names[name] = None
                    queue.append(name)
        return tuple(code for code in self.codes if code.function.name in names)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The range sections, or parts of sections, of all functions."""
        return tuple(section for code in self.codes for section in _sections(code))

    def site(self, code: Code, at: Stmt | Expr, *edits: Edit, header: str = "") -> Site:
        """A site in ``code`` at a node."""
        return Site(self.path, code.function.name, at.line, tuple(edits), header)


_LATER = ("INIT_WORK", "INIT_DELAYED_WORK", "call_rcu", "call_srcu", "timer_setup")


def _deferred(code: Code) -> set[str]:
    """Names that the code mentions only in calls that run them later."""
    every = [e for e in code.nodes if isinstance(e, Expr) and e.kind == "name"]
    later = {
        id(e)
        for e in every
        if any(isinstance(a, Expr) and a.name in _LATER for a in code.ancestors(e))
    }
    return {e.name for e in every if id(e) in later} - {e.name for e in every if id(e) not in later}


def _sections(code: Code) -> Iterator[Section]:
    groups: dict[str, tuple[list[Expr], list[Expr], list[Expr]]] = {}
    for call in code.calls():
        if len(call.args) < 2:
            continue
        if call.name.startswith("mmu_notifier_range_init"):
            kind = 0
        elif call.name in (START, START_NONBLOCK):
            kind = 1
        elif call.name in (END, ONLY_END):
            kind = 2
        else:
            continue
        groups.setdefault(code.text(call.args[1]), ([], [], []))[kind].append(call)
    for name, (inits, starts, ends) in groups.items():
        yield Section(code, name, tuple(inits), tuple(starts), tuple(ends))
