# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen plan``: what the tree has, what would be generated, what is refused."""

from __future__ import annotations

from pathlib import Path

import click

from patchgen.cli.options import open_state, tree_options, verbose_option
from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_data


@click.command()
@click.argument("recipes", nargs=-1, required=True)
@tree_options
@verbose_option
@click.option("--only", multiple=True, help="only this recipe's patches (repeatable)")
@click.option("--skip", multiple=True, help="not this recipe's patches (repeatable)")
@click.option("--until", default="", help="stop after this recipe")
@click.option("--no-overrides", is_flag=True, help="analysis alone, no data of known exceptions")
def command(
    recipes: tuple[str, ...],
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    until: str,
    no_overrides: bool,
) -> Exit:
    """Plan RECIPES for a tree; nothing is written.

    Exit status 3 when the tree is refused, with the evidence.
    """
    from patchgen.pipeline.plan import make_plan
    from patchgen.recipes.base import Options
    from patchgen.recipes.planned import Choice
    from patchgen.report.plan import plan_data, plan_lines

    state = open_state(spec, build_dir, arch)
    plan = make_plan(state, recipes, Options(not no_overrides), Choice(only, skip, until))
    if as_json:
        say_data(plan_data(plan))
    else:
        if not quiet:
            from patchgen.pipeline.inspect import tree_headline

            say(tree_headline(state))
        for line in plan_lines(plan):
            say(line)
    return Exit.REFUSED if plan.refusals else Exit.CLEAN
