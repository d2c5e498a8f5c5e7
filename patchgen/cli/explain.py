# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen explain``: what a rule or a recipe is for, with good and bad code."""

from __future__ import annotations

import inspect
import re

import click

from patchgen.model.outcome import UserError
from patchgen.terminal import say, say_data, say_text


@click.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only what it is, in a line")
def command(name: str, as_json: bool, quiet: bool) -> None:
    """Explain a rule (MN020, or its name) or a recipe (kvm-change-pte)."""
    head, text = _explained(name)
    if as_json:
        say_data({"name": name, "head": head, "text": text}, None)
    elif quiet:
        say(head)
    else:
        say_text(f"{head}\n\n{text}")


def _explained(name: str) -> tuple[str, str]:
    """What it is, in a line, and the rest; UserError: there is no such rule or recipe."""
    from patchgen.recipes.base import module_of, names

    if name in names():
        head, _, text = (inspect.getdoc(module_of(name)) or "").partition("\n\n")
        return head, text
    from patchgen.rules.base import modules

    for module in modules().values():
        rule = module.RULE
        if name.upper() == rule.id or name == rule.name:
            head = f"{rule.id} {rule.name} ({rule.severity}; applies to {rule.where})"
            return head, inspect.cleandoc(module.__doc__ or "")
    known = list(modules())
    near = "see `patchgen rules`, `recipes`"
    if re.match(r"(?i)mn\d", name):
        near = f"{known[0]} to {known[-1]}"
    raise UserError(f"no rule or recipe '{name}'", hint=near)
