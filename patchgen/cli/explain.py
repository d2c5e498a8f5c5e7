# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen explain``: what a rule or a recipe is for, with good and bad code."""

from __future__ import annotations

import inspect
import re

import click

from patchgen.model.outcome import UserError


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Explain a rule (MN020, or its name) or a recipe (kvm-change-pte)."""
    from patchgen.recipes.base import module_of, names

    if name in names():
        recipe = module_of(name)
        click.echo(inspect.getdoc(recipe))
        return
    from patchgen.rules.base import modules

    for module in modules().values():
        rule = module.RULE
        if name.upper() == rule.id or name == rule.name:
            text = inspect.cleandoc(module.__doc__ or "")
            head = f"{rule.id} {rule.name} ({rule.severity}; applies to {rule.where})"
            click.echo(f"{head}\n\n{text}")
            return
    near = "MN001 to MN035" if re.match(r"(?i)mn\d", name) else "see `patchgen rules`, `recipes`"
    raise UserError(f"no rule or recipe '{name}'", hint=near)
