# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen inspect``: what a tree says about mmu notifiers, and what was not seen."""

from __future__ import annotations

from pathlib import Path

import click

from patchgen.cli.options import open_state, progress, tree_options, verbose_option
from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_data


@click.command()
@click.argument("files", nargs=-1)
@tree_options
@verbose_option
def command(
    files: tuple[str, ...],
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> Exit:
    """Inspect FILES, or all that mentions the API; a folder means what is in it.

    Exit status 1 when something was left unparsed, also on one of the architectures.
    """
    state = open_state(spec, build_dir, arch)
    if not files:
        state.expect_search()  # while the rest is imported
    from patchgen.pipeline.inspect import inspect_named, kvm_of
    from patchgen.pipeline.named import named
    from patchgen.report.headline import headline
    from patchgen.report.inspection import (
        inspection_data,
        inspection_lines,
        ledger_totals,
        totals_line,
    )

    show = progress(quiet)
    chosen = named(state, files)
    show("parse")
    generation = state.generation()
    found = inspect_named(state, chosen)
    show("")
    kvm = kvm_of(state)
    if as_json:
        data = inspection_data(state.tree.version, generation, kvm, found)
        say_data(data)
    else:
        lost_paths = {path for path, _ in found.failed}
        read = (facts.path for facts in found.files if facts.path not in lost_paths)
        sources = {path: state.read(path) or b"" for path in read}
        idiom = kvm.idiom if kvm else "no KVM"
        head = headline(state.tree.version, idiom, generation)
        lines = inspection_lines(head, kvm, found, sources, verbose)
        for line in (head, totals_line(found)) if quiet else lines:
            say(line)
    for facts in found.files:
        for diagnostic in facts.diagnostics:
            if verbose or diagnostic.severity != "warning":
                say(f"patchgen: {diagnostic}", err=True)
    lost = ledger_totals(found.mentions)["unparsed"] or found.failed or found.partly
    return Exit.FINDINGS if lost else Exit.CLEAN
