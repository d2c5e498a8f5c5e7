# SPDX-License-Identifier: GPL-2.0-only
"""Sources through which a header is parsed: a header alone is no translation unit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.source.config.arch import ARCHES
from patchgen.source.facts.state import TreeState
from patchgen.verify.holding import files_with

_DEEPEST = 3  # headers that include the header that includes ...


def arch_of_header(path: str) -> str | None:
    """The architecture that a header below arch/ is of; "" for one of all; None: not known."""
    parts = path.split("/")
    if parts[0] != "arch" or len(parts) < 3:
        return ""
    return parts[1] if parts[1] in ARCHES else None


def includers(state: TreeState, header: str) -> Iterator[str]:
    """Sources that may include ``header``, the likeliest first; each once."""
    seen: set[str] = set()
    layer = [header]
    for depth in range(_DEEPEST):
        through: list[str] = []
        for target in layer:
            for path in _direct(state, target, whole=depth == 0):
                if path in seen:
                    continue
                seen.add(path)
                if path.endswith(".c"):
                    yield path
                else:
                    through.append(path)
        layer = through


def _direct(state: TreeState, header: str, whole: bool) -> Iterator[str]:
    """Files with an ``#include`` of this name: those that mention the API, then all."""
    name = header.rpartition("/")[2].encode()
    pattern = re.compile(
        rb"^[ \t]*#[ \t]*include[ \t]*[<\"](?:[^>\"\n]*/)?%s[>\"]" % re.escape(name), re.M
    )
    known = [p for p in state.candidates() if pattern.search(state.read(p) or b"")]
    yield from _ranked(header, known)
    if not known or whole:
        found = files_with(state, [name.decode("utf-8", "surrogateescape")])
        more = [p for paths in found.values() for p in paths if p not in known]
        yield from _ranked(header, [p for p in more if pattern.search(state.read(p) or b"")])


def _ranked(header: str, paths: list[str]) -> list[str]:
    folders = header.split("/")[:-1]

    def distance(path: str) -> tuple[int, bool, str]:
        shared = 0
        for one, other in zip(folders, path.split("/")[:-1], strict=False):
            if one != other:
                break
            shared += 1
        return -shared, not path.endswith(".c"), path

    return sorted(paths, key=distance)
