# SPDX-License-Identifier: GPL-2.0-only
"""The bases of all shared values: frozen, comparable, encodable; places and spans.

Every value can be printed, compared, hashed, pickled and encoded with msgspec (the
caches hold them as MessagePack).  Offsets are byte offsets into the file's bytes, lines
and columns count from 1, paths are relative to the tree's root with ``/`` between parts.
"""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=False):
    """Base of all shared values: frozen and ordered by declaration."""


class Span(Value, frozen=True, array_like=True, order=True):
    """Bytes ``start`` (inclusive) to ``end`` (exclusive) of one file."""

    start: int
    end: int

    def __contains__(self, offset: int) -> bool:
        return self.start <= offset < self.end


class Place(Value, frozen=True, array_like=True, order=True):
    """A line of a file, for people: ``path:line``."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class Evidence(Value, frozen=True, order=True):
    """A statement about the code and the place that shows it."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place} ({self.text})"


class Fact(Value, frozen=True, order=True):
    """Something of the tree that a yes rests on.

    ``code`` is what asked for it, ``place`` where it stands, ``read`` what was read there: a
    definition by its name, or a declaration as written.
    """

    code: str
    place: Place
    read: str

    def data(self) -> dict[str, str | int]:
        """The same as plain data."""
        where = self.place
        return {"code": self.code, "file": where.path, "line": where.line, "read": self.read}
