# SPDX-License-Identifier: GPL-2.0-only
"""Mutation operators: a named fault, the rules of the contract it breaks, its sites.

An operator knows the contract, never a checker: ``rules`` are numbers of the list of
rules of the mmu notifier contract (MN001 to MN035).  Its docstring argues why every
mutant is wrong.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator

from patchgen.model.base import Value
from tests.mutants.subject import Site, Subject

Find = Callable[[Subject], Iterator[Site]]


class Operator(Value, frozen=True):
    """A fault.  ``flagged`` operators need a tree with MMU_NOTIFIER_USE_CHANGE_PTE."""

    name: str
    rules: tuple[int, ...]
    find: Find
    argument: str
    flagged: bool = False

    def sites(self, subject: Subject) -> list[Site]:
        """Every place in the file where the operator fits."""
        if self.flagged and not subject.flagged:
            return []
        return list(self.find(subject))


def operator(*rules: int, flagged: bool = False) -> Callable[[Find], Operator]:
    """Make a function that yields sites an operator, named as the function is."""

    def make(find: Find) -> Operator:
        return Operator(find.__name__, rules, find, inspect.getdoc(find) or "", flagged)

    return make


def all_operators() -> tuple[Operator, ...]:
    """Every operator of the package ``operators``, in order of files and lines."""
    from tests.mutants import operators

    found: list[Operator] = []
    for info in pkgutil.iter_modules(operators.__path__):
        module = importlib.import_module(f"{operators.__name__}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, Operator)]
    return tuple(found)
