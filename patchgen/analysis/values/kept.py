# SPDX-License-Identifier: GPL-2.0-only
"""What is made of a function once, and asked for at each of its sites.

Without it a rule that looks at a function from each of n sites in it takes n² steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from patchgen.model.code import Function

T = TypeVar("T")

#: Functions of which the result is kept; then all are dropped.
_FUNCTIONS = 512


class Kept(Generic[T]):
    """``make(function)``, made once a function while it is one of the last few hundred.

    A function is told by its identity: to compare two by value takes as long as to walk them.
    """

    def __init__(self, make: Callable[[Function], T]) -> None:
        self._make = make
        self._found: dict[int, tuple[Function, T]] = {}

    def __call__(self, function: Function) -> T:
        """What ``make`` says of the function."""
        found = self._found.get(id(function))
        if found is not None and found[0] is function:
            return found[1]
        if len(self._found) >= _FUNCTIONS:
            self._found.clear()
        made = self._make(function)
        self._found[id(function)] = (function, made)
        return made
