# SPDX-License-Identifier: GPL-2.0-only
"""What a recipe is, and what it sees of the tree.

A recipe is a module ``patchgen/recipes/<name>.py`` (dashes as underscores) with a
:data:`RECIPE` value.  Its steps are called in order, each with the state that the
steps before it left; a step returns a plan, "already there" or a refusal, and
changes nothing itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeAlias

import msgspec

from patchgen.model.code import Function
from patchgen.model.facts import FileFacts
from patchgen.model.outcome import Done, Failed, UserError
from patchgen.model.plan import AlreadyThere, PatchPlan, Refusal
from patchgen.source.c.definitions import Definitions
from patchgen.source.tree.describe import Tree


class State(Protocol):
    """A state of the tree: the files as the patches so far left them.

    Everything is cached by content; asking twice costs nothing.
    """

    @property
    def root(self) -> Path:
        """The tree on disk (read-only)."""

    @property
    def tree(self) -> Tree:
        """Name and version of the tree."""

    def read(self, path: str) -> bytes | None:
        """The bytes of a file in this state; None where there is none."""

    def paths_mentioning(self, *names: str) -> tuple[str, ...]:
        """Sources (``.c``, ``.h``) in which one of the identifiers occurs, sorted.

        Every name must contain one of :data:`patchgen.source.tree.searched.NEEDLES`.
        """

    def functions(self, path: str) -> tuple[Function, ...]:
        """All function definitions of a file, parsed, in order of appearance."""

    def definitions(self, path: str) -> Definitions:
        """The function definitions of a file by name, each parsed when it is asked for."""

    def facts(self, path: str) -> FileFacts:
        """Clang-checked facts of a file: operations tables, sites, diagnostics."""

    def facts_of(self, paths: Sequence[str]) -> list[Done[FileFacts] | Failed]:
        """As :meth:`facts`, of many files: parsed side by side, a failure for those that
        cannot be."""


StepResult: TypeAlias = PatchPlan | AlreadyThere | Refusal
Step: TypeAlias = Callable[[State, "Options"], StepResult]


class Options(msgspec.Struct, frozen=True):
    """What the command line may change about recipes."""

    overrides: bool = True


class Recipe(msgspec.Struct, frozen=True):
    """A recipe: ``steps`` make one patch each; ``needs`` names recipes it builds on.

    ``applies`` is an optional check before anything is planned, on the tree as
    it is: a refusal there ends the plan, None lets it go on.  ``changes_kvm`` says that
    a series with it changes KVM's callbacks, so that the proof will be wanted.
    """

    name: str
    summary: str
    steps: tuple[Step, ...]
    needs: Callable[[State], tuple[str, ...]] = lambda state: ()
    applies: Callable[[State], Refusal | None] = lambda state: None
    changes_kvm: bool = False


def sound_facts(state: State, path: str) -> FileFacts:
    """The facts of a file that a recipe is going to change.

    UserError: there is no such file, it does not parse (with the first error), or
    its lines end in CRLF.
    """
    source = state.read(path)
    if source is None:
        raise UserError("the tree has no such file", path)
    if b"\r\n" in source:
        line = source[: source.index(b"\r\n")].count(b"\n") + 1
        raise UserError("lines end in CRLF", f"{path}:{line}", "convert it to LF first")
    facts = state.facts(path)
    errors = [d for d in facts.diagnostics if d.severity != "warning"]
    if errors:
        first = errors[0]
        raise UserError(f"{path} does not parse: {first.text}", f"{first.place}:{first.column}")
    return facts


def names() -> tuple[str, ...]:
    """The names of all recipes, from the package's modules that define one."""
    import patchgen.recipes as package

    found = []
    for source in Path(package.__path__[0]).rglob("*.py"):
        if "\nRECIPE = Recipe(" in source.read_text(encoding="utf-8"):
            found.append(source.stem.replace("_", "-"))
    return tuple(sorted(found))


def module_of(name: str) -> ModuleType:
    """The module that defines the recipe called ``name``, which is one of :func:`names`."""
    import patchgen.recipes as package

    root = Path(package.__path__[0])
    [source] = root.rglob(f"{name.replace('-', '_')}.py")
    dotted = ".".join(source.relative_to(root).with_suffix("").parts)
    return importlib.import_module(f"{package.__name__}.{dotted}")


def load(name: str) -> Recipe:
    """The recipe called ``name``; UserError where there is none."""
    if name not in names():
        raise UserError(f"no recipe '{name}'", hint=f"there are: {', '.join(names())}")
    recipe = module_of(name).RECIPE
    assert isinstance(recipe, Recipe)
    return recipe
