# SPDX-License-Identifier: GPL-2.0-only
"""Facts of one file under several configurations, as one.

What any configuration shows is there; a mention's state is the best that any
configuration gave it, and an inactive one names all that were tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from patchgen.cache import digest
from patchgen.model import Diagnostic, FileFacts, Mention

#: Better states first.
_ORDER = ("analysed", "declaration", "macro", "unparsed", "inactive")

T = TypeVar("T")


def merge(variants: Sequence[FileFacts]) -> FileFacts:
    """One value for a file; ``variants`` in order of preference, at least one."""
    first = variants[0]
    if len(variants) == 1:
        return first
    functions = _union((f for v in variants for f in v.functions), lambda f: f.span)
    return FileFacts(
        path=first.path,
        arch=first.arch,
        digest=digest(*(variant.digest for variant in variants)),
        functions=tuple(sorted(functions, key=lambda f: f.span)),
        ops=tuple(_union((t for v in variants for t in v.ops), lambda t: (t.name, t.span))),
        sites=tuple(_union((s for v in variants for s in v.sites), lambda s: s.span)),
        mentions=_mentions(variants),
        diagnostics=_diagnostics(variants),
        macros=tuple(dict.fromkeys(m for v in variants for m in v.macros)),
    )


def _union(items: Iterable[T], key: object) -> list[T]:
    found: dict[object, T] = {}
    for item in items:
        found.setdefault(key(item), item)  # type: ignore[operator]
    return list(found.values())


def _mentions(variants: Sequence[FileFacts]) -> tuple[Mention, ...]:
    best: dict[int, Mention] = {}
    tried: dict[int, list[str]] = {}
    for variant in variants:
        for mention in variant.mentions:
            if mention.state == "inactive":
                tried.setdefault(mention.offset, []).append(mention.detail)
            old = best.get(mention.offset)
            if old is None or _ORDER.index(mention.state) < _ORDER.index(old.state):
                best[mention.offset] = mention
    return tuple(
        msgspec.structs.replace(m, detail="; ".join(dict.fromkeys(tried[m.offset])))
        if m.state == "inactive"
        else m
        for _, m in sorted(best.items())
    )


def _diagnostics(variants: Sequence[FileFacts]) -> tuple[Diagnostic, ...]:
    return tuple(dict.fromkeys(d for variant in variants for d in variant.diagnostics))
