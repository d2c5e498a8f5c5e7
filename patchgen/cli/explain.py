# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen explain``: what a rule or a recipe is for, with good and bad code."""

from __future__ import annotations

import importlib
import inspect
import re

import click

from patchgen.outcome import UserError


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Explain a rule (MN020, or its name) or a recipe (kvm-change-pte)."""
    from patchgen.recipes.base import names

    if name in names():
        module = importlib.import_module(f"patchgen.recipes.{name.replace('-', '_')}")
        click.echo(inspect.getdoc(module))
        return
    from patchgen.rules.base import all_rules

    for rule in all_rules():
        if name.upper() == rule.rule.id or name == rule.rule.name:
            text = inspect.getdoc(rule.module) or ""
            click.echo(f"{rule.rule.id} {rule.rule.name} ({rule.rule.severity})\n\n{text}")
            return
    near = "MN001 to MN035" if re.match(r"(?i)mn\d", name) else "see `patchgen rules`, `recipes`"
    raise UserError(f"no rule or recipe '{name}'", hint=near)
