# SPDX-License-Identifier: GPL-2.0-only
"""Results that rest on the files that were read for them, in the cache by their contents."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from patchgen import memo
from patchgen.model.outcome import UserError

#: A key has as many lists of files as there were states that asked for others.
_KEPT = 8


class Reads:
    """One result of the ``kind`` for ``key``, and the files it asks for.

    ``read`` gives a file's bytes, None where there is none; what is in ``covered`` is part
    of the key already.
    """

    def __init__(
        self,
        kind: str,
        key: str,
        read: Callable[[str], bytes | None],
        covered: Container[str] = (),
    ) -> None:
        self._kind = kind
        self._key = key
        self._read = read
        self._covered = covered
        self._seen: dict[str, None] = {}

    def read(self, path: str) -> bytes | None:
        """A file's bytes, for the result."""
        if path not in self._covered:
            self._seen[path] = None
        return self._read(path)

    def recall(self, type: Any) -> Any:
        """The stored result for the present contents of all that it asked for, or None."""
        for paths in self._known():
            try:
                found = memo.recall(self._kind, self._identity(paths), type)
            except UserError:
                continue  # what was asked for once is no file now
            if found is not None:
                return found
        return None

    def remember(self, value: Any) -> None:
        """Store the result.  Nothing is where a file cannot be read, or changed meanwhile."""
        paths = tuple(sorted(self._seen))
        try:
            identity = self._identity(paths)
        except UserError:
            return
        memo.remember(self._kind, identity, value)
        known = self._known()
        if paths not in known:
            memo.remember(f"{self._kind}-reads", self._key, (paths, *known)[:_KEPT])

    def _known(self) -> tuple[tuple[str, ...], ...]:
        known = memo.recall(f"{self._kind}-reads", self._key, tuple[tuple[str, ...], ...])
        return known or ()

    def _identity(self, paths: tuple[str, ...]) -> str:
        parts: list[str] = []
        for path in paths:
            data = self._read(path)
            parts += (path, "" if data is None else memo.digest(data))
        return memo.digest(self._key, *parts)
