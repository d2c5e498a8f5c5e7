# SPDX-License-Identifier: GPL-2.0-only
"""Facts of one file under several configurations, as one.

What any configuration shows is there; a mention's state is the best that any
configuration gave it.  An inactive one names all that were tried; one of a source that
is active on some architectures and not on others names those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from patchgen.memo import digest
from patchgen.model.facts import Diagnostic, FileFacts, Mention

#: Better states first.
_ORDER = ("analysed", "declaration", "macro", "unparsed", "inactive")

T = TypeVar("T")


def merge(variants: Sequence[FileFacts]) -> FileFacts:
    """One value for a file; ``variants`` in order of preference, at least one."""
    first = variants[0]
    if len(variants) == 1:
        return first
    functions = _union((f for v in variants for f in v.functions), lambda f: f.span)
    known = {function.span for function in functions}
    rest = (f for v in variants for f in v.others if f.span not in known)
    others = _union(rest, lambda f: f.span)
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
        others=tuple(sorted(others, key=lambda f: f.span)),
    )


def _union(items: Iterable[T], key: object) -> list[T]:
    found: dict[object, T] = {}
    for item in items:
        found.setdefault(key(item), item)  # type: ignore[operator]
    return list(found.values())


def _mentions(variants: Sequence[FileFacts]) -> tuple[Mention, ...]:
    best: dict[int, Mention] = {}
    tried: dict[int, list[str]] = {}
    active: dict[int, dict[str, bool]] = {}
    for variant in variants:
        for mention in variant.mentions:
            is_active = mention.state != "inactive"
            if not is_active:
                tried.setdefault(mention.offset, []).append(mention.detail)
            seen = active.setdefault(mention.offset, {})
            seen[variant.arch] = seen.get(variant.arch, False) or is_active
            old = best.get(mention.offset)
            if old is None or _ORDER.index(mention.state) < _ORDER.index(old.state):
                best[mention.offset] = mention
    return tuple(
        msgspec.structs.replace(m, detail=_detail(m, tried.get(offset, []), active[offset]))
        for offset, m in sorted(best.items())
    )


def _detail(mention: Mention, tried: Sequence[str], active: Mapping[str, bool]) -> str:
    """What was tried of an inactive mention; of others where they are inactive."""
    if mention.state == "inactive":
        return "; ".join(dict.fromkeys(tried))
    # A header is seen under the options of many files: what is inactive in it on an
    # architecture may be so because of these.
    if all(active.values()) or mention.path.endswith(".h"):
        return mention.detail
    only = "only on " + ", ".join(arch for arch, is_active in active.items() if is_active)
    return f"{mention.detail}; {only}" if mention.detail else only


def _diagnostics(variants: Sequence[FileFacts]) -> tuple[Diagnostic, ...]:
    return tuple(dict.fromkeys(d for variant in variants for d in variant.diagnostics))
