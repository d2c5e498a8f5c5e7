# SPDX-License-Identifier: GPL-2.0-only
"""What a patch touches, by git's own account, held against what was read of it.

``git apply`` is asked about the very bytes that it applies: for each file the name and
how many lines come and go, forwards and, where a file is renamed or copied, backwards,
which gives the old names.  Any difference from the diff as `patchgen.commits.diff` read
it is a refusal: the scratch index holds the paths that were read, so git would have
seen a tree without the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from patchgen.commits.diff import FileChange
from patchgen.commits.git import Git
from patchgen.commits.index import IndexEntry
from patchgen.commits.patchset import ReadPatch
from patchgen.model.outcome import UserError

State = dict[str, IndexEntry]
# Lines added, lines deleted ("-" of a binary diff), path.
_Stat = Counter[tuple[str, str, str]]
_PLAIN = ("100644", "100755")


def apply_one(git: Git, patch: ReadPatch) -> tuple[int, str]:
    """``git apply --cached`` of ``patch``: its status (0: applied) and stderr.

    UserError: git takes the patch for one of other files, or of other lines, than were
    read; whether it applies or not.
    """
    options = ("--cached", "--whitespace=warn", "--numstat", "-z", "--apply")
    status, out, stderr = git.result("apply", *options, "-", stdin=patch.applied, ok=(0, 1, 128))
    if status != 0:
        parsed, out, said = git.result("apply", *options[2:4], "-", stdin=patch.applied, ok=_ANY)
        if parsed != 0:
            return status, said
    _compare(patch, _stats(out), _read(patch.changes))
    if b"rename " in patch.applied or b"copy " in patch.applied:
        back = git.run("apply", "-R", *options[2:4], "-", stdin=patch.applied)
        _compare(patch, _stats(back), _read(patch.changes, back=True))
    return status, stderr


_ANY = (0, 1, 128)


def check_changed(patch: ReadPatch, before: State, after: State) -> None:
    """UserError unless what ``patch`` changed in the index is what was read of it."""
    changed = {path: after.get(path) for path in {*before, *after}}
    changed = {path: entry for path, entry in changed.items() if entry != before.get(path)}
    check_named(patch, changed)
    named = {mode for change in patch.changes for mode in (change.old_mode, change.new_mode)}
    for path in sorted(changed):
        for entry in (before.get(path), after.get(path)):
            # A traditional diff names no mode, and the target of a link is a line of text.
            if entry and entry.mode not in (*_PLAIN, *named):
                raise UserError(
                    f"{path} is no regular file ({entry.mode}), and the diff does not say so",
                    patch.where,
                    "write the patch with git diff",
                )


def check_named(patch: ReadPatch, changed: Mapping[str, object] | Collection[str]) -> None:
    """UserError where a path of ``changed`` is none that ``patch`` was read to touch."""
    if odd := sorted(set(changed) - set(patch.paths)):
        raise UserError(
            f"git changes {odd[0]!a}, which the diff as it was read does not name",
            patch.where,
            "write the patch with git format-patch",
        )


def _compare(patch: ReadPatch, git: _Stat, read: _Stat) -> None:
    if git == read:
        return
    told = ", ".join(_line(one) for one in sorted((git - read).elements())) or "nothing else"
    seen = ", ".join(_line(one) for one in sorted((read - git).elements())) or "nothing else"
    raise UserError(
        f"git would change {told}; the diff reads as {seen}",
        patch.where,
        "write the patch with git format-patch",
    )


def _line(stat: tuple[str, str, str]) -> str:
    return f"{stat[2]!a} (+{stat[0]} -{stat[1]})"


def _stats(out: bytes) -> _Stat:
    """``added\\tdeleted\\tpath\\0`` records."""
    found: _Stat = Counter()
    for record in out.split(b"\0")[:-1]:
        added, deleted, path = record.decode(errors="surrogateescape").split("\t", 2)
        found[added, deleted, path] += 1
    return found


def _read(changes: Collection[FileChange], *, back: bool = False) -> _Stat:
    """What git must say of ``changes``; ``back``: when they are undone."""
    found: _Stat = Counter()
    for change in changes:
        marks = Counter(line[:1] for hunk in change.hunks for line in hunk.lines)
        added, deleted = str(marks[b"+"]), str(marks[b"-"])
        if change.binary:
            added = deleted = "-"
        if back:
            found[deleted, added, change.old or change.new] += 1
        else:
            found[added, deleted, change.new or change.old] += 1
    return found
