# SPDX-License-Identifier: GPL-2.0-only
"""The data files below ``kernel/knowledge``: loaded once each, when first asked for.

What the kernel's primitives do is data; each entry names the header it is from.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("knowledge")


@cache
def load(name: str) -> dict[str, Any]:
    """The table of ``knowledge/<name>.toml``; it is shared, do not change it."""
    with (_FOLDER / f"{name}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def names(file: str, *keys: str) -> frozenset[str]:
    """A list of names, at ``keys`` in ``file``, as a set."""
    table: Any = load(file)
    for key in keys:
        table = table[key]
    return frozenset(table)


@cache
def is_quick(name: str) -> bool:
    """Whether a function returns at once and leaves every lock as it was (quick.toml)."""
    data = load("quick")
    return any(name in listed for listed in data["functions"].values()) or any(
        re.fullmatch(pattern, name) for pattern in data["families"]["patterns"]
    )


@cache
def constants() -> dict[str, int]:
    """Names with known numbers: errnos (positive), NULL, true, false."""
    data = load("evaluation")
    return {**data["errno"], **data["constants"]}
