# SPDX-License-Identifier: GPL-2.0-only
"""A comparison with a generation as lines for people, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from patchgen.kernel.api.check import Comparison, Identity
from patchgen.kernel.api.surface import BRANCHES, HEADER, Item


def as_lines(
    version: str, identity: Identity, compared: Comparison, quiet: bool, verbose: bool
) -> Iterator[str]:
    """The verdict, then one line a name that is missing or different.

    ``verbose`` adds the names that are present, ``quiet`` leaves the verdict.
    """
    yield f"Linux {version} · API {identity}"
    yield (
        f"against {compared.generation}: {len(compared.present)} present, "
        f"{len(compared.missing)} missing, {len(compared.different)} different"
    )
    if quiet:
        return
    for item in compared.missing:
        yield f"missing    {HEADER}: {_what(item)}"
    for pair in compared.different:
        found = pair.found
        yield f"different  {found.place}: {found.name} ({_branch(found)}) is {_text(found)}"
        yield f"           wanted: {_text(pair.wanted)}"
    if verbose:
        for item in compared.present:
            yield f"present    {item.place}: {_what(item)}"


def to_json(tree: str, version: str, identity: Identity, compared: Comparison) -> bytes:
    """One JSON object; ``branch`` "on" is with CONFIG_MMU_NOTIFIER, "off" without."""
    value = {
        "tree": tree,
        "version": version,
        "generation": identity.generation,
        "deviations": {
            "added": identity.added,
            "lacking": identity.lacking,
            "changed": identity.changed,
        },
        "api": compared.generation,
        "conforms": compared.conforms,
        "present": [_row(item) for item in compared.present],
        "missing": [_row(item) for item in compared.missing],
        "different": [
            {**_row(pair.found), "wanted": _text(pair.wanted)} for pair in compared.different
        ],
        "extra": [_row(item) for item in compared.extra],
    }
    return msgspec.json.encode(value)


def _row(item: Item) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        "name": item.name,
        "kind": item.kind,
        "branch": item.branch,
        "text": item.text,
    }
    if item.place is not None:
        row |= {"path": item.place.path, "line": item.place.line}
    return row


def _what(item: Item) -> str:
    return f"{item.name} ({_branch(item)}), {_text(item)}"


def _text(item: Item) -> str:
    return f"{item.kind} {item.text}".strip() if not item.text.startswith("macro") else item.text


def _branch(item: Item) -> str:
    assert item.branch in BRANCHES
    return "configured" if item.branch == "on" else "unconfigured"
