# SPDX-License-Identifier: GPL-2.0-only
"""Every path through a function, its callees put in: what happens on each, in order.

For the small functions of an interface, which are straight but for a loop and a few
conditions.  A loop's rounds are looked at once each, with variables that it sets unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.analysis.paths.bodies import Bodies, NotUnderstood
from patchgen.analysis.paths.calls import Calls
from patchgen.analysis.paths.events import Path
from patchgen.analysis.paths.loops import Loops
from patchgen.analysis.paths.state import State, named
from patchgen.analysis.paths.statements import Statements
from patchgen.analysis.paths.values import Evaluation
from patchgen.model.code import Expr


class _Run(Statements, Loops, Calls, Evaluation):
    pass


def paths(
    bodies: Bodies, name: str, args: Sequence[str], stop: frozenset[str] = frozenset()
) -> tuple[Path, ...]:
    """The ways through the function or macro ``name``, given names as arguments.

    All callees that ``bodies`` defines are looked into, but those of ``stop``.
    NotUnderstood: there is none, it takes other arguments, or there are too many ways.
    """
    run = _Run(bodies, stop)
    start = State({}, {}, (), (), "", 0)
    given = tuple(named(arg) for arg in args)
    call = Expr("call", name, (named(name), *given), named("").span, 0)
    first = bodies.paths[0] if bodies.paths else ""
    if not bodies.macros(name) and not bodies.functions(name):
        raise NotUnderstood(first, 1, f"{name}() is not defined where it is looked for")
    found = []
    for value, state in run.value(call, start):
        found.append(Path(state.events, state.conditions, "return", value))
    return tuple(found)
