# SPDX-License-Identifier: GPL-2.0-only
"""A big series → several, one for each MAINTAINERS entry, in dependency order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from patchgen.model.base import Value

# Documentation/process/submitting-patches.rst: post no more than 15 or so at a time.
LIMIT = 15
NOBODY = "THE REST"


class Entry(Value, frozen=True):
    """A MAINTAINERS entry: its title, and patterns of its files (F:) and not (X:)."""

    title: str
    files: tuple[str, ...]
    excluded: tuple[str, ...] = ()


class Part(Value, frozen=True):
    """A series to be: the entry's title, and the numbers of its patches from 1.

    ``after`` are the places (from 1) of the parts that must be merged first.
    """

    title: str
    patches: tuple[int, ...]
    after: tuple[int, ...] = ()


def parse_maintainers(text: str) -> tuple[Entry, ...]:
    """The entries of a MAINTAINERS file that name files."""
    entries = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        files = tuple(line[2:].strip() for line in lines if line.startswith("F:"))
        excluded = tuple(line[2:].strip() for line in lines if line.startswith("X:"))
        if files and not re.match(r"[A-Z]:", lines[0]):
            entries.append(Entry(lines[0].strip(), files, excluded))
    return tuple(entries)


def entry_for(path: str, entries: Sequence[Entry]) -> str:
    """The title of the entry with the most exact pattern for ``path``."""
    best, title = (-1, -1), NOBODY
    for entry in entries:
        if any(_matches(pattern, path) for pattern in entry.excluded):
            continue
        for pattern in entry.files:
            # As get_maintainer.pl: depth of the pattern, then its length.
            weight = (pattern.strip("/").count("/"), len(pattern))
            if weight > best and _matches(pattern, path):
                best, title = weight, entry.title
    return title


def _matches(pattern: str, path: str) -> bool:
    """``dir/`` takes everything below; ``*`` and ``?`` stop at a slash."""
    glob = "".join({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(glob + (".*" if pattern.endswith("/") else ""), path) is not None


def split(
    patches: Sequence[Sequence[str]],
    entries: Sequence[Entry],
    limit: int = LIMIT,
    recipes: Sequence[str] = (),
) -> tuple[Part, ...]:
    """Cut a series, given as the paths that each patch touches, into parts.

    A patch belongs to the entry that has most of its files.  It depends on earlier
    patches that touch one of its files, and on earlier ones that touch a header,
    which anything may include; with ``recipes`` (of each patch), which stand in the order
    of their needs, also on earlier ones of another recipe.  Entries that depend on each
    other both ways stay together; a part of more than ``limit`` patches is cut.  Parts
    come in an order in which each builds on the ones before only.
    """
    titles = [_title(paths, entries) for paths in patches]
    needs = _needs(patches, recipes)
    groups = _merged(titles, needs)
    order = _ordered(groups, needs)
    parts: list[Part] = []
    place: dict[int, int] = {}
    for group in order:
        for start in range(0, len(group), limit):
            numbers = group[start : start + limit]
            title = " and ".join(dict.fromkeys(titles[number] for number in numbers))
            place |= dict.fromkeys(numbers, len(parts) + 1)
            parts.append(Part(title, tuple(number + 1 for number in numbers)))
    return tuple(
        Part(part.title, part.patches, _after(part, here, needs, place))
        for here, part in enumerate(parts, 1)
    )


def _title(paths: Sequence[str], entries: Sequence[Entry]) -> str:
    titles = [entry_for(path, entries) for path in paths]
    return max(dict.fromkeys(titles), key=titles.count, default=NOBODY)


def _needs(patches: Sequence[Sequence[str]], recipes: Sequence[str]) -> list[set[int]]:
    """For each patch the earlier ones that it builds on."""
    needs: list[set[int]] = []
    for number, paths in enumerate(patches):
        mine = set(paths)
        needs.append(
            {
                other
                for other in range(number)
                if mine & set(patches[other])
                or any(p.endswith(".h") for p in patches[other])
                or (recipes and recipes[other] != recipes[number])
            }
        )
    return needs


def _merged(titles: Sequence[str], needs: Sequence[set[int]]) -> list[list[int]]:
    """Patches by entry; entries that reach each other become one group."""
    names = list(dict.fromkeys(titles))
    reach = {
        name: {titles[o] for n, t in enumerate(titles) if t == name for o in needs[n]} | {name}
        for name in names
    }
    for middle in names:
        for name in names:
            if middle in reach[name]:
                reach[name] |= reach[middle]
    leader = {
        name: next(other for other in names if other in reach[name] and name in reach[other])
        for name in names
    }
    groups: dict[str, list[int]] = {}
    for number, title in enumerate(titles):
        groups.setdefault(leader[title], []).append(number)
    return list(groups.values())


def _ordered(groups: list[list[int]], needs: Sequence[set[int]]) -> list[list[int]]:
    done: set[int] = set()
    order: list[list[int]] = []
    left = list(groups)
    while left:
        ready = next(group for group in left if all(needs[n] <= done | set(group) for n in group))
        left.remove(ready)
        order.append(ready)
        done |= set(ready)
    return order


def _after(
    part: Part, here: int, needs: Sequence[set[int]], place: Mapping[int, int]
) -> tuple[int, ...]:
    wanted = {place[other] for number in part.patches for other in needs[number - 1]}
    return tuple(sorted(wanted - {here}))
