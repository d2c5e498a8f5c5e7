# SPDX-License-Identifier: GPL-2.0-only
"""Which sources of a whole tree contain given words; each word is searched once a state.

Beside :mod:`patchgen.source.tree.search`, which keeps the files that mention the API, this
answers for names that a patch changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from patchgen import memo
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_inside
from patchgen.source.tree import search
from patchgen.source.tree.searched import NEEDLES


def files_with(root: Path, asked: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each word the ``.c`` and ``.h`` files that contain it as a whole word, sorted.

    A word is an identifier, or a file's name.  Of folders without kernel code nothing is
    listed.  UserError: the tree cannot be listed, or a file of it cannot be read.
    """
    wanted = list(dict.fromkeys(asked))
    if not wanted:
        return {}
    real = os.path.realpath(root)
    stamps = search.listed(root)
    state = search.state_of(root)
    found: dict[str, tuple[str, ...]] = {}
    for word in wanted:
        known: tuple[str, ...] | None = memo.recall(
            "words", memo.digest(state, word), tuple[str, ...]
        )
        if known is not None:
            found[word] = known
    missing = [word for word in wanted if word not in found]
    if missing:
        hits: set[str] = set()
        for paths, words in _where(root, stamps, missing):
            hits |= search.grep(root, list(paths), tuple(words))
        for word, paths in _by_word(real, sorted(hits), missing).items():
            found[word] = tuple(paths)
            memo.remember("words", memo.digest(state, word), found[word])
    return found


def _where(
    root: Path, stamps: Iterable[str], words: Iterable[str]
) -> Iterator[tuple[Iterable[str], list[str]]]:
    """The files to look into, with the words that may be there.

    A word that contains what every API name contains stands in the API's files only, which
    the search for the API knows.
    """
    ours: list[str] = []
    others: list[str] = []
    for word in words:
        (ours if any(needle in word for needle in NEEDLES) else others).append(word)
    if ours:
        yield search.candidates(root), ours
    if others:
        yield stamps, others


def _by_word(real: str, hits: list[str], words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {word: [] for word in words}
    patterns = {
        word: re.compile(rb"(?<![A-Za-z0-9_])%s(?![A-Za-z0-9_])" % re.escape(word.encode()))
        for word in words
    }
    for path in hits:
        try:
            data = read_inside(real, path) or b""
        except UserError:
            continue  # listed as refused by the search for the API
        for word, pattern in patterns.items():
            if word.encode() in data and pattern.search(data):
                found[word].append(path)
    return found
