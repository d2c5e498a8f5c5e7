# SPDX-License-Identifier: GPL-2.0-only
"""facts → proof of a state of a tree, remembered by the contents that it was taken from."""

from __future__ import annotations

from pathlib import Path

from patchgen import memo
from patchgen.model.base import Evidence, Place, Value
from patchgen.model.outcome import UserError
from patchgen.pipeline.background import Background
from patchgen.proof.prove import look, prove, shape, undecided
from patchgen.proof.result import ProofResult
from patchgen.proof.show.compared import Compared
from patchgen.source.facts.kvm import KVM_MAIN
from patchgen.source.facts.reads import Reads
from patchgen.source.facts.state import TreeState
from patchgen.source.facts.store import program
from patchgen.source.tree.snapshot import Snapshot


def prove_state(root: str, overrides: dict[str, bytes | None]) -> ProofResult:
    """The proof of the tree at ``root`` with ``overrides`` in place of its files."""
    snapshot = Snapshot(Path(root), overrides)
    key = memo.digest(program("analysis", "proof"), snapshot.read(KVM_MAIN) or b"")
    reads = Reads("proof", key, snapshot.read)
    known: ProofResult | None = reads.recall(ProofResult)
    if known is not None:
        return known
    try:
        result = prove(reads.read)
    except UserError as error:
        result = _absent(error)
    reads.remember(result)
    return result


def _absent(error: UserError) -> ProofResult:
    """A tree in which there is nothing to prove says nothing: all is undecided."""
    where = Place(error.where or KVM_MAIN, 1)
    return undecided((Evidence(where, error.what),))


class Touched(Value, frozen=True):
    """Whether a series changes the protocol, and what was not understood before and behind."""

    touched: bool
    before: tuple[Evidence, ...] = ()
    after: tuple[Evidence, ...] = ()

    def untouched(self) -> Compared:
        """What is said of a series that leaves the protocol as it is; nothing was explored."""
        return Compared(undecided(self.before), undecided(self.after), touched=False)


def touched(before: TreeState, after: TreeState) -> Touched | None:
    """Whether the protocol of ``after`` may be another one than that of ``before``.

    None where neither state has KVM.  It is the same where all code that the proof reads is,
    or where both are understood and differ in lines only.
    """
    if before.read(KVM_MAIN) is None and after.read(KVM_MAIN) is None:
        return None
    old, new = (_look(state.snapshot) for state in (before, after))
    same = old.reads == new.reads or (old.shape and old.shape == new.shape)
    return Touched(not same, old.unknown, new.unknown)


class _Looked(Value, frozen=True):
    """What is asked of a :class:`patchgen.proof.prove.Look`; no ``shape``: nothing was found."""

    shape: str
    unknown: tuple[Evidence, ...]
    reads: str


def _look(snapshot: Snapshot) -> _Looked:
    """What a state's code says, remembered by the contents that it was taken from."""
    key = memo.digest("look", program("analysis", "proof"), snapshot.read(KVM_MAIN) or b"")
    reads = Reads("proof", key, snapshot.read)
    known: _Looked | None = reads.recall(_Looked)
    if known is not None:
        return known
    try:
        found = look(reads.read)
        said = "" if found.found is None else memo.digest(repr(shape(found.found)))
        result = _Looked(said, found.unknown, found.reads)
    except UserError as error:
        result = _Looked("", _absent(error).unknown, str(error))
    reads.remember(result)
    return result


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


def compared(
    before: TreeState, after: TreeState, begun: Proofs | None = None, allow: bool = False
) -> Compared | None:
    """The proofs before and behind a series; None where there is no KVM.

    ``begun`` are the same proofs where they were begun earlier.  Waits for them; nothing is
    explored where the series leaves the protocol as it is.  ``allow``: an undecided proof is
    taken.
    """
    asked = touched(before, after)
    if asked is None:
        return None
    if not asked.touched:
        return asked.untouched()
    proofs = begun
    if proofs is None:
        proofs = Proofs(before)
        proofs.go_on(after)
    try:
        old, new = proofs.results()
    finally:
        proofs.stop()
    return Compared(old, new, touched=True, allowed=allow)
