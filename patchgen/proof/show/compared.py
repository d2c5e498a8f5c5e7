# SPDX-License-Identifier: GPL-2.0-only
"""The proofs before and behind a series: what the series may be held to, and what is said."""

from __future__ import annotations

from typing import Any

from patchgen.model.base import Place, Value
from patchgen.proof.result import SAFETY, Answer, ProofResult
from patchgen.proof.show.answer import cover_section, not_understood

ALLOW = "--allow-undecided"


class Compared(Value, frozen=True):
    """Two proofs.  ``touched``: the series changes the protocol, or may.

    Where it does not, neither was explored: what is undecided was so before, and is no
    fault of the series.  ``allowed`` tells that a person takes an undecided proof.
    """

    before: ProofResult
    after: ProofResult
    touched: bool
    allowed: bool = False

    @property
    def inherited(self) -> tuple[str, ...]:
        """The properties that were violated before, and are in the same way behind."""
        new = {verdict.property for verdict in self.after.new_since(self.before)}
        return tuple(p for p in self.after.answered(Answer.VIOLATED) if p not in new)

    @property
    def violated(self) -> str:
        """What the series breaks that held before; "" where nothing."""
        if not self.touched or not self.after.new_since(self.before):
            return ""
        new = self.after.new_since(self.before)
        said = "the proof found a run that is bad, and was not before"
        if self.before.undecided:
            said = "the proof found a run that is bad, and is undecided about the tree before"
        names = ", ".join(dict.fromkeys(verdict.property for verdict in new))
        cases = ", ".join(dict.fromkeys(verdict.case for verdict in new))
        known = f"; {self._inherited()}" if self.inherited else ""
        return f"{said}: violated: {names} ({cases}){known}"

    def _inherited(self) -> str:
        return f"inherited (violated before the series too): {', '.join(self.inherited)}"

    @property
    def undecided(self) -> str:
        """What is not known behind a series that changes the protocol; "" where nothing."""
        if not self.touched or not self.after.undecided:
            return ""
        names = ", ".join(self.after.undecided)
        same = " (undecided before the series, too)" if self.before.undecided else ""
        return f"the proof is undecided: {names}{same}: {not_understood(self.after)}"

    @property
    def place(self) -> Place | None:
        """The first place that was not understood behind the series."""
        return self.after.unknown[0].place if self.after.unknown else None

    @property
    def fault(self) -> str:
        """Why the series must not pass; "" where it may."""
        return self.violated or ("" if self.allowed else self.undecided)

    def line(self) -> str:
        """The proof in a line for people."""
        if self.fault:
            return self.fault
        if not self.touched:
            if self.after.unknown:
                return f"undecided before and after, at {not_understood(self.after)}"
            return "not touched: the series leaves the protocol as it is"
        if self.undecided:
            return f"{self.undecided}; taken all the same ({ALLOW})"
        held = self.after.answered(Answer.HOLDS)
        said = []
        if held:
            many = "property holds" if len(held) == 1 else "properties hold"
            said.append(f"{len(held)} safety {many} in every interleaving explored")
        if self.inherited:
            said.append(self._inherited())
        return "; ".join(said)

    def cover(self) -> str:
        """The cover letter's section; "" where the series leaves the protocol as it is."""
        if not self.touched:
            return ""
        return cover_section(self.after, self.before)

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        answers = {prop: self.after.answer(prop).value for prop in SAFETY} if self.touched else {}
        return {
            "line": self.line(),
            "touched": self.touched,
            "ok": not self.fault,
            "allow_undecided": self.allowed,
            "properties": answers,
            "inherited": list(self.inherited) if self.touched else [],
            "violated_before": list(self.before.answered(Answer.VIOLATED)),
            "unknown": [{"place": str(e.place), "reason": e.text} for e in self.after.unknown],
            "rests_on": [fact.data() for fact in self.after.facts] if self.touched else [],
            "unknown_before": [
                {"place": str(e.place), "reason": e.text} for e in self.before.unknown
            ],
        }
