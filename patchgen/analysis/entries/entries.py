# SPDX-License-Identifier: GPL-2.0-only
"""What happens to a page-table entry on the paths of a function.

The walk follows values of type pte_t: which frame an entry maps, whether it may be
written through, whether it maps a page at all.  It tells, for every path through a
section, whether the entry in memory was changed, and whether change_pte() was told.
What the primitives do is data: ``knowledge/entries.toml``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, Outcome, walk
from patchgen.analysis.entries.beside import stored_by
from patchgen.analysis.entries.reached import aliased, taken_elsewhere
from patchgen.analysis.values.subjects import constant_of
from patchgen.analysis.values.value import NONZERO, ZERO, truth
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place, Value
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, text

OLD, NEW = "old", "new"
READ_ONLY, WRITABLE, MAYBE, UNKNOWN = "ro", "rw", "maybe", "?"

_START = ("mmu_notifier_invalidate_range_start", "mmu_notifier_invalidate_range_start_nonblock")
_END = ("mmu_notifier_invalidate_range_end", "mmu_notifier_invalidate_range_only_end")


class Pte(Value, frozen=True):
    """A value of type pte_t.

    ``frame`` is old (that of ``origin``) or new, ``write`` ro, rw, maybe (as the
    mapping allows) or ? (as ``origin`` was), ``page`` tells that it maps a page.
    ``origin`` is the expression whose value on entry it stems from; ``exact`` that
    it is that value unchanged.
    """

    origin: str
    frame: str = OLD
    write: str = UNKNOWN
    page: bool = True
    exact: bool = True


class Transition(Value, frozen=True, order=True):
    """One change of an entry in memory, as change_pte() sees it.

    ``old_write`` is ro or ?; ``need`` the expression (in terms of the function's
    parameters) that must be read-only on entry for ``old_write`` to be ro, or "".
    """

    line: int
    address: str
    frame: str
    write: str
    page: bool
    old_write: str
    need: str


class Silent(Value, frozen=True, order=True):
    """A change that change_pte() is not told about: why, and where."""

    line: int
    reason: str


class Witness(msgspec.Struct, frozen=True):
    """Where a transition or a silent change was seen, and the path to it.

    ``sure`` tells that the code shows it; else it is only not shown to be absent.
    """

    event: Event
    steps: tuple[Step, ...]
    sure: bool = True


class _State(msgspec.Struct, frozen=True):
    """Values of variables and entries, which origins are read-only, what is pending."""

    values: tuple[tuple[str, Pte], ...]
    read_only: frozenset[str]
    pending: tuple[tuple[str, int], ...]  # cleared entries: pointer text, line
    open: bool
    lost: tuple[tuple[str, int], ...] = ()  # what a call or an assignment may have changed: line


class EntryWalk(Checker[_State]):
    """Follows entries; collects transitions and silent changes while a section is open.

    ``range_name`` is the range variable of the section, or "" when the caller holds
    it open all the time.  ``known`` are the functions of the file, by name.
    """

    kinds = frozenset({"call", "assign", "decl", "branch", "return"})

    def __init__(self, known: Mapping[str, Function], range_name: str = "") -> None:
        self.known = known
        self.range_name = range_name
        self.transitions: set[Transition] = set()
        self.silent: set[Silent] = set()
        self.unknown: set[Silent] = set()
        self.exits: list[tuple[_State, Event, str]] = []
        self.on_call: Callable[[_State, Expr], None] | None = None
        self.witnesses: dict[Transition | Silent, Witness] = {}
        self._clears: dict[int, Event] = {}
        self._here: Here | None = None

    # -- the walker's callbacks ---------------------------------------------
    def initial(self, function: Function) -> _State:
        """Nothing is known but the parameters' own names."""
        return _State((), frozenset(), (), not self.range_name)

    def event(
        self, state: _State, event: Event, here: Here
    ) -> _State | tuple[Outcome[_State], ...]:
        """Calls and assignments move values; branches tell what is read-only."""
        self._here = here
        expr = event.expr
        if expr is None:
            return state
        if event.kind == "branch":
            return self._branch(state, expr, event.polarity)
        if event.kind == "decl":
            return _assigned(state, event.name, self.value(state, expr))
        if event.kind == "assign":
            return self._assign(state, expr)
        if event.kind == "call":
            return self._call(state, expr, event)
        return state

    def at_exit(self, state: _State, event: Event, here: Here) -> None:
        """Keep the values with which the function returns."""
        self._here = here
        returned = here.value(event.expr) if event.expr is not None else None
        kind = "zero" if returned == ZERO else "other"
        if returned is not None and truth(returned) is True:
            kind = "failed"
        self.exits.append((state, event, kind))
        if not self.range_name:
            self._close(state, event)

    def _saw(self, item: Transition | Silent, event: Event, last: Event, sure: bool) -> None:
        """Keep the path on which ``item`` was seen first; a sure one goes before others."""
        known = self.witnesses.get(item)
        if self._here is not None and (known is None or (sure and not known.sure)):
            self.witnesses[item] = Witness(event, self._here.steps(last), sure)

    # -- values --------------------------------------------------------------
    def value(self, state: _State, expr: Expr) -> Pte:
        """The pte_t value of an expression in a state."""
        expr = bare(expr)
        if expr.kind == "call":
            return self._call_value(state, expr)
        if expr.kind == "cond":
            then, other = (self.value(state, e) for e in expr.args[1:])
            return then if then == other else Pte(_made(expr))
        return _lookup(state, text(expr))

    def _call_value(self, state: _State, call: Expr) -> Pte:
        name, args = call.name, call.args[1:]
        if not args:
            return Pte(_made(call))
        if name in names("entries", "loads"):
            pointer = bare(args[0])
            if pointer.kind == "unary" and pointer.name == "&":
                return _lookup(state, text(pointer.args[0]))
            return _lookup(state, f"*{text(pointer)}")
        if name in names("entries", "clears") and len(args) > 2:
            return _lookup(state, f"*{text(args[2])}")
        if name in names("entries", "fresh"):
            protection = args[-1]
            only = names("entries", "read_only_protections")
            write = READ_ONLY if protection.name in only else UNKNOWN
            return Pte(_made(call), NEW, write, True, False)
        empty = name in names("entries", "of_bits") and constant_of(args[0]) == 0
        if empty or name in names("entries", "no_page"):
            return Pte(_made(call), NEW, READ_ONLY, False, False)
        if name in self.known:  # what bears a known name here need not do what it says
            return Pte(_made(call), NEW, UNKNOWN, True, False)
        inner = self.value(state, args[0])
        if name in names("entries", "same"):
            return msgspec.structs.replace(inner, exact=False)
        if name in names("entries", "read_only"):
            return msgspec.structs.replace(inner, write=READ_ONLY, exact=False)
        if name in names("entries", "writable"):
            return msgspec.structs.replace(inner, write=WRITABLE, exact=False)
        if name in names("entries", "maybe_writable"):
            return msgspec.structs.replace(inner, write=MAYBE, exact=False)
        return Pte(_made(call), NEW, UNKNOWN, True, False)

    # -- events --------------------------------------------------------------
    def _branch(self, state: _State, expr: Expr, holds: bool) -> _State:
        if expr.kind != "call" or len(expr.args) < 2:
            return state
        if expr.name in names("entries", "write_tests") and not holds:
            origin = self.value(state, expr.args[1])
            if origin.write == UNKNOWN:
                return _with_read_only(state, origin.origin)
        if expr.name in names("entries", "equal") and holds and len(expr.args) == 3:
            # The entry in memory is the one that was looked at before.
            left, right = (_lvalue(a) for a in expr.args[1:])
            memory, other = (left, expr.args[2]) if left.startswith("*") else (right, expr.args[1])
            return _assigned(state, memory, self.value(state, other))
        return state

    def _assign(self, state: _State, expr: Expr) -> _State:
        target = text(expr.args[0])
        lost = _forget(state, target, expr.line)
        if expr.kind != "assign" or expr.name != "=":
            return lost
        return _assigned(lost, target, self.value(state, expr.args[1]))

    def _call(
        self, state: _State, call: Expr, event: Event
    ) -> _State | tuple[Outcome[_State], ...]:
        name, args = call.name, call.args[1:]
        if self.on_call is not None:
            self.on_call(state, call)
        if name in _START and _names_range(args, self.range_name):
            return msgspec.structs.replace(state, open=True)
        if name in _END and _names_range(args, self.range_name):
            self._close(state, event)
            return msgspec.structs.replace(state, open=False, pending=())
        if name in names("entries", "clears") and len(args) > 2:
            pointer = text(args[2])
            self._clears[event.line] = event
            pending = (*(p for p in state.pending if p[0] != pointer), (pointer, event.line))
            return msgspec.structs.replace(state, pending=pending)
        if name in names("entries", "sets") and len(args) > 2:
            return self._set(state, args, event, told=False)
        if name in names("entries", "notifies") and len(args) > 3:
            return self._set(state, args, event, told=name not in self.known)
        return self._other_call(state, call, event)

    def _set(self, state: _State, args: tuple[Expr, ...], event: Event, told: bool) -> _State:
        pointer, new = text(args[-2]), self.value(state, args[-1])
        entry = f"*{pointer}"
        old = _lookup(state, entry)
        pending = tuple(p for p in state.pending if p[0] != pointer)
        if state.open:
            restored = new.exact and new == old
            if told:
                self._transition(state, entry, old, new, text(args[1]), event)
            elif not restored:
                silent = Silent(event.line, "an entry is set without a notification")
                self.silent.add(silent)
                self._saw(silent, event, event, True)
        return _assigned(msgspec.structs.replace(state, pending=pending), entry, new)

    def _transition(
        self, state: _State, entry: str, old: Pte, new: Pte, address: str, event: Event
    ) -> None:
        known = _is_read_only(state, old)
        frame = OLD if new.origin == old.origin and new.frame == OLD else NEW
        write = new.write
        if _is_read_only(state, new):
            write = READ_ONLY
        found = Transition(
            event.line, address, frame, write, new.page, READ_ONLY if known else UNKNOWN,
            "" if known or not old.exact or "@" in old.origin else old.origin,
        )  # fmt: skip
        self.transitions.add(found)
        # Nothing on the path has compared the entry in memory with anything.
        unseen = old.write == UNKNOWN and old.origin.partition("@")[0] == entry
        writable = old.write in (WRITABLE, MAYBE) or unseen
        self._saw(found, event, event, not found.page or (writable and not self._zero_page(entry)))

    def _zero_page(self, entry: str) -> bool:
        """Whether the path asks for the zero page's frame, which no entry maps writable."""
        events = self._here.events() if self._here is not None else ()
        tests = (e.expr for e in events if e.kind == "branch" and e.expr is not None)
        asked = [text(test.args[1]) for test in tests if test.name == "is_zero_pfn"]
        return any(entry in shown or "(" not in shown for shown in asked)

    def _close(self, state: _State, last: Event) -> None:
        for _, line in state.pending:
            silent = Silent(line, "an entry may be cleared without a notification")
            self.silent.add(silent)
            self._saw(silent, self._clears.get(line, last), last, True)

    def _other_call(
        self, state: _State, call: Expr, event: Event
    ) -> _State | tuple[Outcome[_State], ...]:
        for argument in call.args[1:]:
            target = bare(argument)
            if target.kind == "unary" and target.name == "&" and call.name in self.known:
                name = text(target.args[0])
                if any(key == name for key, _ in state.values) or name.endswith("pte"):
                    return self._out_parameter(state, call, name, argument)
        if state.open:
            self._check_call(call, event)
        for position, argument in enumerate(call.args[1:]):
            given = bare(argument)
            written = None
            if given.kind == "name" and call.name in self.known:
                written = written_members(self.known[call.name], position, self.known)
            if written is None:
                state = _forget(state, text(given), event.line, below=True)
            for member in sorted(written or ()):
                state = _forget(state, f"{given.name}->{member}", event.line)
        return state

    def _check_call(self, call: Expr, event: Event) -> None:
        fault = call_fault(call, self.known, frozenset())
        if fault:
            unknown = Silent(event.line, fault)
            self.unknown.add(unknown)
            self._saw(unknown, event, event, changes_untold(call.name, self.known))

    def _out_parameter(
        self, state: _State, call: Expr, name: str, argument: Expr
    ) -> tuple[Outcome[_State], ...]:
        """A call that fills ``name``: read-only on a return of 0, if its code says so."""
        function = self.known[call.name]
        position = call.args[1:].index(argument)
        read_only = position < len(function.params) and returns_read_only(
            function, function.params[position].name, self.known
        )
        lost = _forget(state, name, call.line)
        filled = _assigned(lost, name, Pte(f"{name}@{call.line}", write=READ_ONLY))
        if not read_only:
            return (Outcome(lost),)
        return (Outcome(filled, ZERO), Outcome(lost, NONZERO))


# --------------------------------------------------------------------------


def call_fault(call: Expr, known: Mapping[str, Function], seen: frozenset[str]) -> str:
    """Why a call may change entries of a section, or "" when it cannot."""
    name = call.name
    if not name:
        return "calls through a pointer, which may change entries"
    if name in seen:
        return ""
    function = known.get(name)  # a definition in the file is what is called, whatever its name
    if function is None and isinstance(known, Definitions) and name in known.macros:
        return _macro_fault(call, known, seen | {name})
    if function is None and (name in _harmless() or name.startswith(_SAYING)):
        return ""
    if function is None:
        return f"calls {name}(), which is not known to leave page-table entries alone"
    from patchgen.source.c.walk import calls

    stored = stored_by(function)
    if stored:
        return f"calls {name}(), which may set an entry (line {stored})"
    for inner in calls(function.body):
        if inner.name in names("entries", "clears") | names("entries", "sets"):
            return f"calls {name}(), which changes entries (line {inner.line})"
        if inner.name in names("entries", "notifies"):
            continue
        fault = call_fault(inner, known, seen | {name})
        if fault:
            return f"calls {name}(), which {fault} (line {inner.line})"
    return ""


def changes_untold(name: str, known: Mapping[str, Function]) -> bool:
    """Whether ``name`` and what it calls in the file change entries and never notify."""
    from patchgen.source.c.walk import calls

    reached, todo = {name}, [name]
    while todo:
        function = known.get(todo.pop())
        inner = {call.name for call in calls(function.body)} if function is not None else set()
        todo += inner - reached
        reached |= inner
    changes = names("entries", "clears") | names("entries", "sets")
    return bool(reached & changes) and not reached & names("entries", "notifies")


_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
#: Words of a macro's body that store, or hide what they do.
_STORES = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--|\basm\b|\b__asm__\b|##")


def _macro_fault(call: Expr, known: Definitions, seen: frozenset[str]) -> str:
    """Why a macro of the file may change entries, by what each of its bodies calls; or ""."""
    for body in known.macros[call.name]:
        if _STORES.search(body):
            return f"calls {call.name}(), a macro that stores something"
        for name in _CALLED.findall(body):
            inner = Expr("call", name, call.args[:1], call.span, call.line)
            fault = call_fault(inner, known, seen)
            if fault:
                return fault
    return ""


#: Traces and counters of events.
_SAYING = tuple(sorted(names("paths", "calls", "neutral_prefixes")))


def _harmless() -> frozenset[str]:
    table = load("entries")
    groups = ("same", "read_only", "writable", "maybe_writable", "fresh", "no_page", "loads",
              "equal", "write_tests")  # fmt: skip
    found = {name for group in groups for name in table[group]}
    found |= {name for group in table["leaves_alone"].values() for name in group}
    return frozenset(found | {*_START, *_END, "mmu_notifier_range_init"})


def returns_read_only(function: Function, parameter: str, known: Mapping[str, Function]) -> bool:
    """Whether ``*parameter`` holds a read-only entry whenever the function returns 0."""
    checker = EntryWalk(known, range_name="-")
    result = walk(function, checker)
    # A result that is not known may be 0.
    zero = [state for state, _, kind in checker.exits if kind != "failed"]
    if not result.complete or not zero:
        return False
    for state in zero:
        value = _lookup(state, f"*{parameter}")
        if not _is_read_only(state, value):
            return False
    return True


def read_only_at_callers(
    function: Function,
    need: str,
    known: Mapping[str, Function],
    seen: frozenset[str] = frozenset(),
) -> Evidence | None:
    """None when ``need`` (in terms of ``function``'s parameters) is read-only at every call.

    Else the call at which it is not known to be.  Callers are those of the same
    file; a function that is not static can have others, and is not followed.
    """
    from patchgen.source.c.walk import calls

    place = Place(function.path, function.line)
    if not function.static:
        return Evidence(place, f"{function.name}() may be called from other files")
    if function.name in seen:
        return None
    elsewhere = taken_elsewhere(function, known) or aliased(function, need)
    if elsewhere is not None:
        return elsewhere
    found = False
    callers = known.mentioning(function.name) if isinstance(known, Definitions) else known.values()
    for caller in callers:
        made = [*calls(caller.body, function.name)]
        if not made:
            continue
        found = True
        wanted = (_substituted(need, function, call) for call in made)
        alias = next((one for w in wanted if (one := aliased(caller, w)) is not None), None)
        if alias is not None:
            return alias
        fault = _fault_at(caller, function, need, known, seen | {function.name})
        if fault is not None:
            return fault
    return None if found else Evidence(place, f"no call of {function.name}() was found")


def _fault_at(
    caller: Function,
    function: Function,
    need: str,
    known: Mapping[str, Function],
    seen: frozenset[str],
) -> Evidence | None:
    checker = EntryWalk(known, range_name="-")
    faults: list[Evidence] = []
    upward: set[str] = set()
    names_of = {param.name for param in caller.params}

    def on_call(state: _State, call: Expr) -> None:
        if call.name != function.name:
            return
        wanted = _substituted(need, function, call)
        value = _lookup(state, wanted)
        if _is_read_only(state, value):
            return
        root = value.origin.lstrip("*").split("->")[0].split(".")[0]
        if value.exact and "@" not in value.origin and root in names_of:
            upward.add(value.origin)
            return
        where = Place(caller.path, call.line)
        faults.append(Evidence(where, f"{wanted} is not known to be read-only here"))

    checker.on_call = on_call
    result = walk(caller, checker)
    if not result.complete:
        return Evidence(Place(caller.path, caller.line), result.bounded or "not understood")
    if faults:
        return min(faults)
    for origin in sorted(upward):
        fault = read_only_at_callers(caller, origin, known, seen)
        if fault is not None:
            return fault
    return None


def written_members(
    function: Function,
    position: int,
    known: Mapping[str, Function],
    seen: frozenset[str] = frozenset(),
) -> frozenset[str] | None:
    """Members that a function may write through its pointer parameter; None: any.

    Any, when the pointer itself goes to where it cannot be followed: another
    variable, or a function that is not in ``known``.
    """
    if function.name in seen:
        return frozenset()
    if position >= len(function.params):
        return None
    name = function.params[position].name
    found: set[str] = set()
    through: set[int] = set()  # where the name is the base of an access
    from patchgen.source.c.walk import expressions

    for expr in expressions(function.body):
        if expr.kind == "arrow" and expr.args[0].kind == "name" and expr.args[0].name == name:
            through.add(expr.args[0].span.start)
        elif expr.kind == "call":
            for index, argument in enumerate(expr.args[1:]):
                given = bare(argument)
                if given.kind != "name" or given.name != name:
                    continue
                inner = known.get(expr.name)
                if inner is None:
                    return None
                below = written_members(inner, index, known, seen | {function.name})
                if below is None:
                    return None
                found |= below
                through.add(given.span.start)
        target = _written(expr)
        if target is not None:
            while target.kind in ("member", "index"):
                target = target.args[0]
            if target.kind == "arrow" and target.args[0].name == name:
                found.add(target.name)
    for expr in expressions(function.body):
        if expr.kind == "name" and expr.name == name and expr.span.start not in through:
            return None
    return frozenset(found)


def _written(expr: Expr) -> Expr | None:
    """The lvalue that an expression writes, or whose address it takes."""
    if expr.kind == "assign" or (
        expr.kind in ("postfix", "unary") and expr.name in ("++", "--", "&")
    ):
        return bare(expr.args[0])
    return None


def _substituted(need: str, function: Function, call: Expr) -> str:
    """``need`` with the function's parameter replaced by the call's argument."""
    for param, argument in zip(function.params, call.args[1:], strict=False):
        given = text(bare(argument))
        if need == param.name:
            return given
        for joint in ("->", "."):
            if need.startswith(param.name + joint):
                rest = need[len(param.name + joint) :]
                return f"{given[1:]}.{rest}" if given.startswith("&") else f"{given}{joint}{rest}"
        if need == f"*{param.name}":
            return given[1:] if given.startswith("&") else f"*{given}"
    return need


def _names_range(args: tuple[Expr, ...], range_name: str) -> bool:
    return bool(args) and text(bare(args[0])).lstrip("&") == range_name


def _lvalue(expr: Expr) -> str:
    expr = bare(expr)
    if expr.kind == "call" and expr.name in names("entries", "loads"):
        return f"*{text(expr.args[1])}"
    return text(expr)


def _made(expr: Expr) -> str:
    """The origin of a value that is computed here."""
    return f"{text(expr)}@{expr.line}"


def _is_read_only(state: _State, value: Pte) -> bool:
    return value.write == READ_ONLY or (value.write == UNKNOWN and value.origin in state.read_only)


def _lookup(state: _State, name: str) -> Pte:
    for key, value in state.values:
        if key == name:
            return value
    for stem, line in state.lost:
        if _leads_to(stem, name):
            return Pte(f"{name}@{line}")
    return Pte(name)


def _assigned(state: _State, name: str, value: Pte) -> _State:
    others = (item for item in state.values if item[0] != name)
    values = tuple(sorted((*others, (name, value)), key=lambda item: item[0]))
    return msgspec.structs.replace(state, values=values)


def _leads_to(stem: str, key: str) -> bool:
    """Whether ``key`` is read through ``stem``: ``vmf`` leads to ``*vmf->pte``."""
    trimmed = key.lstrip("*")
    return trimmed.startswith((f"{stem}->", f"{stem}.", f"{stem}[")) or (
        trimmed == stem and key != stem
    )


def _forget(state: _State, name: str, line: int, below: bool = False) -> _State:
    """What ``name`` leads to (and with ``below`` off ``name`` itself) has changed.

    Values that were read before keep their origin; a later read gets a new one.
    """
    stem = name.lstrip("&")
    if not stem.replace("_", "").replace("->", "").replace(".", "").replace("*", "").isalnum():
        return state
    itself = not below or name.startswith("&")
    values = tuple(
        (key, value)
        for key, value in state.values
        if not (_leads_to(stem, key) or (key == stem and itself))
    )
    lost = tuple(sorted((*(item for item in state.lost if item[0] != stem), (stem, line))))
    return msgspec.structs.replace(state, values=values, lost=lost)


def _with_read_only(state: _State, origin: str) -> _State:
    return msgspec.structs.replace(state, read_only=state.read_only | {origin})
