# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen boot``: the kernel before and after, booted in an emulator."""

from __future__ import annotations

import os
from pathlib import Path

import click

from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_json


@click.command()
@click.option("--tree", "spec", default=".", help="a tree's name or path; default: this folder")
@click.option(
    "--series", type=click.Path(path_type=Path), help="the series: a folder, an mbox, a maildir"
)
@click.option("--rounds", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option(
    "--cpus",
    type=click.IntRange(1, 2),
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="CPUs of the emulated machine; may be given twice",
)
@click.option(
    "--tdp-mmu",
    "tdp_mmu",
    type=click.IntRange(0, 1),
    multiple=True,
    help="KVM's parameter tdp_mmu; may be given twice; default: both, where the tree has it",
)
@click.option("--timeout", type=float, default=0, help="seconds a boot; default: by rounds")
@click.option("--jobs", "-j", type=click.IntRange(1), default=os.cpu_count() or 1, help="for make")
@click.option("--variants", is_flag=True, help="wrong variants of the series too: are they caught?")
@click.option("-o", "out", type=click.Path(path_type=Path), help="write the JSON to this file")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="no progress, only the verdicts")
@click.option("-v", "--verbose", is_flag=True, help="a line for every step")
def command(
    spec: str,
    series: Path | None,
    rounds: int,
    cpus: tuple[int, ...],
    tdp_mmu: tuple[int, ...],
    timeout: float,
    jobs: int,
    variants: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Exit:
    """Boot the kernel before and after SERIES, count its guest's faults.

    Builds both kernels (this runs the tree's own build scripts), boots them under
    QEMU's software emulation, merges and un-merges a small KVM guest's memory, and
    checks every word that the guest reads.  Without --series only the unpatched
    kernel is measured.  Exit status 0: shown, or measured as asked; 1: refuted or a
    wrong variant not caught; 2: something is missing; 3: not shown.
    """
    from patchgen.boot.evidence import dump
    from patchgen.boot.modes import modes
    from patchgen.boot.progress import Progress
    from patchgen.boot.run import Plan, exit_status, run
    from patchgen.boot.table import lines, verdict_lines
    from patchgen.model.outcome import UserError
    from patchgen.sandbox.reader import read_inside
    from patchgen.sandbox.writer import check_given, write_given
    from patchgen.source.tree.registry import resolve

    if variants and series is None:
        raise UserError("--variants needs --series: the variants are made from it")
    if out is not None:
        check_given(out)
    tree = resolve(spec)
    files = series_files(series, tree.path) if series is not None else None
    root = str(tree.path)
    in_modes = modes(lambda path: read_inside(root, path), cpus, tdp_mmu)
    plan = Plan(rounds, in_modes, timeout, jobs, variants)
    with Progress(quiet=quiet, verbose=verbose) as progress:
        evidence = run(tree, files, plan, progress.say)
    if out is not None:
        write_given(out, dump(evidence))
    if as_json:
        say_json(dump(evidence))
    else:
        for line in verdict_lines(evidence) if quiet else lines(evidence):
            say(line)
    return exit_status(evidence)


def series_files(series: Path, root: Path) -> dict[str, bytes | None]:
    """Path → contents of every file of ``series`` after its last patch; None: removed.

    ``root`` is the tree's resolved folder.  UserError when a patch does not apply, or
    when a file of the series has changes that the tree's HEAD does not have: the
    unpatched kernel is built from the folder as it is.
    """
    from patchgen.model.outcome import UserError
    from patchgen.sandbox.reader import read_inside
    from patchgen.series.read.read import read_series
    from patchgen.verify.apply import apply_series

    applied = apply_series(root, read_series(series))
    for patch in applied.patches:
        if patch.misfits:
            raise UserError(f"does not apply: {patch.misfits[0]}", patch.patch.where)
    for path, before in applied.before.items():
        if read_inside(str(root), path) != before:
            raise UserError("differs from the tree's HEAD", path, "commit or revert the change")
    return applied.contents(len(applied.patches))
