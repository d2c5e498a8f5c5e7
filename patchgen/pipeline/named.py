# SPDX-License-Identifier: GPL-2.0-only
"""What the user named on the command line → files of the tree."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.named import tree_path
from patchgen.source.tree.searched import NOT_SEARCHED


class Named(Value, frozen=True):
    """Files that were asked for.

    ``files`` are paths of the tree, in the order of the words; ``refused`` entries of named
    folders that were not looked into, and why; ``empty`` named folders in which no file
    mentions the API.  ``whole`` is the whole tree: no word, or its top.
    """

    files: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    empty: tuple[str, ...] = ()
    whole: bool = False


def named(state: TreeState, words: Sequence[str]) -> Named:
    """The files that ``words`` mean: files, and folders for all in them that mentions the API.

    UserError: a word is no file or folder of the tree, or a folder that is never looked
    into because it holds no code of the kernel's.
    """
    paths = [tree_path(str(state.root), word) for word in words]
    if not paths or "" in paths:
        return Named(whole=True)
    files: dict[str, None] = {}
    refused: dict[tuple[str, str], None] = {}
    empty = []
    for word, path in zip(words, paths, strict=True):
        if not look.is_folder(state.root / path):
            files[path] = None
            continue
        if path.partition("/")[0] in NOT_SEARCHED:
            raise UserError("holds no code of the kernel's: not looked into", word, "name a file")
        inside = [found for found in state.candidates() if found.startswith(f"{path}/")]
        lost = [one for one in state.refused() if one[0].startswith(f"{path}/")]
        files |= dict.fromkeys(inside)
        refused |= dict.fromkeys(lost)
        if not inside and not lost:
            empty.append(path)
    return Named(tuple(files), tuple(refused), tuple(empty))
