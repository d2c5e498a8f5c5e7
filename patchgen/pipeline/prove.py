# SPDX-License-Identifier: GPL-2.0-only
"""facts → proof of a state of a tree, remembered by the contents that it was taken from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.pipeline.background import Background
from patchgen.proof.prove import prove
from patchgen.proof.result import ProofResult
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.state import TreeState
from patchgen.source.facts.store import program
from patchgen.source.tree.snapshot import Snapshot

Reads = tuple[tuple[str, ...], ...]


def prove_state(root: str, overrides: dict[str, bytes | None]) -> ProofResult:
    """The proof of the tree at ``root`` with ``overrides`` in place of its files."""
    snapshot = Snapshot(Path(root), overrides)
    key = memo.digest(program("analysis", "proof"), snapshot.read(KVM_MAIN) or b"")
    for paths in _known(key):
        data = memo.read("proofs", _identity(key, paths, snapshot.read))
        if data is not None:
            try:
                return msgspec.msgpack.decode(data, type=ProofResult)
            except (msgspec.DecodeError, TypeError):
                break
    seen: dict[str, None] = {}

    def read(path: str) -> bytes | None:
        seen[path] = None
        return snapshot.read(path)

    result = prove(read)
    paths = tuple(sorted(seen))
    memo.write("proofs", _identity(key, paths, snapshot.read), msgspec.msgpack.encode(result))
    memo.write("proof-reads", key, msgspec.msgpack.encode((paths, *_known(key))[:8]))
    return result


def _known(key: str) -> Reads:
    """Which files earlier proofs of this KVM read, a set for each."""
    try:
        return msgspec.msgpack.decode(memo.read("proof-reads", key) or b"", type=Reads)
    except msgspec.DecodeError:
        return ()


def _identity(key: str, paths: tuple[str, ...], read: Callable[[str], bytes | None]) -> str:
    return memo.digest(key, *(part for path in paths for part in (path, read(path) or b"")))


class Proofs:
    """Proofs of the states before and behind a series, made while others work.

    The one before begins with the object, so that a series can be planned meanwhile.
    """

    def __init__(self, before: TreeState) -> None:
        self._begun = [_begin(before)]

    def go_on(self, after: TreeState) -> None:
        """Begin the proof of the state behind the series."""
        self._begun.append(_begin(after))

    def results(self) -> tuple[ProofResult, ProofResult]:
        """Before, behind; waits for both.  To be called once, after :meth:`go_on`."""
        before, after = self._begun
        return before.result(), after.result()

    def stop(self) -> None:
        """End them, whatever they do; nothing where they are done."""
        for proof in self._begun:
            proof.stop()


def _begin(state: TreeState) -> Background[ProofResult]:
    root, overrides = str(state.root), state.snapshot.overrides
    return Background("the proof", lambda: prove_state(root, overrides))


def fault_of(before: ProofResult, after: ProofResult) -> str:
    """Why a series fails its proof: something violated or unknown that was not before."""
    from patchgen.proof.show.answer import verdict_line

    if after.unknown and not before.unknown:
        return f"the proof does not understand the result: {verdict_line(after)}"
    if after.new_since(before):
        return f"the proof found a run that is bad, and was not before: {verdict_line(after)}"
    return ""
