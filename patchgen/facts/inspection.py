# SPDX-License-Identifier: GPL-2.0-only
"""tree → facts: every file that mentions the API, under every configuration it needs."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from patchgen import cache
from patchgen.facts.conditions import switches
from patchgen.facts.extract import extract_header
from patchgen.facts.lexer import Tokens
from patchgen.facts.merge import merge
from patchgen.facts.state import TreeState, api_names
from patchgen.facts.store import Taken
from patchgen.model import FileFacts, Mention, Value
from patchgen.outcome import Failed, UserError
from patchgen.parse.unit import HeaderUse


class Inspection(Value, frozen=True):
    """The whole picture of a tree, or of some of its files.

    ``failed`` are files with no facts at all, and why; their mentions are in the
    ledger as unparsed.
    """

    files: tuple[FileFacts, ...]
    failed: tuple[tuple[str, str], ...]

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """The ledger, in order of files and offsets."""
        return tuple(mention for facts in self.files for mention in facts.mentions)


def inspect(state: TreeState, paths: Sequence[str] = ()) -> Inspection:
    """Facts of ``paths``, or of every file of the tree that mentions the API.

    Every file is parsed for each architecture it belongs to; where mentions stay
    inactive, again with the CONFIG options around them turned.  UserError: one of
    ``paths`` is not there, is no C source or header, or cannot be read.
    """
    whole = not paths
    asked = dict.fromkeys(_asked_for(state, path) for path in paths)
    wanted = list(asked or state.candidates())
    sources = [path for path in wanted if path.endswith(".c")]
    headers = [path for path in wanted if not path.endswith(".c")]
    variants: dict[str, list[FileFacts]] = {}
    uses: dict[str, dict[HeaderUse, str]] = {}
    failed: dict[str, str] = {}
    refused = state.refused() if whole else ()

    def collect(jobs: Sequence[tuple[str, str, frozenset[str], frozenset[str]]]) -> None:
        for (path, *_), outcome in zip(jobs, state.taken(jobs), strict=True):
            if isinstance(outcome, Failed):
                failed.setdefault(path, outcome.error)
                continue
            taken: Taken = outcome.value
            variants.setdefault(path, []).append(taken.facts)
            for use in taken.headers:
                uses.setdefault(use.path, {}).setdefault(use, taken.facts.arch)

    nothing: frozenset[str] = frozenset()
    collect([(p, arch, nothing, nothing) for p in sources for arch in _arches(state, p)])
    collect(_turned(state, variants))
    lonely = [path for path in headers if path not in uses]
    collect([(p, arch, nothing, nothing) for p in lonely for arch in _arches(state, p)[:1]])
    if whole:
        for path in headers:
            for use, arch in uses.get(path, {}).items():
                source = state.read(path) or b""
                found = extract_header(source, path, use, api_names(), arch)
                variants.setdefault(path, []).append(found)
        collect(_turned(state, {p: v for p, v in variants.items() if p.endswith(".h")}))
    files = []
    for path in wanted:
        if path in variants:
            files.append(merge(_parsed_first(variants[path])))
        elif path in failed:
            files.append(_unparsed(state, path, failed[path]))
    lost = tuple((path, error) for path, error in failed.items() if path not in variants)
    return Inspection(tuple(files), (*lost, *refused))


def _asked_for(state: TreeState, path: str) -> str:
    """A path that the user gave, as the tree's; UserError where it is no source of it."""
    relative = posixpath.normpath(path)
    if relative.startswith("/"):
        relative = posixpath.relpath(posixpath.realpath(relative), posixpath.realpath(state.root))
    if relative.startswith("../") or "\0" in relative:
        raise UserError("is outside the tree", path)
    if not relative.endswith((".c", ".h")):
        raise UserError("is no C source or header", path)
    if not relative.isprintable() and any("\ud800" <= c <= "\udfff" for c in relative):
        raise UserError("the name is no UTF-8", ascii(path))
    if state.read(relative) is None:
        raise UserError("no such file in the tree", path)
    return relative


def _parsed_first(variants: list[FileFacts]) -> list[FileFacts]:
    """Variants without errors first; those with errors count only where none is."""
    clean = [v for v in variants if all(d.severity == "warning" for d in v.diagnostics)]
    return clean or variants


def _arches(state: TreeState, path: str) -> tuple[str, ...]:
    from patchgen.tree.arch import arches_of

    return (state.arch,) if state.arch else arches_of(state.root, path)[:1]


def _turned(
    state: TreeState, variants: dict[str, list[FileFacts]]
) -> list[tuple[str, str, frozenset[str], frozenset[str]]]:
    """Further parses for mentions that no configuration so far made active."""
    jobs = []
    for path, found in variants.items():
        inactive = [m.offset for m in merge(_parsed_first(found)).mentions if m.state == "inactive"]
        if not inactive:
            continue
        tokens = Tokens(state.read(path) or b"")
        for on, off in switches(tokens, inactive):
            jobs.append((path, found[0].arch, on, off))
    return jobs


def _unparsed(state: TreeState, path: str, error: str) -> FileFacts:
    """A file without facts: its mentions by text alone, each with the error."""
    from patchgen.facts.mentions import mentions

    try:
        source = state.read(path) or b""
    except UserError:
        source = b""
    # A token for each of many NUL bytes would cost gigabytes; spaces are none.
    tokens = Tokens(source.replace(b"\0", b" "))
    found = mentions(tokens, path, api_names(), (), (), (), error, "")
    return FileFacts(path, "", cache.digest(source), (), (), (), found, ())
