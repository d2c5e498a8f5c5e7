# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen recipes``: what can be generated."""

from __future__ import annotations

import click

from patchgen.terminal import say, say_data


@click.command()
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only their names")
def command(as_json: bool, quiet: bool) -> None:
    """List the recipes."""
    from patchgen.recipes.base import load, names

    known = [load(name) for name in names()]
    if as_json:
        rows = [{"name": recipe.name, "summary": recipe.summary} for recipe in known]
        say_data(rows, None)
        return
    if quiet:
        for recipe in known:
            say(recipe.name)
        return
    width = max(len(recipe.name) for recipe in known)
    for recipe in known:
        say(f"{recipe.name:<{width}}  {recipe.summary}")
