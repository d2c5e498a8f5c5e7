# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen stats BEFORE AFTER``: benchmark runs as the cover letter's table."""

from __future__ import annotations

from pathlib import Path

import click

from patchgen.terminal import say, say_data, say_text


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Only read and check the files.")
@click.option("-v", "--verbose", is_flag=True, help="Say what was read.")
def command(before: Path, after: Path, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Compare two sets of benchmark runs.

    Prints mean and standard deviation of every quantity, and the change in percent.
    BEFORE and AFTER are files that hold one run after the other.

    \b
    As text, one measurement a line:
        [ksm02]              a run set (optional)
        real 0m12.345s       as bash's time prints it
        user 1.20            as time -p prints it, in seconds
        npages=26243         any name and a number
    A run ends at an empty line, at "--", or where a name comes again; # begins a
    comment.

    \b
    As JSON: [{"real": 12.3, "npages": 26243}, ...] or
    {"run set": [{...}, ...], ...}, times in seconds.
    """
    from patchgen.series.stats.table import compare, table

    rows = compare(before, after)
    if verbose:
        counts = f"{rows[0].before.runs} and {rows[0].after.runs} runs"
        say(f"{before}, {after}: {counts}, {len(rows)} quantities", err=True)
    if as_json:
        say_data(rows)
    elif not quiet:
        say_text(table(rows))
