# SPDX-License-Identifier: GPL-2.0-only
"""Values of the judge: a path's state, a function's ways out, its summary."""

from __future__ import annotations

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.checker import Trail
from patchgen.analysis.locks.held import NOTHING, Balance
from patchgen.analysis.values.value import Known
from patchgen.model.base import Place
from patchgen.model.findings import Step


class State(msgspec.Struct, frozen=True):
    """One path's abstract state.

    ``held`` balances locks by (kind, key), ``counts`` paired counters by key.
    ``blockable`` and ``flagged`` are what the path's branches decided about
    mmu_notifier_range_blockable() and mmu_notifier_range_use_change_pte();
    ``idle`` tells that nothing but releases happened since ``flagged`` was decided.
    ``doubt`` is the first place on the path that was not understood, with the reason:
    what is wrong behind it is undecided; ``vague`` says that it is about nothing but values,
    so that going the way again may settle it.  ``passed`` is where a reference that is held
    may have been handed on.
    """

    held: Balance = NOTHING
    counts: Balance = NOTHING
    blockable: bool | None = None
    flagged: bool | None = None
    idle: bool = False
    doubt: str = ""
    passed: str = ""
    vague: bool = False
    #: What helpers that take or drop only sometimes have found in shared memory, by text.
    believed: tuple[tuple[str, Known], ...] = ()


class Exit(msgspec.Struct, frozen=True):
    """One way out: the state, the value returned, the witness."""

    state: State
    value: Known
    place: Place
    event: Event
    steps: tuple[Step, ...]
    #: Text of the value where nothing is known of it; "" for none.
    origin: str = ""
    #: What is known of members that were set, by their text here.
    facts: tuple[tuple[str, Known], ...] = ()
    #: What tests have found in memory that is shared, by text here, for one that takes or
    #: drops on some ways only.
    found: tuple[tuple[str, Known], ...] = ()
    #: What tests have shown of parameters that are not set here.
    given: tuple[tuple[str, Known], ...] = ()
    #: The value in terms of parameters and memory, as text; "" where that says nothing.
    same: str = ""
    #: The way that is taken, for going it again.
    trail: Trail | None = None


class Sleep(msgspec.Struct, frozen=True):
    """A call that may sleep, reached on some path; ``doubt`` as in State."""

    call: str
    event: Event
    function: str
    blockable: bool | None
    held: tuple[str, ...]
    steps: tuple[Step, ...]
    #: Line of the call in the function that was asked about.
    via: int = 0
    doubt: str = ""
    trail: Trail | None = None


class Touch(msgspec.Struct, frozen=True):
    """A paired counter that changes, with the locks held there (see Sleep)."""

    member: str
    by: int
    event: Event
    function: str
    held: tuple[str, ...]
    steps: tuple[Step, ...]


class Take(msgspec.Struct, frozen=True):
    """A lock that is taken; it must not be held then.

    ``twice`` is the kind under which it is held already; "" where that is the callers'
    business.
    """

    kind: str
    key: str
    event: Event
    function: str
    twice: str
    steps: tuple[Step, ...]
    doubt: str = ""
    trail: Trail | None = None


class Summary(msgspec.Struct, frozen=True):
    """A function in one context.  ``incomplete`` says why silence means nothing."""

    exits: tuple[Exit, ...]
    sleeps: tuple[Sleep, ...]
    incomplete: str = ""
    touches: tuple[Touch, ...] = ()
    takes: tuple[Take, ...] = ()
    #: The first call whose code is not at hand: ``foo() (path:line)``; "" for none.
    unseen: str = ""


class Context(msgspec.Struct, frozen=True):
    """What the caller knows when it enters a function.

    ``roles`` are (parameter or its member, meaning), see
    :func:`patchgen.analysis.values.naming.meaning`.  ``atomic`` names locks that forbid sleeping.
    """

    blockable: bool | None = None
    flagged: bool | None = None
    roles: tuple[tuple[str, str], ...] = ()
    atomic: tuple[str, ...] = ()
    #: Parameters that are numbers which the caller knows.
    numbers: tuple[tuple[str, Known], ...] = ()
    #: Parameters that point to a variable of the caller's.
    made: tuple[str, ...] = ()


def doubted(state: State, why: str) -> State:
    """The state behind something that was not understood."""
    if state.doubt and not state.vague:
        return state
    return msgspec.structs.replace(state, doubt=why, vague=False)


def busy(state: State) -> State:
    """The state after something that is no release."""
    return msgspec.structs.replace(state, idle=False) if state.idle else state


def member_of(key: str) -> str:
    """The last member: what is left of a lock's name on both sides of a call."""
    return key.rpartition("->")[2].rpartition(".")[2]
