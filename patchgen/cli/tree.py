# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen tree``: bring kernel trees in, list them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from patchgen.terminal import rewrites, say, say_data

if TYPE_CHECKING:
    from patchgen.sandbox.child import Report
    from patchgen.source.tree.describe import Tree
    from patchgen.source.tree.listing import Row


@click.group("tree", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Bring kernel trees into kernel-tree/, list them."""


@command.command("add")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--from", "source", metavar="git|debian|PATH", default="", help="the one source to use"
)
@click.option("--as", "alias", metavar="NAME", default="", help="call it so in kernel-tree/")
@click.option("--json", "as_json", is_flag=True, help="print the trees as JSON")
@click.option("-q", "--quiet", is_flag=True, help="print nothing but errors")
@click.option("-v", "--verbose", is_flag=True, help="say where each tree came from")
def add_command(
    names: tuple[str, ...], source: str, alias: str, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Bring kernel trees in: from a path, kernel.org's stable git, or Debian.

    NAME is one of `patchgen tree list`; with --from PATH it may be any name.
    Trees are shared by all checkouts of this user, and fetched once.
    """
    from patchgen.source.tree import fetch

    if alias and len(names) > 1:
        raise click.UsageError("--as takes a single NAME")
    trees: list[Tree] = []
    for name in names:
        with _progress(name, quiet) as report:
            tree = fetch.add(name, source, alias, report)
        trees.append(tree)
        if not as_json and not quiet:
            origin = fetch.origin(tree.path) if verbose else None
            detail = f" ({origin.detail})" if origin else ""
            say(f"{tree.name}: Linux {tree.version} in {tree.root}{detail}")
    if as_json:
        say_data({"trees": trees}, None)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="print the list as JSON")
@click.option("-q", "--quiet", is_flag=True, help="print the names of present trees only")
@click.option("-v", "--verbose", is_flag=True, help="say where fetched trees came from")
def list_command(as_json: bool, quiet: bool, verbose: bool) -> None:
    """List the kernel trees: name, version, source, size, where."""
    from patchgen.source.tree.listing import listing

    rows = listing()
    if as_json:
        say_data({"trees": rows}, None)
    elif quiet:
        for row in rows:
            if row.present:
                say(row.name)
    else:
        _print_table(rows, verbose)


def _print_table(rows: list[Row], verbose: bool) -> None:
    lines = [("NAME", "VERSION", "SOURCE", "SIZE", "WHERE")]
    for row in rows:
        size = "-" if row.size is None else f"{row.size / 1e9:.1f} GB"
        fetch = "" if row.source == "bundled" else f": patchgen tree add {row.name}"
        absent = row.note or f"not here{fetch}"
        where = row.where if row.present else f"{row.where} ({absent})".strip()
        lines.append((row.name, row.version or "-", _source(row, verbose), size, where))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        say("  ".join([*cells, line[4]]))


def _source(row: Row, verbose: bool) -> str:
    from pathlib import Path

    from patchgen.source.tree.fetch import origin

    found = origin(Path(row.where)) if verbose and row.present else None
    return f"{row.source}: {found.detail}" if found else row.source


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Report]:
    """A progress bar on a terminal that can draw one, else one line on stderr for each stage."""
    if quiet:
        yield lambda stage, done, total: None
    elif rewrites(sys.stderr):
        yield from _bar(name)
    else:
        yield _lines(name)


def _lines(name: str) -> Report:
    said: set[str] = set()

    def report(stage: str, done: int, total: int) -> None:
        if stage not in said:
            said.add(stage)
            say(f"{name}: {stage}", err=True)

    return report


def _bar(name: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(name, total=None)

        def report(stage: str, done: int, total: int) -> None:
            progress.update(
                task, description=f"{name}: {stage}", completed=done, total=total or None
            )

        yield report
