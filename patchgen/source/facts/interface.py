# SPDX-License-Identifier: GPL-2.0-only
"""The API surface of a state of a tree, found once per all that its parses rest on."""

from __future__ import annotations

from typing import Protocol

import msgspec

from patchgen import memo
from patchgen.kernel.api.surface import BRANCHES, HEADER, Surface
from patchgen.source.config.flags import ParseConfig
from patchgen.source.facts import records
from patchgen.source.facts.digests import Digests
from patchgen.source.facts.store import program
from patchgen.source.tree.snapshot import Snapshot


class Configure(Protocol):
    """How a file is parsed, with options turned off."""

    def __call__(self, path: str, *, off: frozenset[str]) -> ParseConfig: ...


def surface_of(header: bytes, config: Configure, digests: Digests, snapshot: Snapshot) -> Surface:
    """The surface by ``header``, the state's, in both branches; see TreeState.surface."""
    found: dict[str, Surface] = {}
    keys: dict[str, str] = {}
    configs: dict[str, ParseConfig] = {}
    for branch in BRANCHES:
        off = frozenset() if branch == "on" else frozenset({"MMU_NOTIFIER"})
        configs[branch] = config(HEADER, off=off)
        keys[branch] = memo.digest("surface", program(), header, configs[branch].key, branch)
        data = records.recall("surface", keys[branch], digests, snapshot.overrides)
        known: Surface | None = None if data is None else memo.decoded(data, Surface)
        if known is not None:
            found[branch] = known
    missing = {branch: configs[branch] for branch in BRANCHES if branch not in found}
    if missing:
        from patchgen.source.clang.surface import branches

        given = {path: data for path, data in snapshot.overrides.items() if data is not None}
        given[HEADER] = header
        for branch, (part, seen) in branches(
            snapshot.root, missing, given, digests.looks()
        ).items():
            digests.learn(seen)
            found[branch] = part
            if seen.settled:
                data = msgspec.msgpack.encode(part)
                key = keys[branch]
                records.remember("surface", key, seen, digests, snapshot.overrides, data)
        digests.save()
    return Surface.joined(found[branch] for branch in BRANCHES)
