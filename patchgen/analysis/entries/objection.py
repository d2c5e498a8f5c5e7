# SPDX-License-Identifier: GPL-2.0-only
"""What speaks against leaving a section to change_pte()."""

from __future__ import annotations

import msgspec

from patchgen.model.base import Place
from patchgen.model.code import Expr
from patchgen.model.findings import Step

#: A change without a notification; a range or an address that does not fit one page; a
#: transition that change_pte() cannot follow, or to an entry that maps no page; a section
#: that is not followed; an old page that is let go while secondary MMUs are still on it.
UNTOLD, MISFIT, FORBIDDEN, NO_PAGE, UNCLEAR, LET_GO = (
    "untold", "misfit", "forbidden", "no page", "unclear", "let go",
)  # fmt: skip


class Objection(msgspec.Struct, frozen=True):
    """One of them: the code (a constant above), where, and in words.

    ``sure`` tells that the code shows it, on the path ``steps``; else it is only not shown
    to be absent.  ``where`` is what to underline, if it is an expression.
    """

    code: str
    place: Place
    text: str
    where: Expr | None = None
    steps: tuple[Step, ...] = ()
    sure: bool = False
