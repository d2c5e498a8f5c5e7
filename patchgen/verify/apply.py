# SPDX-License-Identifier: GPL-2.0-only
"""Applying a series in isolation, with the contents of every file at every commit.

A bare scratch repository borrows the tree's objects, its index holds the touched
paths only, and each patch goes through ``git apply --cached`` with the bytes that git
am applies; what git says that it touches must be what was read (`touched`).  The
commits are made by one ``git fast-import``.  The tree is only read, and nothing of
it runs.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from patchgen.commits.fastimport import Entry, NewCommit, import_commits
from patchgen.commits.identity import Identity
from patchgen.commits.index import IndexEntry, fill_index, read_blobs, read_index
from patchgen.commits.patchset import ReadPatch, Series
from patchgen.commits.scratch import Scratch
from patchgen.commits.source import TreeSource, describe
from patchgen.model.base import Value
from patchgen.verify.apply_reason import Misfit, explain
from patchgen.verify.touched import State, apply_one, check_changed


class AppliedPatch(Value, frozen=True):
    """What became of one patch.

    ``sha`` and ``tree`` are its commit's and that commit's tree's hash, "" when it
    did not apply.  ``files`` maps every path that the patch changed to its complete
    contents at that commit, None where the patch deleted it.  ``misfits`` say why it
    does not apply; ``warnings`` are git's, about white space.
    """

    patch: ReadPatch
    sha: str = ""
    tree: str = ""
    files: dict[str, bytes | None] = {}
    misfits: tuple[Misfit, ...] = ()
    warnings: tuple[str, ...] = ()
    tried: bool = True

    @property
    def ok(self) -> bool:
        return bool(self.sha)

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The new path of each file that the patch renames, with the old one."""
        return tuple(
            (change.new, change.old)
            for change in self.patch.changes
            if change.old and change.new and change.old != change.new
        )


class AppliedSeries(Value, frozen=True):
    """A series on a tree: its patches in order, up to the first that does not fit.

    Patches behind one that does not apply are not ``tried``.  ``before`` holds the
    tree's own contents of every path of the series, None where it has none.
    ``base`` is the commit that the series was put on, "" for a plain folder.
    """

    patches: tuple[AppliedPatch, ...]
    before: dict[str, bytes | None]
    base: str
    source: TreeSource

    @property
    def ok(self) -> bool:
        return all(patch.ok for patch in self.patches)

    def contents(self, number: int) -> dict[str, bytes | None]:
        """Every path of the series as it is behind the first ``number`` patches."""
        state = dict(self.before)
        for patch in self.patches[:number]:
            state |= patch.files
        return state


def apply_series(
    root: Path, series: Series, *, engine: str = "index", at: str = ""
) -> AppliedSeries:
    """Apply ``series`` to the tree at ``root`` without touching it.

    A git checkout is taken at its HEAD commit, or at the commit ``at``, whatever state its
    folder is in; a plain folder as it is.  ``engine`` "git-am" runs the real git am in a scratch
    checkout instead.  A patch that does not apply is a result, not an error.  Raises
    UserError when the tree's objects are missing.
    """
    source = describe(root)
    if at:
        source = msgspec.structs.replace(source, head=at)
    with Scratch(source) as scratch:
        if engine == "git-am":
            from patchgen.verify.apply_am import apply_with_am

            return apply_with_am(scratch, series)
        return apply_in(scratch, series)


def apply_in(
    scratch: Scratch, series: Series, committer: tuple[Identity, int] | None = None
) -> AppliedSeries:
    """As `apply_series`, in a scratch repository that outlives the call.

    ``committer`` with a time in seconds goes into the commits; without one it is
    each patch's author and date, so that the same input gives the same hashes.
    """
    state = ground = fill_index(scratch, series.paths)
    states: list[State] = []
    done: list[tuple[ReadPatch, tuple[str, ...]]] = []
    failed: list[AppliedPatch] = []
    for patch in series.patches:
        if failed:
            failed.append(AppliedPatch(patch, tried=False))
            continue
        status, stderr = apply_one(scratch.git, patch)
        if status != 0:
            files = _contents(scratch, state)
            failed.append(AppliedPatch(patch, misfits=explain(scratch, patch, files, stderr)))
            continue
        before, state = state, read_index(scratch)
        check_changed(patch, before, state)
        states.append(state)
        done.append((patch, _warnings(stderr)))
    return _result(scratch, series, ground, states, done, failed, committer)


def _result(
    scratch: Scratch,
    series: Series,
    ground: State,
    states: list[State],
    done: list[tuple[ReadPatch, tuple[str, ...]]],
    failed: list[AppliedPatch],
    committer: tuple[Identity, int] | None,
) -> AppliedSeries:
    """Commits for the patches that fit, and all contents in one run of git."""
    changes = [_delta(old, new) for old, new in zip([ground, *states], states, strict=False)]
    shas = _commits(scratch, ground, [patch for patch, _ in done], changes, committer)
    asked = [f"{sha}^{{tree}}" for sha in shas]
    trees = scratch.git.run("rev-parse", *asked).decode().split() if asked else []
    wanted = {entry.blob for delta in changes for entry in delta.values() if entry}
    there = {path: ground[path] for path in series.paths if path in ground}
    blobs = read_blobs(scratch, wanted | {e.blob for e in there.values() if e.mode != "160000"})
    applied = [
        AppliedPatch(
            patch,
            sha=sha,
            tree=tree,
            files={path: blobs[entry.blob] if entry else None for path, entry in delta.items()},
            warnings=warnings,
        )
        for (patch, warnings), sha, tree, delta in zip(done, shas, trees, changes, strict=True)
    ]
    before = {path: blobs.get(there[path].blob) if path in there else None for path in series.paths}
    return AppliedSeries((*applied, *failed), before, scratch.source.head, scratch.source)


def _commits(
    scratch: Scratch,
    ground: State,
    patches: list[ReadPatch],
    changes: list[dict[str, IndexEntry | None]],
    committer: tuple[Identity, int] | None,
) -> tuple[str, ...]:
    if not patches:
        return ()
    source = scratch.source
    base = source.head
    if not source.is_git:
        first = patches[0]
        entries = tuple(Entry(path, e.mode, blob=e.blob) for path, e in ground.items())
        base = import_commits(scratch, [NewCommit("base\n", first.author, 0, entries)])[0]
    commits = [
        NewCommit(
            message=patch.message + "\n",
            author=patch.author,
            date=patch.date,
            zone=patch.zone,
            entries=tuple(
                Entry(path, entry.mode, blob=entry.blob) if entry else Entry(path, "")
                # A file can make room for a folder of its name: deletions come first.
                for path, entry in sorted(delta.items(), key=lambda item: bool(item[1]))
            ),
        )
        for patch, delta in zip(patches, changes, strict=True)
    ]
    return import_commits(scratch, commits, parent=base, committer=committer)


def _delta(old: State, new: State) -> dict[str, IndexEntry | None]:
    paths = sorted(set(old) | set(new))
    return {path: new.get(path) for path in paths if old.get(path) != new.get(path)}


def _contents(scratch: Scratch, state: State) -> dict[str, bytes]:
    regular = {path: entry.blob for path, entry in state.items() if entry.mode != "160000"}
    blobs = read_blobs(scratch, regular.values())
    return {path: blobs[blob] for path, blob in regular.items()}


def _warnings(stderr: str) -> tuple[str, ...]:
    lines = stderr.splitlines()
    return tuple(line for line in lines if line.startswith(("<stdin>:", "warning:")))
