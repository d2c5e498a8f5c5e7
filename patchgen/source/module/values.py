# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a Makefile's variables, and what is not."""

from __future__ import annotations

from patchgen.model.base import Place, Value


class Variable(Value, frozen=True):
    """A variable's value; ``simple``: it is expanded already.  ``rank``: 0 make's own or the
    environment's, 1 a Makefile's, 2 the command line's, 3 an ``override``'s."""

    value: str
    simple: bool
    rank: int


class Note(Value, frozen=True, order=True):
    """Something of a Makefile that is not known, where, and what to do about it."""

    place: Place
    text: str


class Assigned(Value, frozen=True):
    """An assignment as written: of ``name`` (expanded) and ``written`` to ``value``.

    ``needs`` is the condition that leaves it out, "" where it counts.
    """

    place: Place
    name: str
    written: str
    value: str
    needs: str = ""
