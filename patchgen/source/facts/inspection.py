# SPDX-License-Identifier: GPL-2.0-only
"""tree → facts: every file that mentions the API, under every configuration it needs."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import msgspec

from patchgen import memo
from patchgen.model.base import Value
from patchgen.model.facts import Diagnostic, FileFacts, Mention
from patchgen.model.outcome import Failed, UserError
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.clang.unit import HeaderUse
from patchgen.source.config.arch import KVM_MAIN, arches_of
from patchgen.source.facts.extract import extract_header
from patchgen.source.facts.merge import merge
from patchgen.source.facts.state import Job, TreeState, api_names, tried_as
from patchgen.source.facts.store import Taken, program
from patchgen.source.facts.turned import others, turned


class Inspection(Value, frozen=True):
    """The whole picture of a tree, or of some of its files.

    ``failed`` are files with no facts at all, and why; their mentions are in the
    ledger as unparsed.  ``partly`` are files that have facts, and a parse of theirs
    that did not end well: on an architecture that they are built for, or because
    libclang crashed or hung.
    """

    files: tuple[FileFacts, ...]
    failed: tuple[tuple[str, str], ...]
    partly: tuple[tuple[str, str], ...] = ()

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """The ledger, in order of files and offsets."""
        return tuple(mention for facts in self.files for mention in facts.mentions)


def inspect(
    state: TreeState, paths: Sequence[str] = (), refused: tuple[tuple[str, str], ...] | None = None
) -> Inspection:
    """Facts of ``paths``, or of every file of the tree that mentions the API.

    ``paths`` are the tree's own (:mod:`patchgen.tree.named`); ``refused`` entries that
    were not looked into, beside them (default: those of the whole tree, for the whole).

    A file is parsed for the first of its architectures, kvm_main.c (in the whole
    tree) for each.  Where mentions stay inactive it is parsed again with the
    CONFIG options around them turned, then for its other architectures, plain and
    turned.  UserError: one of ``paths`` is not there, is no C source or header, or
    cannot be read.
    """
    whole = not paths
    asked = dict.fromkeys(_asked_for(state, path) for path in paths)
    wanted = list(asked or state.candidates())
    sources = [path for path in wanted if path.endswith(".c")]
    headers = [path for path in wanted if not path.endswith(".c")]
    survey = _Survey(state)
    survey.take([job for path in sources for job in _plain(_built_for(state, path, whole), path)])
    survey.follow(sources)
    lonely = [path for path in headers if path not in survey.uses]
    survey.take([job for path in lonely for job in _plain(_built_for(state, path), path)])
    survey.add_headers(headers)
    if whole:
        survey.follow(headers)
    if refused is None:
        refused = state.refused() if whole else ()
    return survey.result(wanted, refused)


def inspect_program(state: TreeState, sources: Sequence[str]) -> Inspection:
    """Facts of ``sources`` and of the headers that they include and the state watches.

    As :func:`inspect`, but a header counts as those who include it see it, and in no other way.
    """
    survey = _Survey(state)
    survey.take([job for path in sources for job in _plain(_built_for(state, path), path)])
    survey.follow(sources)
    headers = sorted(survey.uses)
    survey.add_headers(headers)
    return survey.result([*sources, *headers], ())


class _Survey:
    """Parses of a tree's files, collected round by round.

    ``found`` are the sound variants of each file, ``unsound`` those with errors,
    both in the order of the parses.  ``uses`` tells how headers were seen: with
    what skipped, with which error, on which architecture.
    """

    def __init__(self, state: TreeState) -> None:
        self.state = state
        self.found: dict[str, list[FileFacts]] = {}
        self.unsound: dict[str, list[FileFacts]] = {}
        self.uses: dict[str, dict[tuple[HeaderUse, str, tuple[Diagnostic, ...]], None]] = {}
        self.failed: dict[str, list[str]] = {}
        self.partly: list[tuple[str, str]] = []
        self.tries: dict[str, list[str]] = {}

    def take(self, jobs: Sequence[Job], speculative: bool = False) -> None:
        """Parse, and sort what comes of it.

        ``speculative``: nobody said that the file is built this way, so that errors
        are no fault of the file; they are told where nothing else helped.
        """
        for job, outcome in zip(jobs, self.state.taken(jobs), strict=True):
            path, arch, on, off = job
            label = tried_as(arch, on, off)
            if isinstance(outcome, Failed):
                self.failed.setdefault(path, []).append(outcome.error)
                self._bad(path, label, outcome.error)
                continue
            taken: Taken = outcome.value
            error = next((d for d in taken.facts.diagnostics if d.severity != "warning"), None)
            if error is None:
                self.found.setdefault(path, []).append(taken.facts)
            elif speculative:
                self._bad(path, label, str(error))
                continue
            else:
                self.unsound.setdefault(path, []).append(taken.facts)
                self.partly.append((path, f"{label}: {error}"))
            for use in taken.headers:
                own = tuple(d for d in taken.facts.diagnostics if d.place.path == use.path)
                self.uses.setdefault(use.path, {})[use, arch, own] = None

    def _bad(self, path: str, label: str, error: str) -> None:
        self.tries.setdefault(path, []).append(f"{label}: {error}")

    def add_headers(self, paths: Sequence[str]) -> None:
        """The facts of headers, as the parses of what includes them saw them."""
        for path in paths:
            source = self.state.read(path) or b""
            for use, arch, errors in self.uses.get(path, ()):
                facts = _header_facts(source, path, use, arch, errors, self.state.everything)
                kind = self.unsound if errors else self.found
                kind.setdefault(path, []).append(facts)

    def follow(self, paths: Sequence[str]) -> None:
        """Further parses for mentions that no configuration so far made active."""
        inactive = self._inactive(paths)
        self.take(self._turned(inactive, {p: self._tried(p)[:1] for p in inactive}), True)
        inactive = self._inactive([*inactive])
        further = {path: others(self.state, path) for path in inactive}
        fresh = {p: [a for a in arches if a not in self._tried(p)] for p, arches in further.items()}
        self.take([job for path, arches in fresh.items() for job in _plain(arches, path)], True)
        self.take(self._turned(self._inactive([*inactive]), further), True)

    def _tried(self, path: str) -> tuple[str, ...]:
        """The architectures of a file's variants, in order."""
        return tuple(dict.fromkeys(facts.arch for facts in self._variants(path)))

    def _variants(self, path: str) -> list[FileFacts]:
        return self.found.get(path) or self.unsound.get(path) or []

    def _inactive(self, paths: Sequence[str]) -> dict[str, list[int]]:
        """Offsets of the inactive mentions, of files that have some."""
        listed: dict[str, list[int]] = {}
        for path in paths:
            variants = self._variants(path)
            mentions = merge(variants).mentions if variants else ()
            inactive = [mention.offset for mention in mentions if mention.state == "inactive"]
            if inactive:
                listed[path] = inactive
        return listed

    def _turned(
        self, inactive: dict[str, list[int]], arches: dict[str, tuple[str, ...]]
    ) -> list[Job]:
        """Parses on ``arches`` with the options around the places turned."""
        jobs: list[Job] = []
        for path, offsets in inactive.items():
            tokens = lexed(self.state.read(path) or b"")
            jobs += turned(self.state, path, tokens, offsets, arches[path])
        return [*dict.fromkeys(jobs)]

    def result(self, wanted: Sequence[str], refused: tuple[tuple[str, str], ...]) -> Inspection:
        """Everything merged, in the order of ``wanted``."""
        files = []
        lost: list[tuple[str, str]] = []
        for path in wanted:
            variants = self._variants(path)
            if variants:
                files.append(_with_tries(merge(variants), self.tries.get(path, [])))
            elif path in self.failed:
                error = self.failed[path][0]
                lost.append((path, error))
                files.append(_unparsed(self.state, path, error))
        crashed = [(p, e) for p in wanted if self._variants(p) for e in self.failed.get(p, ())]
        partly = [entry for entry in self.partly if entry[0] in self.found]
        return Inspection(
            tuple(files), (*lost, *refused), tuple(dict.fromkeys((*partly, *crashed)))
        )


def _asked_for(state: TreeState, path: str) -> str:
    """A path of the tree; UserError where it is no source of it."""
    if path != posixpath.normpath(path) or path.startswith(("/", "../")) or "\0" in path:
        raise UserError("is no path of the tree", ascii(path))
    if not path.endswith((".c", ".h")):
        raise UserError("is no C source or header", path)
    if not path.isprintable() and any("\ud800" <= c <= "\udfff" for c in path):
        raise UserError("the name is no UTF-8", ascii(path))
    if state.read(path) is None:
        raise UserError("no such file in the tree", path)
    return path


def _plain(arches: Sequence[str], path: str) -> list[Job]:
    return [(path, arch, frozenset(), frozenset()) for arch in arches]


def _built_for(state: TreeState, path: str, whole: bool = False) -> tuple[str, ...]:
    """The architectures to parse a file for in any case."""
    if state.arch:
        return (state.arch,)
    arches = arches_of(state.root, path)
    # The rest of virt/kvm is for those that select it (HAVE_KVM_PFNCACHE, ...).
    every = whole and path == KVM_MAIN and not state.is_built(path)
    return arches if every else arches[:1]


def _header_facts(
    source: bytes,
    path: str,
    use: HeaderUse,
    arch: str,
    errors: tuple[Diagnostic, ...],
    everything: bool,
) -> FileFacts:
    """The facts of a header in one use, taken once per content."""
    names = ",".join(sorted(api_names()))
    seen = msgspec.msgpack.encode((path, use, arch, errors, everything))
    key = memo.digest("header", program(), names, source, seen)
    known: FileFacts | None = memo.recall("facts", key, FileFacts)
    if known is not None:
        return known
    facts = extract_header(lexed(source), path, use, api_names(), arch, errors, everything)
    memo.remember("facts", key, facts)
    return facts


def _with_tries(facts: FileFacts, tries: Sequence[str]) -> FileFacts:
    """The facts; inactive mentions also name the parses that ended in errors."""
    if not tries:
        return facts
    mentions = tuple(
        msgspec.structs.replace(m, detail="; ".join(dict.fromkeys((m.detail, *tries))))
        if m.state == "inactive"
        else m
        for m in facts.mentions
    )
    return msgspec.structs.replace(facts, mentions=mentions)


def _unparsed(state: TreeState, path: str, error: str) -> FileFacts:
    """A file without facts: its mentions by text alone, each with the error."""
    from patchgen.source.facts.mentions import mentions

    try:
        source = state.read(path) or b""
    except UserError:
        source = b""
    # A token for each of many NUL bytes would cost gigabytes; spaces are none.
    tokens = Tokens(source.replace(b"\0", b" "))
    found = mentions(tokens, path, api_names(), (), (), (), error, "")
    return FileFacts(path, "", memo.digest(source), (), (), (), found, ())
