# SPDX-License-Identifier: GPL-2.0-only
"""Whether the page-table lock is held from the test of an entry to its notification.

Where it is given up between, another CPU may have changed the entry that was tested, or fault
the page in again before secondary MMUs are told of the new one (mm/ksm.c, mm/memory.c).
"""

from __future__ import annotations

from patchgen.analysis.paths.bodies import Bodies
from patchgen.analysis.paths.facts import Facts, NotFollowed, Paths
from patchgen.analysis.paths.reach import Reach
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, subexpressions, text

_TAKES = names("paths", "entry_lock", "takes")
_DROPS = names("paths", "entry_lock", "drops")
_YIELDS = names("paths", "entry_lock", "yields")
_CLEARS = names("entries", "clears")
_TOLD = names("entries", "notifies")
_HARMLESS = names("paths", "entry_lock", "harmless")
_LOCK: str = load("paths")["entry_lock"]["member"]


def unlocked(bodies: Bodies, function: Function) -> Evidence | None:
    """Where the lock may not be held from test to notification; None: it is, on every way.

    ``bodies`` are those of the function's own file.
    """
    reach = Reach(bodies)
    judge = _Held(reach.to(_TAKES | _DROPS | _YIELDS) & reach.defined - {function.name})
    paths = Paths(judge.effect, judge.branch, judge.relevant)
    try:
        paths.follow(function)
    except NotFollowed as error:
        return Evidence(Place(function.path, error.line), error.reason)
    return None


class _Held:
    """``locking`` are the functions of the file that take or drop such a lock.

    Facts: "lock"; "tested E" and "cleared E", E an entry's pointer, since the lock was taken.
    """

    def __init__(self, locking: frozenset[str]) -> None:
        self.locking = locking

    def relevant(self, expr: Expr) -> bool:
        """Whether an expression has to do with the lock, or with what it is held for."""
        known = _TAKES | _DROPS | _YIELDS | _CLEARS | _TOLD | self.locking
        return expr.kind == "call" and (expr.name in known or _given(expr))

    def branch(self, expr: Expr, facts: Facts) -> tuple[Facts, Facts] | None:
        """A call that takes the lock or says that there is no table to lock."""
        if expr.kind != "call" or expr.name not in _TAKES:
            return None
        return frozenset({"lock"}), frozenset()

    def effect(self, expr: Expr, facts: Facts) -> Facts:
        """What an expression makes known, and what it must not do where it stands."""
        if expr.kind == "assign":
            return self._assigned(expr, facts)
        if expr.kind != "call":
            return facts
        if expr.name in self.locking and "lock" in facts:
            raise NotFollowed(expr.line, f"{expr.name}() may give up the page-table lock")
        if expr.name in _TAKES:
            return frozenset({"lock"})
        if expr.name in _DROPS:
            return frozenset()
        if expr.name in _YIELDS:
            return facts & {"lock"}
        entry = text(bare(expr.args[3])) if len(expr.args) > 3 else ""
        if expr.name in _CLEARS and entry:
            return self._cleared(expr, entry, facts)
        if expr.name in _TOLD and f"cleared {entry}" not in facts:
            raise NotFollowed(expr.line, "the page-table lock may be given up between clearing the"
                              " entry and the notification")  # fmt: skip
        if _given(expr) and expr.name not in _HARMLESS and "lock" in facts:
            raise NotFollowed(expr.line, f"{expr.name}() is given the page-table lock")
        return self._looked(expr, facts)

    def _cleared(self, expr: Expr, entry: str, facts: Facts) -> Facts:
        if "lock" not in facts:
            raise NotFollowed(expr.line, f"{expr.name}() without the page-table lock")
        if f"tested {entry}" not in facts:
            raise NotFollowed(expr.line, "the entry is not looked at under the page-table lock"
                              " that is held here")  # fmt: skip
        return facts | {f"cleared {entry}"}

    def _looked(self, expr: Expr, facts: Facts) -> Facts:
        """A call that is given an entry, or its pointer, looks at it."""
        if "lock" not in facts:
            return facts
        inside = {text(part) for arg in expr.args[1:] for part in subexpressions(arg)}
        return facts | {f"tested {one}" for one in inside}

    def _assigned(self, expr: Expr, facts: Facts) -> Facts:
        target = text(bare(expr.args[0]))
        kept = frozenset(f for f in facts if f.partition(" ")[2] != target)
        inside = {text(part) for part in subexpressions(expr.args[1])}
        if "lock" not in facts:
            return kept
        return kept | {f"tested {one}" for one in inside if one != target}


def _given(call: Expr) -> bool:
    """Whether a call gets the lock, by its variable's or member's name."""
    return any(bare(arg).name.endswith(_LOCK) for arg in call.args[1:] if bare(arg).name)
