# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen prove``: the notifier protocol of the tree's handlers, every interleaving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchgen.model.outcome import CheckFailed, Exit
from patchgen.terminal import say, say_json

if TYPE_CHECKING:
    from patchgen.proof.system.locate import Read


@click.command()
@click.option(
    "--tree",
    "spec",
    default=".",
    show_default="this folder",
    help="a name from kernel-tree/trees.toml, or a path to a kernel tree",
)
@click.option(
    "--series", multiple=True, metavar="DIR", help="prove the tree with this series applied"
)
@click.option("--case", "cases", multiple=True, help="only this transition, as in rw-ro-same")
@click.option("--vcpus", type=click.IntRange(1, 2), default=2, show_default=True)
@click.option("--invalidations", type=click.IntRange(1, 2), default=2, show_default=True)
@click.option("--spin", "with_spin", is_flag=True, help="have Spin check every verdict")
@click.option(
    "--promela", type=click.Path(path_type=Path), metavar="DIR", help="write the models to DIR"
)
@click.option("--html", type=click.Path(path_type=Path), help="write a page with the runs drawn")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only the verdict")
@click.option("-v", "--verbose", is_flag=True, help="a run for every transition and cause")
def command(
    spec: str,
    series: tuple[str, ...],
    cases: tuple[str, ...],
    vcpus: int,
    invalidations: int,
    with_spin: bool,
    promela: Path | None,
    html: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Exit:
    """Explore the notifier protocol of the tree's KVM handlers.

    The handlers are followed from the code; what is not understood leaves every property
    undecided, with its line.  Exit status 0 when every safety property holds, 1 when one is
    violated or undecided.
    """
    from patchgen.cli.options import progress
    from patchgen.proof.extract.protocol import Bounds
    from patchgen.proof.prove import check_cases, prove, shape, understand
    from patchgen.proof.show.answer import as_lines, to_json, verdict_line
    from patchgen.sandbox.writer import check_given
    from patchgen.source.tree.registry import resolve

    tree = resolve(spec)
    check_cases(cases)
    if html is not None:
        check_given(html)
    bounds = Bounds(vcpus, invalidations)
    show = progress(quiet or as_json)
    good = True
    states = _states(tree.path, series)
    proved: object = None
    for number, (label, read) in enumerate(states, 1):
        found = shape(understand(read))
        if found == proved and number < len(states):
            continue  # Lines moved, nothing else.
        proved = found
        result = prove(
            read, bounds, cases, lambda name, count, _: show(f"{name}: {count:,} states")
        )
        show("")
        if label is None:
            before = result
        elif result.new_since(before) or result.undecided:
            good = False
            say(f"{label}: {verdict_line(result)}", err=True)
    if with_spin:
        from patchgen.proof.show.check import compare

        for row in compare(read, bounds, result, cases):
            good &= row.same
            say(row.line(), err=as_json)
    if promela is not None:
        from patchgen.proof.show.check import write_models

        write_models(read, bounds, promela, cases)
    if html is not None:
        from patchgen.proof.show.diagram import write_html

        write_html(html, result, f"The mmu notifier protocol of Linux {tree.version}")
    if as_json:
        say_json(to_json(result))
    else:
        for line in as_lines(result, verbose=verbose, quiet=quiet):
            say(line)
    return result.exit if good else Exit.FINDINGS


def _states(root: Path, series: tuple[str, ...]) -> list[tuple[str | None, Read]]:
    """The tree as it is, and behind each patch of the series."""
    from patchgen.source.tree.snapshot import Snapshot

    snapshot = Snapshot(root)
    states: list[tuple[str | None, Read]] = [(None, snapshot.read)]
    if not series:
        return states
    from patchgen.series.read.read import read_series
    from patchgen.verify.apply import apply_series

    applied = apply_series(root, read_series(series))
    for number, patch in enumerate(applied.patches, 1):
        if not patch.ok:
            reasons = "; ".join(str(misfit) for misfit in patch.misfits)
            raise CheckFailed(
                f"does not apply: {reasons or 'see patchgen verify'}", patch.patch.where
            )
        label = f"behind patch {number}/{len(applied.patches)}"
        states.append((label, snapshot.with_files(applied.contents(number)).read))
    return states
