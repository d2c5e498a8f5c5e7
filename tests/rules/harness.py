# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures of the rules: C files with the expected findings on their lines.

First lines of a fixture::

    // API: 5.0 5.2 5.10 6.1        generations under which it runs (all of them)
    // IDIOM: direct                KVM's idiom, if the rule asks
    // PATH: virt/kvm/kvm_main.c    the path the rule sees, if it matters

A line that shall be found ends in ``// EXPECT: MN020``, followed by generations
if not all of the fixture's: ``// EXPECT: MN020 [5.10 6.1]``.  Findings on other
lines fail; ``// UNDECIDED: MN020`` likewise expects an undecided place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from patchgen.kernel.api.descriptor import load
from patchgen.kernel.api.features import ApiFeatures, features_of
from patchgen.model.facts import FileFacts
from patchgen.rules.base import Context
from patchgen.source.c.body import functions_in
from patchgen.source.c.lexer import Tokens
from patchgen.source.facts.ops import filled_at_run_time, tables

FOLDER = Path(__file__).parent

#: Generations by the name of a kernel that has them.
GENERATIONS = {"5.4": "5.2", "6.1": "5.15", "6.12": "6.10", "v05": "mmu-notifier-v05"}

_HEADER = re.compile(r"^// (API|IDIOM|PATH): (.*)$", re.M)
_EXPECT = re.compile(r"// (EXPECT|UNDECIDED): (MN\d{3})(?: \[([^\]]*)\])?")


class Fixture(NamedTuple):
    """A parsed fixture; ``expected`` holds (word, rule, line, generations)."""

    name: str
    path: str
    source: bytes
    generations: tuple[str, ...]
    idiom: str
    expected: tuple[tuple[str, str, int, tuple[str, ...]], ...]

    def wanted(self, generation: str, word: str) -> set[tuple[str, int]]:
        return {
            (rule, line)
            for kind, rule, line, only in self.expected
            if kind == word and (not only or generation in only)
        }


def fixture(path: Path) -> Fixture:
    """Read the fixture at ``path``."""
    text = path.read_text(encoding="utf-8")
    header = dict(_HEADER.findall(text))
    expected = tuple(
        (match[1], match[2], number, tuple((match[3] or "").split()))
        for number, line in enumerate(text.split("\n"), 1)
        for match in _EXPECT.finditer(line)
    )
    generations = tuple(header["API"].split())
    shown = header.get("PATH", f"drivers/{path.name}").strip()
    return Fixture(path.stem, shown, text.encode(), generations,
                   header.get("IDIOM", "").strip(), expected)  # fmt: skip


def features(generation: str, idiom: str = "") -> ApiFeatures:
    """Features of a generation, by kernel or descriptor."""
    return features_of(load(GENERATIONS.get(generation, generation)).items, idiom)


def facts_from(source: bytes, path: str) -> FileFacts:
    """Facts of a self-contained file, without clang."""
    functions = functions_in(source, path)
    tokens = Tokens(source)
    ops = (*tables(tokens, path), *filled_at_run_time(functions))
    return FileFacts(path, "x86_64", "", functions, ops, (), (), ())


def context(source: bytes, path: str, generation: str, idiom: str = "") -> Context:
    """What a rule sees of one file under one generation."""
    facts = facts_from(source, path)
    return Context({path: facts}, features(generation, idiom), {path: source}.get)
