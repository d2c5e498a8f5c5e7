# SPDX-License-Identifier: GPL-2.0-only
"""facts → proof of a state of a tree, remembered by the contents that it was taken from."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import msgspec

from patchgen import cache
from patchgen.facts.kvm import KVM_MAIN
from patchgen.facts.state import TreeState
from patchgen.facts.store import program
from patchgen.proof.prove import prove
from patchgen.proof.result import ProofResult
from patchgen.tree.child import die_with_parent
from patchgen.tree.snapshot import Snapshot

Reads = tuple[tuple[str, ...], ...]


def prove_state(root: str, overrides: dict[str, bytes | None]) -> ProofResult:
    """The proof of the tree at ``root`` with ``overrides`` in place of its files."""
    snapshot = Snapshot(Path(root), overrides)
    key = cache.digest(program("flow", "proof"), snapshot.read(KVM_MAIN) or b"")
    for paths in _known(key):
        data = cache.read("proofs", _identity(key, paths, snapshot.read))
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
    cache.write("proofs", _identity(key, paths, snapshot.read), msgspec.msgpack.encode(result))
    cache.write("proof-reads", key, msgspec.msgpack.encode((paths, *_known(key))[:8]))
    return result


def _known(key: str) -> Reads:
    """Which files earlier proofs of this KVM read, a set for each."""
    try:
        return msgspec.msgpack.decode(cache.read("proof-reads", key) or b"", type=Reads)
    except msgspec.DecodeError:
        return ()


def _identity(key: str, paths: tuple[str, ...], read: Callable[[str], bytes | None]) -> str:
    return cache.digest(key, *(part for path in paths for part in (path, read(path) or b"")))


class Proofs:
    """Proofs of the states before and behind a series, made while others work."""

    def __init__(self, before: TreeState, after: TreeState) -> None:
        context = multiprocessing.get_context("fork")
        self._pool = ProcessPoolExecutor(2, mp_context=context, initializer=die_with_parent)
        self._before, self._after = (self._submit(state) for state in (before, after))

    def _submit(self, state: TreeState) -> Future[ProofResult]:
        return self._pool.submit(prove_state, str(state.root), state.snapshot.overrides)

    def results(self) -> tuple[ProofResult, ProofResult]:
        """Before, behind; waits for both."""
        found = self._before.result(), self._after.result()
        self._pool.shutdown()
        return found

    def stop(self) -> None:
        """End the workers, whatever they do."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def fault_of(before: ProofResult, after: ProofResult) -> str:
    """Why a series fails its proof: something violated or unknown that was not before."""
    from patchgen.proof.answer import verdict_line

    if after.unknown and not before.unknown:
        return f"the proof does not understand the result: {verdict_line(after)}"
    if after.new_since(before):
        return f"the proof found a run that is bad, and was not before: {verdict_line(after)}"
    return ""
