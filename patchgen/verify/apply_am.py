# SPDX-License-Identifier: GPL-2.0-only
"""The real ``git am``, in a sparse scratch checkout: what ours is compared with."""

from __future__ import annotations

from patchgen.commits.fastimport import Entry, NewCommit, import_commits
from patchgen.commits.git import Git
from patchgen.commits.identity import PLACEHOLDER
from patchgen.commits.index import IndexEntry, fill_index, read_blobs
from patchgen.commits.patchset import ReadPatch, Series
from patchgen.commits.scratch import Scratch
from patchgen.sandbox.reader import read_given
from patchgen.verify.apply import AppliedPatch, AppliedSeries
from patchgen.verify.apply_reason import Misfit
from patchgen.verify.touched import check_named


def apply_with_am(scratch: Scratch, series: Series) -> AppliedSeries:
    """Apply ``series`` with git am, one mail after the other."""
    source = scratch.source
    ground = fill_index(scratch, series.paths)
    base = source.head
    if not source.is_git:
        entries = tuple(Entry(path, e.mode, blob=e.blob) for path, e in ground.items())
        base = import_commits(scratch, [NewCommit("base\n", PLACEHOLDER, 0, entries)])[0]
    git = _checkout(scratch, base, series)
    blobs = read_blobs(scratch, {e.blob for e in ground.values() if e.mode != "160000"})
    before = {
        path: blobs.get(ground[path].blob) if path in ground else None for path in series.paths
    }
    done: list[AppliedPatch] = []
    for patch in series.patches:
        if done and not done[-1].ok:
            done.append(AppliedPatch(patch, tried=False))
        else:
            done.append(_am(scratch, git, patch))
    return AppliedSeries(tuple(done), before, source.head, source)


def _checkout(scratch: Scratch, base: str, series: Series) -> Git:
    """A work tree that holds the touched paths only."""
    folder = scratch.path / "checkout"
    folder.mkdir()
    # A bare repository has no sparse patterns; this file makes them a literal list.
    config = scratch.path / "config"
    config.write_text(
        (read_given(config) or b"")
        .decode()
        .replace("bare = true", "bare = false\n\tsparseCheckout")
    )
    patterns = "".join(f"/{_literal(path)}\n" for path in series.paths)
    (scratch.path / "info/sparse-checkout").write_text(patterns, errors="surrogateescape")
    (scratch.path / "index").unlink(missing_ok=True)
    git = Git(scratch.path, index=scratch.index, work_tree=folder)
    git.run("update-ref", "refs/heads/patchgen", base)
    git.run("read-tree", "-m", "-u", "HEAD")
    return git


def _literal(path: str) -> str:
    return "".join(f"\\{char}" if char in "\\*?[]!# " else char for char in path)


def _am(scratch: Scratch, git: Git, patch: ReadPatch) -> AppliedPatch:
    mail = b"From nobody Mon Sep 17 00:00:00 2001\n" + patch.mail
    status, _, stderr = git.result("am", "-q", "--keep-cr", stdin=mail, ok=(0, 1, 128))
    if status != 0:
        lines = [line for line in stderr.splitlines() if not line.startswith("hint: ")]
        reason = lines[0].removeprefix("error: ") if lines else "git am refuses it"
        return AppliedPatch(patch, misfits=(Misfit("other", patch.where, 0, reason),))
    out = git.run("rev-parse", "HEAD", "HEAD^{tree}").decode().split()
    raw = git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", "HEAD^", "HEAD")
    entries = _raw(raw)
    check_named(patch, entries)
    blobs = read_blobs(scratch, {e.blob for e in entries.values() if e is not None})
    files = {path: blobs[entry.blob] if entry else None for path, entry in entries.items()}
    return AppliedPatch(patch, sha=out[0], tree=out[1], files=files)


def _raw(raw: bytes) -> dict[str, IndexEntry | None]:
    """``:old new blob blob status\\0path\\0`` records as path → entry."""
    parts = raw.split(b"\0")
    found: dict[str, IndexEntry | None] = {}
    for info, path in zip(parts[::2], parts[1::2], strict=False):
        _, mode, _, blob, status = info.decode().split()
        name = path.decode(errors="surrogateescape")
        found[name] = None if status == "D" else IndexEntry(mode, blob)
    return found
