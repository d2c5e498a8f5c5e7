# SPDX-License-Identifier: GPL-2.0-only
"""What each operation and condition of the vocabulary means for the variables.

The pages are A, the page whose event is looked into, and B, another one.  A mapping
of A (primary PTE, SPTE, TLB entry, pfn cache) is 0 for none, 1 and 2 for the old frame
read-only and writable, 3 and 4 for the new frame.  Of B it is kept only whether the
SPTE is there.  ``old`` is 0 for a live frame, 1 once its content was taken over, 2
when it was freed and may be somebody else's.  ``late`` tells that A's SPTE was installed by
a fault that had looked the page up before its primary PTE was cleared.
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.model.base import Value
from patchgen.proof.extract.program import Node
from patchgen.proof.system.system import Literal, Update

NONE, OLD_RO, OLD_RW, NEW_RO, NEW_RW = range(5)
LIVE, TAKEN, GONE = range(3)

#: Alternatives: (what must hold, what changes).
Alternatives = tuple[tuple[tuple[Literal, ...], tuple[Update, ...]], ...]

#: What an operation or condition touches that others see; the rest is private, or (as
#: reading the primary PTE under the page-table lock) cannot change at that moment.
TOUCHES = {
    "bump_seq": "seq",
    "stale": "seq",
    "sample": "sample",
    "raise_count": "count",
    "lower_count": "count",
    "in_progress": "count",
    "retry_count": "count",
    "raise_active": "active",
    "lower_active": "active",
    "active": "active",
    "deferred": "deferred",
    "mark_dirty": "deferred",
    "present": "spte",
    "writable": "spte",
    "lookup_current": "spte",
    "drop_spte": "mapping",
    "clear_spte": "mapping",
    "set_spte": "mapping",
    "protect_spte": "mapping",
    "install": "mapping",
    "flush": "tlb",
    "flush_page": "tlb",
    "fill_tlb": "tlb",
    "invalidate_cache": "cache",
    "validate_cache": "cache",
    "cache_valid": "cache",
    "clear_pte": "pte",
    "set_pte": "pte",
    "protect_pte": "pte",
    "restore_pte": "pte",
    "lookup": "pte",
    "no_page": "pte",
    "slot_invalid": "slot",
    "invalidate_slot": "slot",
    "synchronize": "slot",
    "free_old": "frame",
    "free_new": "frame",
    "take": "frame",
    "host_write": "frame",
}


class Scope(Value, frozen=True):
    """Whose operation it is: its process's variables and its event.

    ``studied`` marks the process whose event is looked into (O1 is about it),
    ``suffix`` ends the names of its own variables, ``before`` and ``after`` are the
    primary PTE's mappings of A around its event.  ``samplers`` are the suffixes of all
    processes that sample the sequence; ``ranges`` tells that the invalidation count
    comes with a range.
    """

    holder: int
    suffix: str
    studied: bool
    before: int
    after: int
    samplers: tuple[str, ...]
    ranges: bool


def _set(name: str, value: int) -> Update:
    return Update(name, "set", value)


def _is(name: str, value: int) -> Literal:
    return Literal(name, value)


def _not(name: str, value: int) -> Literal:
    return Literal(name, value, True)


def spte(page: str) -> str:
    """The variable of a page's SPTE."""
    return f"spte_{page}"


def read_only(mapping: int) -> int:
    """The read-only mapping of the same frame."""
    return {OLD_RW: OLD_RO, NEW_RW: NEW_RO}.get(mapping, mapping)


def operation(node: Node, scope: Scope) -> Alternatives:
    """What a "do" node does, as guarded alternatives; none is a wait."""
    handler = _OPERATIONS.get(node.what)
    if handler is not None:
        return handler(node, scope)
    return (((), _PLAIN[node.what]),)


def condition(
    node: Node, scope: Scope
) -> tuple[tuple[tuple[Literal, ...], ...], tuple[tuple[Literal, ...], ...]]:
    """The alternatives under which a "test" node answers yes, and those for no."""
    name = node.what
    if name in ("either", "choice"):
        return ((),), ((),)
    if name == "retry_count":
        if not scope.ranges:
            return ((_not("count", 0),),), ((_is("count", 0),),)
        ranged = f"range_{node.page}"
        return (
            ((_not("count", 0), _is(ranged, 1)),),
            ((_is("count", 0),), (_not("count", 0), _is(ranged, 0))),
        )
    if name == "pte_old":
        return (
            ((_is("pte", OLD_RO),), (_is("pte", OLD_RW),)),
            ((_is("pte", NEW_RO),), (_is("pte", NEW_RW),)),
        )
    if name == "writable" and node.page == "A":
        return (
            ((_is("spte_A", OLD_RW),), (_is("spte_A", NEW_RW),)),
            ((_not("spte_A", OLD_RW), _not("spte_A", NEW_RW)),),
        )
    if name == "lookup_current":
        if node.page == "B":
            return (((_is("spte_B", 1),),), ((_is("spte_B", 0),),))
        same = Literal(spte(node.page), other=f"looked{scope.suffix}")
        return ((same,),), ((Literal(same.variable, 0, True, same.other),),)
    literal = {
        "in_progress": _not("count", 0),
        "active": _not("active", 0),
        "slot_invalid": _is("invalid", 1),
        "deferred": _is("dirty", 1),
        "present": _not(spte(node.page), 0),
        "writable": _not(spte(node.page), 0),
        "pte_expected": _is("pte", scope.before),
        "pte_none": _is("pte", NONE),
        "stale": _is(f"stale{scope.suffix}", 1),
        "cache_valid": _not("cache", 0),
    }[name]
    return ((literal,),), ((Literal(literal.variable, literal.value, not literal.negated),),)


_PLAIN: dict[str, tuple[Update, ...]] = {
    "is_flagged": (),
    "invalidate_slot": (_set("invalid", 1),),
    "flush": (_set("tlb", NONE), _set("dirty", 0)),
    "mark_dirty": (_set("dirty", 1),),
    "raise_active": (Update("active", "add", 1),),
    "srcu_enter": (Update("srcu", "add", 1),),
    "free_old": (_set("old", GONE),),
    "free_new": (_set("new", 1),),
}


def _lock(node: Node, scope: Scope) -> Alternatives:
    lock = f"lock_{node.arg}"
    return (((_is(lock, 0),), (_set(lock, scope.holder),)),)


def _unlock(node: Node, scope: Scope) -> Alternatives:
    lock = f"lock_{node.arg}"
    return (
        ((_is(lock, scope.holder),), (_set(lock, 0),)),
        ((_not(lock, scope.holder),), (_set("unbalanced", 1),)),
    )


def _lower(name: str) -> Alternatives:
    return (
        ((_not(name, 0),), (Update(name, "add", -1),)),
        ((_is(name, 0),), (_set("unbalanced", 1),)),
    )


def _raise_count(node: Node, scope: Scope) -> Alternatives:
    up = Update("count", "add", 1)
    if not scope.ranges:
        return (((), (up,)),)
    mine, other = ("range_A", "range_B") if node.page == "A" else ("range_B", "range_A")
    return (
        ((_is("count", 0),), (_set("count", 1), _set(mine, 1), _set(other, 0))),
        ((_not("count", 0),), (up, _set(mine, 1))),
    )


def _bump_seq(node: Node, scope: Scope) -> Alternatives:
    moved = tuple(Update(f"stale{s}", "or", other=f"sampled{s}") for s in scope.samplers)
    return (((), moved),)


def _remove(node: Node, scope: Scope) -> Alternatives:
    gone: tuple[Update, ...] = (_set(spte(node.page), NONE),)
    if node.page == "A":
        gone += (_set("late", 0),)
    if scope.studied:
        gone += (_set("lost", 1),)
    return (((), gone),)


def _set_spte(node: Node, scope: Scope) -> Alternatives:
    new = read_only(scope.after) if node.page == "A" else 1
    made: tuple[Update, ...] = (_set(spte(node.page), new),)
    if scope.studied:
        made += (_set("lost", 0),)
    return (((), made),)


def _protect(node: Node, scope: Scope) -> Alternatives:
    name = spte(node.page)
    if node.page == "B":
        return (((), ()),)
    return (
        ((_is(name, OLD_RW),), (_set(name, OLD_RO),)),
        ((_is(name, NEW_RW),), (_set(name, NEW_RO),)),
        ((_not(name, OLD_RW), _not(name, NEW_RW)), ()),
    )


def _flush_page(node: Node, scope: Scope) -> Alternatives:
    # The watched TLB entry is one of A's.
    return (((), (_set("tlb", NONE),) if node.page == "A" else ()),)


def _invalidate_cache(node: Node, scope: Scope) -> Alternatives:
    return (((), (_set("cache", NONE),) if node.page == "A" else ()),)


def _sample(node: Node, scope: Scope) -> Alternatives:
    own = (_set(f"sampled{scope.suffix}", 1), _set(f"stale{scope.suffix}", 0))
    quiet = f"quiet{scope.suffix}"
    return (
        ((_is("running", 0),), (*own, _set(quiet, 1))),
        ((_not("running", 0),), (*own, _set(quiet, 0))),
    )


def _lookup(node: Node, scope: Scope) -> Alternatives:
    looked = f"looked{scope.suffix}"
    fresh = _set(f"outdated{scope.suffix}", 0)
    if node.arg == "writable":
        return tuple(((_is("pte", m),), (_set(looked, m), fresh)) for m in (OLD_RW, NEW_RW))
    return (((_not("pte", NONE),), (Update(looked, "copy", other="pte"), fresh)),)


def _no_page(node: Node, scope: Scope) -> Alternatives:
    return (((_is("pte", NONE), _is("lock_ptl", 0)), ()),)


def _install(node: Node, scope: Scope) -> Alternatives:
    if node.page == "B":
        return (((), (_set("spte_B", 1),)),)
    mapped = Update("spte_A", "copy", other=f"looked{scope.suffix}")
    return (((), (mapped, Update("late", "copy", other=f"outdated{scope.suffix}"))),)


def _clear_pte(node: Node, scope: Scope) -> Alternatives:
    outdated = tuple(Update(f"outdated{s}", "or", other=f"sampled{s}") for s in scope.samplers)
    return (((), (_set("pte", NONE), *outdated)),)


def _reset(scope: Scope) -> tuple[Update, ...]:
    return tuple(
        _set(f"{name}{scope.suffix}", 0)
        for name in ("sampled", "stale", "quiet", "looked", "outdated")
    )


def _give_up(node: Node, scope: Scope) -> Alternatives:
    # At rest nothing changes any more: a fault that began there will be told to try
    # again for ever.
    quiet = f"quiet{scope.suffix}"
    return (
        ((_is(quiet, 1),), (_set("stuck", 1), *_reset(scope))),
        ((_is(quiet, 0),), _reset(scope)),
    )


_OPERATIONS: dict[str, Callable[[Node, Scope], Alternatives]] = {
    "lock": _lock,
    "unlock": _unlock,
    "srcu_leave": lambda node, scope: _lower("srcu"),
    "lower_count": lambda node, scope: _lower("count"),
    "lower_active": lambda node, scope: _lower("active"),
    "raise_count": _raise_count,
    "bump_seq": _bump_seq,
    "drop_spte": _remove,
    "clear_spte": _remove,
    "set_spte": _set_spte,
    "clear_pte": _clear_pte,
    "protect_spte": _protect,
    "flush_page": _flush_page,
    "invalidate_cache": _invalidate_cache,
    "begin_section": lambda node, scope: (((), (_set(f"section{scope.suffix}", 1),)),),
    "end_section": lambda node, scope: (
        ((), (_set(f"section{scope.suffix}", 0), *((_set("lost", 0),) if scope.studied else ()))),
    ),
    "set_pte": lambda node, scope: (((), (_set("pte", scope.after),)),),
    "protect_pte": lambda node, scope: (((), (_set("pte", scope.after),)),),
    "restore_pte": lambda node, scope: (((), (_set("pte", scope.before),)),),
    "take": lambda node, scope: (
        ((_is("old", LIVE),), (_set("old", TAKEN),)),
        ((_not("old", LIVE),), ()),
    ),
    "host_write": lambda node, scope: (
        ((_is("pte", NEW_RW), _is("differs", 0)), (_set("differs", 1),)),
    ),
    "sample": _sample,
    "lookup": _lookup,
    "no_page": _no_page,
    "install": _install,
    "give_up": _give_up,
    "complete": lambda node, scope: (((), _reset(scope)),),
    "fill_tlb": lambda node, scope: (
        (
            (_is("tlb", NONE), _not("spte_A", NONE)),
            (Update("tlb", "copy", other="spte_A"),),
        ),
    ),
    "synchronize": lambda node, scope: (
        ((_is("srcu", 0), *(_is(f"sampled{s}", 0) for s in scope.samplers)), ()),
    ),
    "validate_cache": lambda node, scope: (
        ((), (Update("cache", "copy", other=f"looked{scope.suffix}"),)),
    ),
    "finish": lambda node, scope: (((), (Update("running", "add", -1),)),),
}
