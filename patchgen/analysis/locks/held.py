# SPDX-License-Identifier: GPL-2.0-only
"""The balance of one path: what is held, how often, and what taking more of it means.

A key that ends in ``'`` is a lock whose name has come to mean another one since: a
variable in it was set anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

from patchgen.kernel.locks import Kind, kinds

#: (kind or "count", key, how often); a set is one path's balance.
Balance: TypeAlias = frozenset[tuple[str, str, int]]

NOTHING: Balance = frozenset()

#: How often one thing is counted as held: beyond it a loop goes round.
DEEPEST = 24

_COUNTER = Kind("", {}, nests=True)


def add(balance: Balance, kind: str, key: str, by: int) -> Balance:
    """The balance with ``by`` more of a kind (or "count") of one key."""
    kind = _same(balance, kind, key)
    if by < 0 and not _times(balance, kind, key) and _times(balance, kind, f"{key}'"):
        key = f"{key}'"
    most = 1 if key[-1:] == "'" else DEEPEST
    n = max(-most, min(most, _times(balance, kind, key) + by))
    rest = frozenset(entry for entry in balance if entry[:2] != (kind, key))
    return rest | {(kind, key, n)} if n else rest


def _times(balance: Balance, kind: str, key: str) -> int:
    return next((n for k, name, n in balance if k == kind and name == key), 0)


def _same(balance: Balance, kind: str, key: str) -> str:
    """The kind under which the lock is held, where a kind is one of several."""
    for held, name, _ in balance:
        if name == key and held != kind and (kind in _either(held) or held in _either(kind)):
            return held
    return kind


def _either(kind: str) -> tuple[str, ...]:
    return kinds().get(kind, _COUNTER).either


def conflict(balance: Balance, kind: str, key: str) -> str:
    """The kind under which a lock is held that cannot be taken as ``kind`` then, or ""."""
    known = kinds()[kind]
    if known.nests:
        return ""
    held = {k for k, name, n in balance if name == key and n > 0}
    if known.exclusive and (kind in held or _same(balance, kind, key) in held):
        return _same(balance, kind, key)
    return known.with_ if known.with_ in held else ""


def renamed(balance: Balance, variables: Iterable[str]) -> Balance:
    """The balance after variables were set: locks that they lead to are other ones now."""
    word = _word(frozenset(variables))
    for _, key, _ in balance:
        if word.search(key):
            break
    else:
        return balance
    changed: Balance = NOTHING
    for kind, key, n in sorted(balance):
        old = kind != "count" and key[-1:] != "'" and word.search(key) is not None
        new = f"{key}'" if old else key
        changed = add(changed, kind, new, n)
    return changed


@cache
def _word(variables: frozenset[str]) -> re.Pattern[str]:
    """One of some variables at the beginning of what leads to an object."""
    return re.compile(rf"(?<![\w.>])(?:{'|'.join(map(re.escape, sorted(variables)))})\b")


def shown(kind: str, key: str) -> str:
    """For messages: ``d->lock (mutex)``, ``interrupts disabled``."""
    return kinds()[kind].shown or f"{key.rstrip(chr(39))} ({kind})"
