# SPDX-License-Identifier: GPL-2.0-only
"""The import contract: which folder imports which, exactly; an import-linter contract.

``setup.cfg`` lists for each folder of the package the folders it imports from.  An edge that
is not listed breaks the contract, and so does a listed one that nobody uses, a circle of
folders, or a library that another folder than the listed ones imports.
``python -m tests.layout`` prints the edges as the code has them, in the form of setup.cfg.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec

import grimp
from importlinter.application import output
from importlinter.domain import fields
from importlinter.domain.contract import Contract, ContractCheck

ROOT = "patchgen"
Edges = Mapping[str, frozenset[str]]


def edges_of(graph: grimp.ImportGraph) -> dict[str, frozenset[str]]:
    """Folder → folders and libraries that its modules import from, without itself."""
    inner = [m for m in graph.modules if m == ROOT or m.startswith(f"{ROOT}.")]
    packages = {m for m in inner if graph.find_children(m)}
    found: dict[str, set[str]] = {}
    for module in inner:
        here = _folder(module, packages)
        for other in graph.find_modules_directly_imported_by(module):
            there = _folder(other, packages) if other in inner else other
            if there != here:
                found.setdefault(here, set()).add(there)
    return {folder: frozenset(others) for folder, others in sorted(found.items())}


def _folder(module: str, packages: set[str]) -> str:
    """The package that a module lies in, below the root; a module of the root is its own."""
    parts = module.split(".")
    if module not in packages and len(parts) > 2:
        parts = parts[:-1]
    return ".".join(parts[1:]) or ROOT


def circle(edges: Edges) -> tuple[str, ...]:
    """The folders of a circle, or nothing."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def is_library(name: str) -> bool:
    """Whether an imported name is neither ours nor Python's own."""
    return name in LIBRARIES


#: Libraries that few folders may see; each is listed in setup.cfg with these folders.
LIBRARIES = frozenset({"click", "clang", "git", "jinja2", "rich"})


class EdgesContract(Contract):
    """``edges``: one line a folder, ``folder -> folder folder ...``."""

    type_name = "edges"
    edges = fields.ListField(subfield=fields.StringField())

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        wanted = dict(_parsed(self.edges))  # type: ignore[call-overload]
        there = {
            folder: frozenset(o for o in others if o in LIBRARIES or not _outside(o, graph))
            for folder, others in edges_of(graph).items()
        }
        wrong = []
        for folder in sorted({*wanted, *there}):
            listed, used = wanted.get(folder, frozenset()), there.get(folder, frozenset())
            wrong += [f"{folder} -> {other}: not listed" for other in sorted(used - listed)]
            wrong += [f"{folder} -> {other}: nobody uses it" for other in sorted(listed - used)]
        if ring := circle(there):
            wrong.append("a circle: " + " -> ".join(ring))
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["wrong"]:
            output.print_error(line)


def _outside(name: str, graph: grimp.ImportGraph) -> bool:
    return f"{ROOT}.{name}" not in graph.modules and name != ROOT


def _parsed(lines: Iterable[str]) -> Iterable[tuple[str, frozenset[str]]]:
    for line in lines:
        folder, _, others = line.partition("->")
        yield folder.strip(), frozenset(others.split())


def main() -> None:
    """Print the edges as setup.cfg lists them."""
    assert find_spec(ROOT) is not None
    graph = grimp.build_graph(ROOT, include_external_packages=True)
    for folder, others in edges_of(graph).items():
        kept = sorted(o for o in others if o in LIBRARIES or not _outside(o, graph))
        if kept:
            print(f"    {folder} -> {' '.join(kept)}")


if __name__ == "__main__":
    sys.exit(main())
