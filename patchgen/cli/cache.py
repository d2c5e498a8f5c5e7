# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen cache``: what is kept between runs, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from patchgen import memo
from patchgen.terminal import say, say_data

if TYPE_CHECKING:
    from patchgen.upkeep import Holding, Limits


@click.command()
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
@click.option("--clear", is_flag=True, help="remove all entries, or those of the KINDs")
@click.option("--prune", is_flag=True, help="remove what is over the limits, now")
@click.option("--json", "as_json", is_flag=True, help="for machines")
@click.option("-q", "--quiet", is_flag=True, help="only the bytes that there are, or were removed")
def command(kinds: tuple[str, ...], clear: bool, prune: bool, as_json: bool, quiet: bool) -> None:
    """Show what the cache holds; remove it, or what is over its limits.

    The limits are $PATCHGEN_CACHE_SIZE (MiB, 5120 by default) and $PATCHGEN_CACHE_DAYS (unused
    for that long, 30 by default); runs that store something hold them.  What another run may
    be reading stays.  Fetched kernels are no part of it: `patchgen tree list`.
    """
    from patchgen import upkeep

    limit = upkeep.limits()
    if clear and prune:
        raise click.UsageError("--clear removes what --prune would")
    if kinds and not clear:
        raise click.UsageError("a KIND is for --clear")
    if clear or prune:
        count, size = upkeep.clear(kinds) if clear else upkeep.prune(limit)
        if as_json:
            say_data({"removed": {"entries": count, "size": size}}, None)
        elif quiet:
            say(str(size))
        else:
            say(f"{count} entries removed, {_amount(size)}")
        return
    found = upkeep.holdings()
    if as_json:
        say_data({"folder": str(memo.cache_dir()), "limits": limit, "kinds": found}, None)
    elif quiet:
        say(str(sum(one.size for one in found)))
    else:
        _table(found, limit)


def _table(found: tuple[Holding, ...], limit: Limits) -> None:
    total = sum(one.size for one in found)
    most = f"{_amount(limit.size)}, {limit.days} days unused"
    say(f"{memo.cache_dir()}: {_amount(total)} (limits: {most})")
    if not found:
        return
    width = max(len(one.kind) for one in found)
    say(f"{'KIND':<{width}}  {'ENTRIES':>7}  {'SIZE':>9}  UNUSED FOR")
    for one in found:
        days = f"{one.oldest:.0f} days" if one.oldest >= 1 else "less than a day"
        say(f"{one.kind:<{width}}  {one.entries:>7}  {_amount(one.size):>9}  {days}")


def _amount(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{size / (1 << 10):.1f} KiB"
