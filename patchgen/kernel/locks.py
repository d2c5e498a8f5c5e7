# SPDX-License-Identifier: GPL-2.0-only
"""Locks and all else that may be held or disabled: ``locks.toml``, typed.

A misspelt key or word, a call that stands twice, or a guard of an unknown call is an
error when the table is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

#: When a call takes its lock: in any case, if it returns non-zero, or if it returns zero.
ALWAYS, IF_TRUE, IF_ZERO = "always", "true", "zero"

_WHEN = {"take": ALWAYS, "drop": ALWAYS, "try": IF_TRUE, "wait": IF_ZERO}
_ALSO = frozenset({"irq", "bh", "preempt"})


class TableError(ValueError):
    """The table does not say what it may say; the text names the entry."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """A kind of thing that is held; see the head of ``locks.toml``."""

    header: str
    calls: dict[str, str]
    atomic: bool = False
    exclusive: bool = False
    with_: str = ""
    nests: bool = False
    fixed: bool = False
    either: tuple[str, ...] = ()
    transfers: bool = False
    shown: str = ""


class LockCall(msgspec.Struct, frozen=True):
    """What a call does: it takes or drops ``kind``, and ``also`` disables or enables.

    ``argument`` (from 0) is the lock or, with ``member``, holds it; ``becomes`` is the
    kind that a drop leaves held instead.
    """

    kind: str
    acquires: bool
    when: str
    argument: int = 0
    member: str = ""
    also: tuple[str, ...] = ()
    becomes: str = ""
    sleeps: bool = False
    signal: bool = False
    thrice: bool = False
    atomic: bool = False
    fixed: bool = False


class Release(msgspec.Struct, frozen=True):
    """A call that may call ``function`` (arguments from 0), with ``lock`` taken by ``call``."""

    function: int
    lock: int = -1
    call: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: dict[str, Kind]
    guards: dict[str, str]
    releases: dict[str, dict[str, int | str]]


def parse(data: bytes) -> _Table:
    """The table as written, checked; TableError or msgspec.ValidationError says where not."""
    table = msgspec.toml.decode(data, type=_Table)
    seen: dict[str, str] = {}
    for name, kind in table.kind.items():
        for other in filter(None, (kind.with_, *kind.either)):
            if other not in table.kind:
                raise TableError(f"kind {name}: no kind '{other}'")
        for call, words in kind.calls.items():
            if call in seen:
                raise TableError(f"{call}: in kind {seen[call]} and in kind {name}")
            seen[call] = name
            _call(name, kind, call, words, table.kind)
    for guard, pair in table.guards.items():
        unknown = [call for call in pair.split() if call not in seen]
        if unknown or len(pair.split()) != 2:
            raise TableError(f"guard {guard}: '{pair}' is no call that takes and one that drops")
    for call, keys in table.releases.items():
        _release(call, keys, seen)
    return table


def _call(name: str, kind: Kind, call: str, words: str, kinds: dict[str, Kind]) -> LockCall:
    main = [word for word in words.split() if word in _WHEN]
    becomes = next((w[8:].replace("_", " ") for w in words.split() if w.startswith("becomes:")), "")
    if len(main) != (0 if becomes else 1) or (becomes and becomes not in kinds):
        raise TableError(f"{call}: '{words}' says not what it does")
    also: list[str] = []
    argument, member = 0, ""
    flags: set[str] = set()
    for word in words.split():
        if word in main or word.startswith("becomes:"):
            continue
        if word in _ALSO:
            also.append(word)
        elif word in ("sleeps", "signal", "thrice"):
            flags.add(word)
        elif word[:1] == "@" and word[1:].isdigit():
            argument = int(word[1:])
        elif word.startswith("in:"):
            member = word[3:]
        else:
            raise TableError(f"{call}: the word '{word}' means nothing")
    what = main[0] if main else "drop"
    return LockCall(
        name, what != "drop", _WHEN[what], argument, member, tuple(also),
        becomes, "sleeps" in flags, "signal" in flags, "thrice" in flags, kind.atomic, kind.fixed,
    )  # fmt: skip


def _release(call: str, keys: dict[str, int | str], calls: dict[str, str]) -> Release:
    extra = keys.keys() - {"function", "lock", "call"}
    taken = str(keys.get("call", ""))
    if extra or not isinstance(keys.get("function"), int) or (taken and taken not in calls):
        raise TableError(f"releases {call}: {keys}")
    return Release(int(keys["function"]), int(keys.get("lock", -1)), taken)


@cache
def _table() -> _Table:
    return parse(Path(__file__).with_suffix(".toml").read_bytes())


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by name."""
    return _table().kind


@cache
def primitives() -> dict[str, LockCall]:
    """Every primitive by the name of its function or macro."""
    return dict(_primitives())


def _primitives() -> Iterator[tuple[str, LockCall]]:
    for name, kind in kinds().items():
        for call, words in kind.calls.items():
            yield call, _call(name, kind, call, words, kinds())


@cache
def guards() -> dict[str, tuple[str, str]]:
    """By class of guard(): the call that takes, and the one that drops."""
    return {name: (pair.split()[0], pair.split()[1]) for name, pair in _table().guards.items()}


@cache
def releases() -> dict[str, Release]:
    """Calls that call a function with the last reference."""
    return {call: _release(call, keys, primitives_of()) for call, keys in _table().releases.items()}


@cache
def primitives_of() -> dict[str, str]:
    """The kind of each primitive."""
    return {call: found.kind for call, found in primitives().items()}


@cache
def atomic_kinds() -> frozenset[str]:
    """Kinds whose holder must not sleep."""
    return frozenset(name for name, kind in kinds().items() if kind.atomic)


@cache
def transferable() -> dict[str, frozenset[str]]:
    """Kinds that other code may drop, with the names of the calls that do."""
    return {
        name: frozenset(call for call in kind.calls if not primitives()[call].acquires)
        for name, kind in kinds().items()
        if kind.transfers
    }
