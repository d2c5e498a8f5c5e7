# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen rules``: what is checked."""

from __future__ import annotations

import click

from patchgen.terminal import say, say_data


@click.command()
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only their IDs")
def command(as_json: bool, quiet: bool) -> None:
    """List the lint rules; `patchgen explain MN020` shows one with bad and good code."""
    from patchgen.rules.base import modules

    rules = [module.RULE for module in modules().values()]
    if as_json:
        rows = [
            {"id": r.id, "name": r.name, "severity": r.severity, "summary": r.summary,
             "applies_to": r.where}
            for r in rules
        ]  # fmt: skip
        say_data(rows, None)
        return
    if quiet:
        for rule in rules:
            say(rule.id)
        return
    width = max((len(rule.name) for rule in rules), default=0)
    for rule in rules:
        say(f"{rule.id}  {rule.severity:<7}  {rule.name:<{width}}  {rule.summary}")
