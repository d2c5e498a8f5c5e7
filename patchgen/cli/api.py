# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen api check``: the tree's mmu notifier API against a generation."""

from __future__ import annotations

import click

from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_data, say_json


@click.group()
def command() -> None:
    """Hold the tree's mmu notifier API against a generation's descriptor."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only their names")
def list_generations(as_json: bool, quiet: bool) -> None:
    """List the API generations that there are descriptors for."""
    from patchgen.kernel.api.descriptor import all_descriptors

    known = all_descriptors()
    if as_json:
        rows = [{"name": d.name, "summary": d.summary, "names": len(d.items)} for d in known]
        say_data(rows, None)
        return
    for descriptor in known:
        say(descriptor.name if quiet else f"{descriptor.name:<17} {descriptor.summary}")


@command.command()
@click.option("--tree", "spec", default=".", help="a tree's name or path; default: this folder")
@click.option("--api", "generation", default="", help="default: the tree's own generation")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only the verdict")
@click.option("-v", "--verbose", is_flag=True, help="list the names that are present, too")
def check(spec: str, generation: str, as_json: bool, quiet: bool, verbose: bool) -> Exit:
    """Say which generation the tree has, and what differs from one.

    Exit status 0 when nothing is missing or different, 1 otherwise.
    """
    from patchgen.kernel.api.check import compare, identify
    from patchgen.kernel.api.descriptor import load
    from patchgen.report.api import as_lines, to_json
    from patchgen.source.clang.surface import surface
    from patchgen.source.tree.registry import resolve

    wanted = load(generation) if generation else None
    tree = resolve(spec)
    found = surface(tree.path)
    identity = identify(found)
    compared = compare(found, wanted or load(identity.generation))
    if as_json:
        say_json(to_json(tree.name, tree.version, identity, compared))
    else:
        for line in as_lines(tree.version, identity, compared, quiet=quiet, verbose=verbose):
            say(line)
    for problem in found.diagnostics:
        say(f"patchgen: {problem}", err=True)
    return Exit.CLEAN if compared.conforms else Exit.FINDINGS
