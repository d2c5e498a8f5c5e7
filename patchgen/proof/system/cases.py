# SPDX-License-Identifier: GPL-2.0-only
"""The events that are looked into: transitions of one page's primary PTE.

Which of them may be flagged is the contract of the flag (FACTS, rule 15): read-only to
read-write on the same or a new frame, read-write to read-only on the same frame,
read-only to read-only on a new frame.
"""

from __future__ import annotations

from patchgen.model.base import Value
from patchgen.proof.system.effects import NEW_RO, NEW_RW, NONE, OLD_RO, OLD_RW

_WORDS = {
    "removed": "entry removed",
    "protected": "range made read-only, as by mprotect()",
    "refused": "non-blocking start refused by another notifier",
}


class Case(Value, frozen=True):
    """A transition of A's primary PTE from ``before`` to ``after``.

    ``flagged`` tells that its range carries the flag.  ``allowed`` is whether it may.
    ``path`` and ``function`` name the core's code whose lines the steps show.
    """

    key: str
    before: int
    after: int
    allowed: bool
    path: str
    function: str
    flagged: bool = False

    @property
    def transition(self) -> bool:
        """Whether change_pte() is called: the events that a range may be flagged for."""
        return self.key not in _WORDS

    @property
    def kept(self) -> bool:
        """Whether the page stays, so that it may stay mapped (O1)."""
        return self.transition or self.key == "protected"

    @property
    def name(self) -> str:
        """The transition in words."""
        if self.key in _WORDS:
            return _WORDS[self.key]
        kinds = {OLD_RO: "read-only", OLD_RW: "read-write", NEW_RO: "read-only"}
        frame = "new frame" if self.new_frame else "same frame"
        after = kinds.get(self.after, "read-write")
        return f"{kinds[self.before]} to {after}, {frame}"

    @property
    def new_frame(self) -> bool:
        """Whether another frame is mapped afterwards."""
        return self.after in (NEW_RO, NEW_RW)

    @property
    def copied_inside(self) -> bool:
        """Whether the old frame's content is taken over within the section.

        A writable frame can only be copied once nobody can write to it any more; a
        read-only one is copied or compared before.
        """
        return self.new_frame and self.before == OLD_RW


_MEMORY = ("mm/memory.c", "wp_page_copy")
_PROTECT = ("mm/ksm.c", "write_protect_page")
_REPLACE = ("mm/ksm.c", "replace_page")
_ZAP = ("mm/memory.c", "zap_page_range")

CASES = (
    Case("ro-rw-same", OLD_RO, OLD_RW, True, *_MEMORY),
    Case("ro-rw-new", OLD_RO, NEW_RW, True, *_MEMORY),
    Case("rw-ro-same", OLD_RW, OLD_RO, True, *_PROTECT),
    Case("ro-ro-new", OLD_RO, NEW_RO, True, *_REPLACE),
    Case("rw-rw-new", OLD_RW, NEW_RW, False, *_MEMORY),
    Case("rw-ro-new", OLD_RW, NEW_RO, False, *_REPLACE),
    Case("removed", OLD_RW, NONE, False, *_ZAP),
    Case("protected", OLD_RW, OLD_RO, False, "mm/mprotect.c", "change_pte_range"),
    Case("refused", OLD_RW, OLD_RW, False, *_ZAP),
)
