# SPDX-License-Identifier: GPL-2.0-only
"""Which sources of a state of the tree hold a word."""

from __future__ import annotations

import re
from collections.abc import Iterable

from patchgen.source.facts.state import TreeState
from patchgen.source.tree import words


def files_with(state: TreeState, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each word the sources of a state that contain it, sorted."""
    wanted = list(dict.fromkeys(names))
    found = words.files_with(state.root, wanted)
    replaced = state.snapshot.overrides
    answer = {}
    for name in wanted:
        pattern = re.compile(rb"(?<![A-Za-z0-9_])%s(?![A-Za-z0-9_])" % re.escape(name.encode()))
        paths = {path for path in found.get(name, ()) if path not in replaced}
        paths |= {
            path
            for path, data in replaced.items()
            if data is not None and path.endswith((".c", ".h")) and pattern.search(data)
        }
        answer[name] = tuple(sorted(paths))
    return answer
