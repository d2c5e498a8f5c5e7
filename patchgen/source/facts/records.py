# SPDX-License-Identifier: GPL-2.0-only
"""Results of parses in the cache, by all that they rest on.

By a key (configuration, path and content of a file) the lists are found of what its parses
read and did not find; with the contents of the files of one of these the result.
"""

from __future__ import annotations

import msgspec

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.source.clang.looks import Absent, Seen
from patchgen.source.facts.digests import Digests, Overrides

#: A file has as many records as there were states of its headers; the last ones are kept.
_KEPT = 8


class _Record(msgspec.Struct, array_like=True, frozen=True):
    files: tuple[str, ...]
    absent: tuple[Absent, ...]


def recall(kind: str, key: str, digests: Digests, overrides: Overrides) -> bytes | None:
    """What was stored for a state that looks like this one to the same parse."""
    lacks = digests.lacks(overrides)
    for record in _records(key):
        if not all(lacks(one.folder, one.names) for one in record.absent):
            continue
        try:
            found = memo.read(kind, _identity(key, record, digests, overrides))
        except UserError:
            continue  # what was included once is no file now
        if found is not None:
            return found
    return None


def remember(
    kind: str, key: str, seen: Seen, digests: Digests, overrides: Overrides, data: bytes
) -> None:
    """Store the result of a parse that is settled."""
    record = _record(seen)
    memo.write(kind, _identity(key, record, digests, overrides), data)
    known = _records(key)
    if record not in known:
        memo.remember("includes", key, (record, *known)[:_KEPT])


def identity(key: str, seen: Seen, digests: Digests, overrides: Overrides) -> str:
    """A name for the result: the same for the same of everything it rests on."""
    return _identity(key, _record(seen), digests, overrides)


def _identity(key: str, record: _Record, digests: Digests, overrides: Overrides) -> str:
    absent = "\0".join(part for one in record.absent for part in (one.folder, *one.names, ""))
    return memo.digest(key, digests.combined(record.files, overrides), absent)


def _record(seen: Seen) -> _Record:
    return _Record(tuple(sorted((*seen.files, *seen.given))), seen.absent)


def _records(key: str) -> tuple[_Record, ...]:
    known: tuple[_Record, ...] | None = memo.recall("includes", key, tuple[_Record, ...])
    return known or ()
