# SPDX-License-Identifier: GPL-2.0-only
"""Options that commands share, and the tree that they name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from patchgen.terminal import rewrites, show

if TYPE_CHECKING:
    from patchgen.source.facts.state import TreeState


def tree_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--tree``, ``--build-dir``, ``--arch``, ``--json``, ``-q``."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="only the result"),
        click.option("--json", "as_json", is_flag=True, help="for machines"),
        click.option("--arch", default=None, help="architecture to parse for"),
        click.option(
            "--build-dir",
            type=click.Path(path_type=Path),
            default=None,
            help="a configured build folder, or one with compile_commands.json: use its flags",
        ),
        click.option(
            "--tree", "spec", default=".", show_default="this folder",
            help="a name from kernel-tree/trees.toml, or a path to a kernel tree",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def unfenced(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--unfenced-checkpatch``: for kernels that cannot fence a program in."""

    def allow(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            from patchgen.sandbox.fence import Fencing

            Fencing.required = False

    return click.option(
        "--unfenced-checkpatch", is_flag=True, expose_value=False, callback=allow,
        help="run checkpatch and get_maintainer where this machine cannot fence them in, too",
    )(function)  # fmt: skip


def verbose_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``-v``; in ``generate`` this is git's reroll count instead."""
    return click.option("-v", "--verbose", is_flag=True, help="say more")(function)


def open_state(spec: str, build_dir: Path | None = None, arch: str | None = None) -> TreeState:
    """The tree as it is on disk; UserError where there is none."""
    from patchgen.source.facts.state import TreeState
    from patchgen.source.tree.registry import resolve

    return TreeState(resolve(spec), build_dir, arch=arch)


def progress(quiet: bool) -> Callable[[str], None]:
    """A progress line on stderr where a terminal can write it over, else nothing."""
    if quiet or not rewrites(sys.stderr):
        return lambda line: None

    return show
