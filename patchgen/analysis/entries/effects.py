# SPDX-License-Identifier: GPL-2.0-only
"""What one function does to page table entries.

A store is told apart by where its value comes from: the calls that the value
went through, followed through the function's variables of an entry's type.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from patchgen.analysis.values.kept import Kept
from patchgen.kernel.knowledge import load
from patchgen.model.base import Place, Span, Value
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text

VMA = "struct vm_area_struct *"
#: What happens to an entry.  "kept" alters bits or puts the old value back, "cleaned"
#: takes the dirty bit from it; in "unknown" code anything may happen.
KINDS = (
    "soft-dirty", "pgprot", "protect", "moved", "removed", "replaced", "cleaned", "kept", "unknown",
)  # fmt: skip


class Primitives(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of ``knowledge/section_effects.toml``."""

    store: dict[str, tuple[int, int]]
    populate: dict[str, tuple[int, int]]
    clear: dict[str, int]
    protect: dict[str, int]
    value: dict[str, frozenset[str]]
    types: dict[str, frozenset[str]]
    gather_type: str
    tables_freed: frozenset[str]
    vma_freed: frozenset[str]


class Effect(Value, frozen=True, order=True):
    """One change of an entry: its kind, and the place and call that make it."""

    kind: str
    place: Place
    text: str


@cache
def primitives() -> Primitives:
    """The primitives, read once."""
    data = dict(load("section_effects"))
    gather = dict(data.pop("gather"))
    data |= {"gather_type": gather.pop("type"), **gather}
    return msgspec.convert(data, Primitives)


def calls(function: Function, span: Span | None = None) -> Iterator[Expr]:
    """The calls of a function by name; only those that lie in ``span``, if given."""
    for expr in _all_calls(function):
        if span is None or expr.span.start in span:
            yield expr


#: Calls by the function's identity; the function is kept, so that its id stays its own.
_CALLS: dict[int, tuple[Function, tuple[Expr, ...]]] = {}
_CALLS_LIMIT = 50_000


def _all_calls(function: Function) -> tuple[Expr, ...]:
    known = _CALLS.get(id(function))
    if known is None:
        if len(_CALLS) > _CALLS_LIMIT:
            _CALLS.clear()
        found = (e for e in every(function.body) if e.kind == "call" and e.name)
        known = _CALLS[id(function)] = (function, tuple(found))
    return known[1]


def argument(call: Expr, index: int) -> Expr | None:
    """Argument ``index`` of a call (from 0; -1 the last), without casts; None if it has fewer."""
    at = index + 1 if index >= 0 else len(call.args) + index
    return bare(call.args[at]) if 0 < at < len(call.args) else None


def vma_variables(function: Function) -> frozenset[str]:
    """Parameters and variables of ``function`` that point to a vma."""
    found = {param.name for param in function.params if param.type == VMA}
    for stmt in statements(function.body):
        if isinstance(stmt, Decl):
            found |= {variable.name for variable in stmt.variables if variable.type == VMA}
    return frozenset(found)


def effects(function: Function, span: Span, foreign: frozenset[str]) -> tuple[Effect, ...]:
    """What the code of ``function`` in ``span`` does itself, calls not followed.

    ``foreign`` are variables that hold another process's mm: what is done to that
    one is not this section's matter.
    """
    known = primitives()
    here = [
        call
        for call in calls(function, span)
        if not any(text(bare(arg)) in foreign for arg in call.args[1:])
    ]
    origins = _origins(function)
    cleared = {_pointer(call, known.clear[call.name]) for call in here if call.name in known.clear}
    stored = set()
    found: list[Effect] = []
    for call in here:
        place = Place(function.path, call.line)
        if call.name in known.store:
            at, value = known.store[call.name]
            stored.add(_pointer(call, at))
            kind = _store(call, at, argument(call, value), origins, cleared, function)
            found.append(Effect(kind, place, call.name))
        elif (
            call.name in known.populate and _pointer(call, known.populate[call.name][0]) in cleared
        ):
            stored.add(_pointer(call, known.populate[call.name][0]))
            found.append(Effect("replaced", place, call.name))
        elif call.name in known.protect:
            found.append(Effect("protect", place, call.name))
    for call in here:
        if call.name in known.clear and _pointer(call, known.clear[call.name]) not in stored:
            found.append(Effect("removed", Place(function.path, call.line), call.name))
    return tuple(found)


def stores(function: Function, span: Span) -> Iterator[tuple[Expr, str]]:
    """The stores in ``span``, and what each writes: "kept", "new" or "changed".

    Only what the function assigns above the store counts: "kept" is the old entry
    as it was read, "new" has another page, "changed" other bits.
    """
    known = primitives()
    for call in calls(function, span):
        if call.name not in known.store:
            continue
        at, index = known.store[call.name]
        value = argument(call, index)
        made = list(_Origins(function, call.span.start).of(value)) if value is not None else []
        through = {expr.name for expr in made if expr.kind == "call"}
        if through & (known.value["new"] | known.value["swap"]):
            yield call, "new"
        elif through <= set(known.clear) and _pointer(call, at) in set(map(_read_from, made)):
            yield call, "kept"
        else:
            yield call, "changed"


def _pointer(call: Expr, index: int) -> str:
    found = argument(call, index)
    return text(found) if found is not None else ""


def _store(
    call: Expr,
    at: int,
    value: Expr | None,
    origins: _Origins,
    cleared: set[str],
    function: Function,
) -> str:
    known = primitives().value
    if call.name.endswith("_notify") or value is None:
        # change_pte() hands the new entry to the secondary MMU: to it, a replacement.
        return "replaced"
    made = list(origins.of(value))
    through = {expr.name for expr in made if expr.kind == "call"}
    if through & known["soft_dirty"]:
        return "soft-dirty"
    if any(expr.name in known["modify"] and _by_pgprot(expr, function) for expr in made):
        return "pgprot"
    if through & known["new"]:
        return "replaced"
    if through & known["read_only_swap"]:
        return "protect"
    if through & known["swap"]:
        return "replaced"
    if through & known["wrprotect"]:
        return "protect"
    pointer = _pointer(call, at)
    sources = {source for source in map(_read_from, made) if source}
    if sources & cleared - {pointer}:
        return "moved"
    if pointer not in sources:
        return "replaced"
    return "cleaned" if through & known["clean"] else "kept"


def _by_pgprot(modify: Expr, function: Function) -> bool:
    protection = argument(modify, 1)
    types = {param.name: param.type for param in function.params}
    return protection is not None and types.get(root(protection)) == "pgprot_t"


def _read_from(expr: Expr) -> str:
    """The entry's pointer that ``expr`` reads: ``*p`` or a call given ``p``."""
    known = primitives()
    if expr.kind == "unary" and expr.name == "*":
        return text(bare(expr.args[0]))
    if expr.kind == "call" and expr.name in known.clear:
        return _pointer(expr, known.clear[expr.name])
    if expr.kind == "call" and expr.name in ("huge_ptep_get", "READ_ONCE", "ptep_get"):
        return _pointer(expr, 0).removeprefix("*")
    return ""


class _Origins:
    """Which expressions a value may come from, within one function.

    With ``before``, only assignments above that offset count.
    """

    def __init__(self, function: Function, before: int | None = None) -> None:
        entry = primitives().types["entry"]
        limit = function.span.end if before is None else before
        self._given: dict[str, list[Expr]] = {}
        for stmt in statements(function.body):
            if isinstance(stmt, Decl):
                for variable in stmt.variables:
                    if variable.type.removeprefix("const ") in entry:
                        given = self._given.setdefault(variable.name, [])
                        given += [variable.init] if variable.init is not None else []
        for param in function.params:
            if param.type in entry:
                self._given.setdefault(param.name, [])
        for expr in every(function.body):
            if expr.span.start >= limit:
                continue
            if expr.kind == "assign" and expr.args[0].kind == "name":
                if expr.args[0].name in self._given:
                    self._given[expr.args[0].name].append(expr.args[1])
            elif expr.kind == "call":
                for arg in expr.args[1:]:
                    if arg.kind == "unary" and arg.name == "&" and root(arg) in self._given:
                        self._given[root(arg)].append(expr)

    def of(self, value: Expr) -> Iterator[Expr]:
        """``value``'s parts, and those of the variables in it, transitively."""
        seen: set[str] = set()
        pending = [value]
        while pending:
            for part in subexpressions(pending.pop()):
                yield part
                if part.kind == "name" and part.name in self._given and part.name not in seen:
                    seen.add(part.name)
                    pending += self._given[part.name]


_origins = Kept(_Origins)
