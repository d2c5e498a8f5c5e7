# SPDX-License-Identifier: GPL-2.0-only
"""A change to a tree, checked as `verify` checks a patch, without mails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from patchgen.pipeline.check import Job, check_all
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe
from patchgen.verify.checked import PatchCheck

Files = Mapping[str, str | bytes | None]


def checked(root: Path, files: Files, renamed: Mapping[str, str] | None = None) -> PatchCheck:
    """What is said of the patch that makes ``files`` what they are; None takes one away."""
    given = {p: d.encode() if isinstance(d, str) else d for p, d in files.items()}
    before = TreeState(describe(root))
    pairs = tuple((renamed or {}).items())
    (check,) = check_all([Job(before, before.after(given), "a patch", tuple(sorted(given)), pairs)])
    return check


def edited(root: Path, path: str, *pairs: tuple[str, str]) -> dict[str, str | bytes | None]:
    """A file of the tree with texts replaced, each of which is there once."""
    text = (root / path).read_text()
    for old, new in pairs:
        assert text.count(old) == 1, (path, old, text.count(old))
        text = text.replace(old, new)
    return {path: text}


def state_of(check: PatchCheck, path: str) -> str:
    return next(v.state for v in check.files if v.path == path)
