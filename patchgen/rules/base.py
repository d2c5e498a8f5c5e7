# SPDX-License-Identifier: GPL-2.0-only
"""What a rule is, and what it sees.

A rule is a module of this package with a value ``RULE``, a function ``check``
and a docstring that is the user's documentation, with bad and good C::

    RULE = Rule("MN020", "guard-in-one-callback", ERROR, "...", has_change_pte)

    def check(tree: Context) -> Iterator[Finding | Undecided]:

Rules are found by walking the package; they never import each other.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.base import Place, Span, Value
from patchgen.model.code import Declarator, Expr, Function
from patchgen.model.facts import FileFacts, OpsEntry, OpsTable
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.model.outcome import UserError
from patchgen.source.c.body import functions_in
from patchgen.source.c.definitions import Definitions

if TYPE_CHECKING:  # a run whose answers are known imports no analysis
    from patchgen.analysis.cfg.events import Event
    from patchgen.analysis.engine.program import Program
    from patchgen.analysis.entries.covered import Coverage
    from patchgen.analysis.entries.objection import Objection
    from patchgen.analysis.locks.effects import Effects
    from patchgen.analysis.locks.source import Source
    from patchgen.analysis.locks.state import Summary

ERROR, WARNING, NOTE = "error", "warning", "note"

#: The callbacks that open and close an invalidation.
NOTIFIER, INTERVAL = "mmu_notifier_ops", "mmu_interval_notifier_ops"
START, END = "invalidate_range_start", "invalidate_range_end"

#: What pairs a driver's page faults with its interval callbacks.
RETRY = "mmu_interval_read_retry"

#: The API itself: its own code is not held to the contract of its users.
CORE = ("mm/mmu_notifier.c", "include/linux/mmu_notifier.h")


def always(api: ApiFeatures) -> bool:
    """Applies to every tree."""
    return True


class Rule(Value, frozen=True):
    """A rule's identity.

    ``id`` is MNnnn, ``name`` the module's name with dashes, ``severity`` error,
    warning or note, ``summary`` one line; ``applies`` says whether the tree's
    API has what the rule is about, ``where`` the same in words.
    """

    id: str
    name: str
    severity: str
    summary: str
    applies: Callable[[ApiFeatures], bool] = always
    where: str = "every tree"


class RuleModule(Protocol):
    """A module that holds a rule."""

    RULE: Rule
    __doc__: str | None

    def check(self, tree: Context) -> Iterator[Finding | Undecided]:
        """Findings and places that could not be decided, in source order."""
        ...


class Handler(NamedTuple):
    """A callback: the function that a table's member points to."""

    table: OpsTable
    entry: OpsEntry
    function: Function

    @property
    def function_place(self) -> Place:
        """Where the function is defined."""
        return Place(self.function.path, self.function.line)


class Context:
    """A tree as rules see it: facts of its files, the API, and the flow engine.

    ``facts`` are the files that matter, by path, in whatever order; ``sources`` gives a
    file's bytes.  ``broken`` are facts of files with errors: names in them mean something,
    silence does not.  ``beside`` are other files, by path, that the interval callbacks
    of ``facts`` may be paired with; ``folders`` hold headers of the files' own,
    and ``own`` tells what is no header of the kernel's beside them.
    """

    def __init__(
        self,
        facts: Mapping[str, FileFacts],
        api: ApiFeatures,
        sources: Callable[[str], bytes | None] = lambda path: None,
        broken: Mapping[str, FileFacts] | None = None,
        beside: Mapping[str, bytes] | None = None,
        folders: Sequence[str] = (),
        own: Callable[[str], bool] = lambda path: True,
    ) -> None:
        self.facts = {path: _ordered(facts[path]) for path in sorted(facts)}
        self.broken = {path: broken[path] for path in sorted(broken)} if broken else {}
        self.api = api
        self._sources = sources
        self._beside = beside or {}
        self._folders = tuple(folders)
        self._own = own
        self._definitions: dict[str, Mapping[str, Function]] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, those with errors included."""
        return (*self.facts, *self.broken)

    def only(self, paths: Collection[str]) -> Context:
        """The same tree with these of its files alone."""
        return Context(
            {path: facts for path, facts in self.facts.items() if path in paths},
            self.api,
            self._sources,
            {path: facts for path, facts in self.broken.items() if path in paths},
            self._beside,
            self._folders,
            self._own,
        )

    @cached_property
    def program(self) -> Program:
        """All functions of the facts, with calls resolved across files."""
        from patchgen.analysis.engine.program import Program

        return Program(
            (function for facts in self.facts.values() for function in self._functions(facts)),
            (table for facts in self.facts.values() for table in facts.ops),
            self.whole,
            self.read,
            self._folders,
        )

    @cached_property
    def source(self) -> Source:
        """The macros and headers of the files."""
        from patchgen.analysis.locks.source import Source

        if not any(facts.others for facts in self.facts.values()):
            return Source(self.read, self._folders, own=self._own, files=self.facts)
        # All files are one program: a macro may call what another file defines.
        return Source(
            self.read,
            self._folders,
            lambda name, near: bool(self.program.named(name, near)),
            self._own,
        )

    def _functions(self, facts: FileFacts) -> Iterator[Function]:
        """A file's functions, with those of its callbacks that a macro defines."""
        yield from facts.functions
        yield from facts.others
        defined = {function.name for function in (*facts.functions, *facts.others)}
        named = {entry.function for table in facts.ops for entry in table.entries}
        made = self.source.made(facts.path) if named - defined - {""} else {}
        yield from (made[name] for name in sorted(named - defined) if name in made)

    @cached_property
    def effects(self) -> Effects:
        """Locks, counters, sleeps and results, across calls."""
        from patchgen.analysis.locks.counters import paired_counters
        from patchgen.analysis.locks.effects import Effects
        from patchgen.kernel.knowledge import names

        reached = self.program.reachable
        starts = reached((h.function for h in self.handlers(START)), 4)
        ends = reached((h.function for h in self.handlers(END)), 4)
        known = names("kvm", "members", "count") | names("kvm", "members", "active")
        return Effects(self.program, paired_counters(starts, ends) | known, self.source)

    def tables(self, struct: str = NOTIFIER) -> Iterator[OpsTable]:
        """The operations tables of a struct, in the order of the files."""
        for facts in self.facts.values():
            for table in facts.ops:
                if table.struct == struct:
                    yield table

    def handlers(self, member: str = "", struct: str = NOTIFIER) -> Iterator[Handler]:
        """Callbacks in the tables of ``struct``; all members, or one."""
        for table in self.tables(struct):
            for entry in table.entries:
                if entry.function and member in ("", entry.member):
                    for function in self.program.named(entry.function, table.path):
                        yield Handler(table, entry, function)

    def callback(self, table: OpsTable, member: str) -> Function | None:
        """The function of one member of a table, or None."""
        name = table.function(member)
        found = self.program.named(name, table.path) if name else ()
        return found[0] if found else None

    def callbacks(self) -> Iterator[Handler]:
        """Every callback of notifier and interval tables, each function once."""
        seen: set[tuple[int, str]] = set()
        for struct in (NOTIFIER, INTERVAL):
            for handler in self.handlers(struct=struct):
                key = (id(handler.function), handler.entry.member)
                if key not in seen:
                    seen.add(key)
                    yield handler

    def invalidations(self) -> Iterator[Handler]:
        """Callbacks that may be asked not to block: start, end, interval ones."""
        for handler in self.callbacks():
            if handler.entry.member in (START, END, "invalidate", "invalidate_start"):
                yield handler

    def functions(self) -> Iterator[Function]:
        """Every function of the facts outside the API's own code."""
        for facts in self.facts.values():
            if facts.path not in CORE:
                yield from facts.functions

    def readable(self) -> Iterator[Function]:
        """As :meth:`functions`, and those of files with errors: what is told from names alone."""
        yield from self.functions()
        for facts in self.broken.values():
            if facts.path not in CORE:
                yield from facts.functions

    @cached_property
    def declared(self) -> frozenset[str]:
        """Macros and functions of all files but the API's own, with errors or without."""
        files = [f for f in (*self.facts.values(), *self.broken.values()) if f.path not in CORE]
        return frozenset(
            name
            for facts in files
            for name in (*facts.macros, *(function.name for function in facts.functions))
        )

    def from_names(
        self, rule: Rule, where: Expr | OpsEntry, message: str, path: str, function: str = ""
    ) -> Finding | Undecided:
        """A finding that rests on names alone; undecided where a header is missing.

        That header may declare the name, or decide about the branch that it stands in.
        """
        for error in self.broken[path].diagnostics if path in self.broken else ():
            if error.severity != "warning" and error.text.endswith("file not found"):
                return undecided(rule, Place(path, where.line), f"{message}, but {error.text}")
        return self.finding(rule, where, message, path=path, function=function)

    @cached_property
    def beside(self) -> tuple[Function, ...]:
        """The functions of the files beside the facts that mention what pairs them."""
        return tuple(
            one
            for path, source in self._beside.items()
            for one in functions_in(source, path, mentioning=RETRY)
        )

    def whole(self, path: str, mentioning: str = "") -> tuple[Function, ...]:
        """All functions of a file, where its bytes are at hand; else those of the facts.

        Of the former only those in which the identifier ``mentioning`` stands, if given.
        """
        source = self._sources(path)
        if source is None:
            return self.facts[path].functions
        return functions_in(source, path, mentioning=mentioning)

    def definitions(self, path: str) -> Mapping[str, Function]:
        """As :meth:`whole`, by name; each function is parsed when it is asked for."""
        if path not in self._definitions:
            source = self._sources(path)
            known = {function.name: function for function in self.facts[path].functions}
            self._definitions[path] = known if source is None else Definitions({path: source})
        return self._definitions[path]

    @cached_property
    def flagged(self) -> tuple[Coverage, ...]:
        """The sections that change_pte() is said to cover, judged; as :meth:`functions`."""
        if not self.api.has_flag_use_change_pte:
            return ()
        from patchgen.analysis.entries.flagged import flagged, judged

        return tuple(
            judged(section, self.program, self.definitions(function.path))
            for function in self.functions()
            for section in flagged(self.program, function)
        )

    def against(self, rule: Rule, code: str, lead: str = "") -> Iterator[Finding | Undecided]:
        """What of one kind speaks against flagged sections; doubts are undecided."""
        from patchgen.analysis.entries.objection import UNCLEAR

        for coverage in self.flagged:
            for one in coverage.objections:
                if one.code in (code, UNCLEAR):
                    yield self.objection(rule, one, coverage.section.function, lead)

    def objection(
        self, rule: Rule, one: Objection, function: Function, lead: str = ""
    ) -> Finding | Undecided:
        """One objection as a rule's own: certain ones are findings."""
        if not one.sure:
            return undecided(rule, one.place, one.text)
        assert one.where is not None, "what is certain was seen at an expression"
        return self.finding(
            rule, one.where, lead + one.text, one.steps, path=function.path, function=function.name
        )

    def summary(self, function: Function) -> Summary:
        """What ``function`` leaves behind, called with nothing known."""
        return self.effects.of(function)

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None where they are not at hand."""
        return self._sources(path)

    def column(self, path: str, span: Span) -> int:
        """Column of a span's start, from 1; 1 where the bytes are not at hand."""
        source = self._sources(path)
        if source is None:
            return 1
        return span.start - source.rfind(b"\n", 0, span.start)

    def finding(
        self,
        rule: Rule,
        where: Event | Expr | Declarator | OpsTable | OpsEntry,
        message: str,
        steps: tuple[Step, ...] = (),
        *,
        path: str = "",
        function: str = "",
    ) -> Finding:
        """A finding at an event, an expression (with ``path``) or a table."""
        path = path or getattr(where, "path", "")
        place = Place(path, where.line)
        return Finding(
            rule=rule.id,
            severity=rule.severity,
            place=place,
            column=self.column(path, where.span),
            span=where.span,
            message=message,
            path_steps=steps or (Step(place, message),),
            function=function,
        )


def _ordered(facts: FileFacts) -> FileFacts:
    """``facts`` in the order of the source: no answer depends on that of their making."""
    functions = sorted(facts.functions, key=lambda one: (one.path, one.span.start, one.name))
    ops = sorted(facts.ops, key=lambda one: (one.path, one.line, one.name))
    return msgspec.structs.replace(facts, functions=tuple(functions), ops=tuple(ops))


def undecided(rule: Rule, place: Place, reason: str) -> Undecided:
    """A place that the rule looked at without a result."""
    return Undecided(rule.id, place, reason)


@cache
def modules() -> dict[str, RuleModule]:
    """All rules by ID, found by walking this package."""
    package = __name__.rpartition(".")[0]
    found: dict[str, RuleModule] = {}
    for info in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        module = importlib.import_module(info.name)
        rule = getattr(module, "RULE", None)
        if isinstance(rule, Rule):
            found[rule.id] = module
    return dict(sorted(found.items()))


def by_id(identifier: str) -> RuleModule:
    """The rule with this ID or name; UserError if there is none."""
    for module in modules().values():
        if identifier.upper() == module.RULE.id or identifier == module.RULE.name:
            return module
    raise UserError(f"no rule {identifier!r}", hint="patchgen rules lists them")
