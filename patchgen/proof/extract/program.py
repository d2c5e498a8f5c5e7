# SPDX-License-Identifier: GPL-2.0-only
"""Abstract programs: what a piece of kernel code does to the secondary MMU.

A program is an acyclic table of nodes over a small vocabulary.  Local variables do
not exist: the code that builds a program follows every value, so that each node
knows what was decided before it, and equal continuations share one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from patchgen.model.base import Place, Value

#: The locks, by the names that people know them by.
LOCKS = {
    "mmu": "mmu_lock",
    "ptl": "the page-table lock",
    "mn": "mn_invalidate_lock",
    "gpc": "the pfn cache's lock",
}

#: What a "do" node does, for people.  ``arg`` is the lock of lock and unlock, else "".
OPERATIONS = {
    "lock": "take {arg}",
    "unlock": "drop {arg}",
    "srcu_enter": "enter the SRCU section",
    "srcu_leave": "leave the SRCU section",
    "bump_seq": "bump the invalidation sequence",
    "raise_count": "raise the invalidation count",
    "lower_count": "lower the invalidation count",
    "raise_active": "raise the count of active invalidations",
    "lower_active": "lower the count of active invalidations",
    "drop_spte": "drop the SPTE",
    "clear_spte": "clear the SPTE, to write it anew",
    "set_spte": "write the SPTE: the new frame, read-only",
    "protect_spte": "write-protect the SPTE",
    "flush": "flush the guest's TLBs",
    "flush_page": "flush the page from the guest's TLBs",
    "mark_dirty": "count a deferred TLB flush",
    "invalidate_cache": "invalidate the pfn cache",
    # The environment's own.
    "is_flagged": "the range is flagged",
    "begin_section": "begin the section",
    "end_section": "the section is over",
    "clear_pte": "clear and flush the primary PTE",
    "set_pte": "set the primary PTE",
    "protect_pte": "write-protect the primary PTE and flush",
    "restore_pte": "set the primary PTE back",
    "free_old": "free the old frame",
    "free_new": "free the new frame",
    "take": "take the old frame's content over (copy or compare)",
    "host_write": "write to the new frame through the primary PTE",
    "sample": "sample the invalidation sequence",
    "lookup": "look up the primary page",
    "no_page": "look up the primary page: there is none",
    "install": "map the page in the SPTE",
    "give_up": "give the fault up: try again later",
    "complete": "the fault is handled",
    "fill_tlb": "access the page: the TLB caches the SPTE",
    "validate_cache": "the pfn cache is valid again",
    "invalidate_slot": "mark the memslot as being removed",
    "synchronize": "wait for the SRCU sections",
    "finish": "done",
}

#: What a "test" node asks; "yes" and "no" are the answers.
CONDITIONS = {
    "flagged": "the range is flagged",
    "blockable": "the range is blockable",
    "in_progress": "an invalidation is in progress",
    "active": "an invalidation is active",
    "deferred": "a TLB flush was deferred",
    "present": "the SPTE is present",
    "writable": "the SPTE is writable",
    "only_protected": "the range only becomes read-only",
    "new_writable": "the new PTE is writable",
    "slot_invalid": "the memslot is being removed",
    "either": "(depends on the machine)",
    # The environment's own.
    "pte_expected": "the primary PTE is still the expected one",
    "pte_none": "the primary PTE is empty",
    "pte_old": "the primary PTE maps the old frame",
    "lookup_current": "the SPTE holds this mapping already",
    "stale": "the sequence moved since it was sampled",
    "retry_count": "an invalidation of the page is in progress",
    "cache_valid": "the pfn cache is valid",
    "choice": "(either may happen)",
}


class Node(Value, frozen=True, array_like=True):
    """One node: ``kind`` is do, test, end, stop or unknown.

    "do" does ``what`` (of OPERATIONS) and goes to ``yes``.  "test" asks ``what`` (of
    CONDITIONS) and goes to ``yes`` or ``no``.  In a run a
    test's ``arg`` is the answer.  "end" is the end with the result
    ``what`` (decimal, or "").  "stop" waits for ever in this branch: the step before
    is not possible.  "unknown" was not understood, ``what`` says why.  ``page`` is
    the page that the node acts on, "" in a handler (the caller says which).
    """

    kind: str
    what: str
    arg: str
    place: Place
    yes: int = -1
    no: int = -1
    page: str = ""

    def text(self) -> str:
        """The node in words, without its place."""
        if self.kind == "do":
            return OPERATIONS[self.what].format(arg=LOCKS.get(self.arg, self.arg))
        if self.kind == "test":
            return f"{CONDITIONS[self.what]}: {self.arg}" if self.arg else CONDITIONS[self.what]
        return self.what


class Program(Value, frozen=True):
    """A program: ``nodes`` and the index of the first one to run."""

    name: str
    nodes: tuple[Node, ...]
    entry: int

    def reachable(self) -> Iterator[tuple[int, Node]]:
        """The nodes that can run, each once, in depth-first order."""
        seen: set[int] = set()
        todo = [self.entry]
        while todo:
            index = todo.pop()
            if index < 0 or index in seen:
                continue
            seen.add(index)
            node = self.nodes[index]
            yield index, node
            todo += (node.no, node.yes)

    def unknown(self) -> tuple[Node, ...]:
        """The nodes that were not understood, by place."""
        return tuple(
            sorted((n for _, n in self.reachable() if n.kind == "unknown"), key=lambda n: n.place)
        )

    def tests(self, condition: str) -> Place | None:
        """The first place where the program asks ``condition``, or None."""
        return next((n.place for _, n in self.reachable() if n.what == condition), None)

    def does(self, operation: str) -> Place | None:
        """The first place where the program does ``operation``, or None."""
        return self.tests(operation)


class Builder:
    """Builds a program from its end to its start, sharing equal nodes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._index: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        """The index of ``node``, which is added when it is new."""
        index = self._index.get(node)
        if index is None:
            index = self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return index

    def do(self, what: str, place: Place, then: int, arg: str = "", page: str = "") -> int:
        """A node that does ``what`` and goes on with ``then``."""
        assert what in OPERATIONS, what
        return self.add(Node("do", what, arg, place, then, -1, page))

    def test(self, what: str, place: Place, yes: int, no: int, page: str = "") -> int:
        """A node that asks ``what``; none is needed where both answers go one way."""
        assert what in CONDITIONS, what
        return yes if yes == no else self.add(Node("test", what, "", place, yes, no, page))

    def end(self, result: str = "") -> int:
        """The end of the program with a result."""
        return self.add(Node("end", result, "", Place("", 0)))

    def stop(self) -> int:
        """A branch that cannot be taken."""
        return self.add(Node("stop", "", "", Place("", 0)))

    def unknown(self, place: Place, reason: str) -> int:
        """A place that was not understood."""
        return self.add(Node("unknown", reason, "", place))

    def insert(
        self, program: Program, ends: Callable[[str], int], page: str, known: dict[str, bool]
    ) -> int:
        """``program`` run on ``page``; ``ends(result)`` is where each end goes on.

        Tests named in ``known`` are decided at once.
        """
        copied: dict[int, int] = {}

        def copy(index: int) -> int:
            if index in copied:
                return copied[index]
            node = program.nodes[index]
            if node.kind == "end":
                new = ends(node.what)
            elif node.kind == "test" and node.what in known:
                new = copy(node.yes if known[node.what] else node.no)
                if node.what == "flagged" and known["flagged"]:
                    new = self.do("is_flagged", node.place, new, "", page)
            elif node.kind == "test":
                new = self.test(node.what, node.place, copy(node.yes), copy(node.no), page)
            elif node.kind == "do":
                new = self.do(node.what, node.place, copy(node.yes), node.arg, page)
            else:
                new = self.add(node)
            copied[index] = new
            return new

        return copy(program.entry)

    def program(self, name: str, entry: int) -> Program:
        """The finished program."""
        return Program(name, tuple(self.nodes), entry)
