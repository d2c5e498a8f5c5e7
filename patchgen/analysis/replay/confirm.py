# SPDX-License-Identifier: GPL-2.0-only
"""Whether a way that was found can be taken: no finding rests on one that nothing takes."""

from __future__ import annotations

from collections.abc import Callable

from patchgen.analysis.engine.checker import Trail
from patchgen.analysis.engine.program import Program
from patchgen.analysis.replay.declared import Declarations
from patchgen.analysis.replay.follow import Follower, Lost
from patchgen.analysis.replay.solve import is_followed, satisfiable
from patchgen.model.base import Place
from patchgen.model.code import Expr

#: Tables to which a pointer may lead that are tried.
_TABLES = 8


class Confirm:
    """Asks of ways through one program's functions."""

    def __init__(self, program: Program, is_quiet: Callable[[Expr], bool]) -> None:
        """``is_quiet`` tells of a call whose code is not at hand that it changes nothing."""
        self._declared = Declarations(program)
        self._is_quiet = is_quiet

    def doubt(self, trail: Trail | None, exact: bool = False) -> str:
        """ "" where values are found with which a way is taken; else why it is undecided.

        ``exact`` asks that no value is taken to be anything, as behind a loop.
        """
        if trail is None:
            return "" if not exact else "the way is not known"
        function = trail.function
        where = f"{Place(function.path, function.line)}: {function.name}()"
        choice, choices = 0, 1
        while choice < min(choices, _TABLES):
            follower = Follower(self._declared, self._is_quiet, choice)
            try:
                follower.go(trail)
            except Lost as lost:
                return f"{where}: a way through it could not be gone again ({lost})"
            if exact and not all(map(is_followed, follower.conditions)):
                return f"{where}: not all values on the way through it are followed"
            if satisfiable(follower.conditions):
                return ""
            choice, choices = choice + 1, follower.choices
        return f"{where}: no values were found with which it goes this way"
