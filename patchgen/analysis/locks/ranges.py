# SPDX-License-Identifier: GPL-2.0-only
"""What code asks of the range that a callback is called for."""

from __future__ import annotations

import msgspec

from patchgen.analysis.engine.walk import Outcome
from patchgen.analysis.locks.state import State
from patchgen.analysis.values.naming import meaning
from patchgen.analysis.values.value import ONE, ZERO
from patchgen.model.code import Expr
from patchgen.source.c.text import text


def answers(state: State, call: Expr) -> State | tuple[Outcome[State], ...]:
    """The state behind a question; "may it block" goes on with each answer that is open.

    The answer is the call's value, so that comparisons, copies and results carry it on.
    """
    if meaning(call, {}) != "blockable":
        return state
    known = (True, False) if state.blockable is None else (state.blockable,)
    return tuple(
        Outcome(
            msgspec.structs.replace(state, blockable=answer),
            also=((text(call), ONE if answer else ZERO),),
        )
        for answer in known
    )
