# SPDX-License-Identifier: GPL-2.0-only
"""Diffs, read strictly: what a person takes for a part of a diff is one, or is refused.

``git apply`` looks for diffs anywhere in its input and passes over what it does not
understand.  Prose behind a diff (a base commit, a changelog, a list's footer) is
therefore let through, and nothing in it that begins a diff or goes on with a hunk.
What git itself makes of the same bytes is held against this in `touched`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.commits.paths import path_fault
from patchgen.model.base import Value
from patchgen.model.outcome import UserError

_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
# A time behind a blank: git takes it off (apply.c, diff_timestamp_len()), as it does a tab's.
_TIME = re.compile(rb" +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [-+]\d\d:?\d\d)?$")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_INDEX = re.compile(rb"index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: (\d{6}))?$")
_START = re.compile(rb"diff -|Index: |---\s+\S|\+\+\+\s+\S|\*\*\* \S|@@ -|GIT binary patch")
_RULE = re.compile(rb"={3,}")
# What diff -r and cvs diff say between the files.
_SAID = (b"Only in ", b"Common subdirectories: ", b"RCS file: ", b"retrieving revision ",
         b"cvs diff: ", b"Files ")  # fmt: skip
# Prose may be a list with "-" or "+" for bullets; code has no blank behind the mark.
_CHANGED = re.compile(rb"[-+](?![ ]\S|[-+ ]*$)")
_EXTENDED = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from"
    rb"|rename to|similarity index|dissimilarity index|index) (.*)"
)
# What one diff can do to a file beside changing it: one of these.
_KINDS = (
    (b"rename from", b"rename to"),
    (b"copy from", b"copy to"),
    (b"new file mode", b"new file mode"),
    (b"deleted file mode", b"deleted file mode"),
)
_WHOLE = "get the mail again, whole, or make the patch anew"
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


class Hunk(Value, frozen=True, array_like=True):
    """One hunk: its place in the old file (from 1), and its lines with their marks.

    ``line`` is the line of its ``@@`` in the diff.
    """

    start: int
    lines: tuple[bytes, ...]
    line: int

    @property
    def old(self) -> list[bytes]:
        """The lines that the old file must have."""
        return [line[1:] for line in self.lines if line[:1] in (b" ", b"-")]


class FileChange(Value, frozen=True):
    """What a diff does to one file.

    ``old`` and ``new`` are the paths before and after, "" where there is none (a
    new or a deleted file).  Modes are as git writes them, "" when not named; blobs
    are the abbreviated hashes of the ``index`` line.
    """

    old: str
    new: str
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str
    hunks: tuple[Hunk, ...]
    line: int
    binary: bool = False


def parse_diff(diff: bytes, where: str) -> tuple[FileChange, ...]:
    """The changes of ``diff``, which begins at a diff's first line.

    The mail's signature (``-- ``) ends it; what follows may hold no diff.  Raises
    UserError with ``where`` and the line for anything that is no well-formed diff.
    """
    return tuple(_Reader(diff, where).files())


class _Reader:
    """A cursor over the lines of a diff."""

    def __init__(self, diff: bytes, where: str) -> None:
        self.lines = diff.split(b"\n")
        if self.lines and not self.lines[-1]:
            self.lines.pop()
        self.at = 0
        self.hunk_end = -1
        self.prose = 0
        self.where = where

    def fail(self, what: str, hint: str = "write it with git format-patch") -> UserError:
        return UserError(f"line {self.at + 1} of the diff: {what}", self.where, hint)

    def peek(self) -> bytes:
        return self.lines[self.at] if self.at < len(self.lines) else b""

    def files(self) -> Iterator[FileChange]:
        while self.at < len(self.lines):
            line = self.peek()
            if self.prose and _START.match(line):
                what = (
                    f"a diff behind text (line {self.prose}), where readers take the patch to end"
                )
                raise self.fail(what, "indent or remove the one or the other")
            if line.startswith(b"diff --git "):
                yield self.git_file()
            elif line.startswith((b"Index: ", b"diff -")) or _RULE.fullmatch(line.rstrip()):
                self.at += 1
            elif line.startswith(b"--- ") and line.strip() != b"---":
                yield self.plain_file()
            else:
                self.text()

    def text(self) -> None:
        """A line that belongs to no diff: prose behind the last one, or it is refused."""
        line = self.peek()
        if line.strip() and not line.startswith(_SAID):
            self.prose = self.prose or self.at + 1
        if line.rstrip() not in (b"--", b"---"):  # a signature, a rule: no line of code
            if line[:1] in (b" ", b"+", b"-", b"\\") and self.at == self.hunk_end:
                raise self.fail("a hunk that is longer than it says", _WHOLE)
            if _START.match(line):
                raise self.fail("what looks like a diff and is none", "indent or remove it")
            if _CHANGED.match(line):
                raise self.fail("a changed line that belongs to no hunk", "indent or remove it")
        self.at += 1

    def git_file(self) -> FileChange:
        line = self.at + 1
        names = self.peek()[len(b"diff --git ") :]
        self.at += 1
        fields: dict[bytes, bytes] = {}
        while match := _EXTENDED.match(self.peek()):
            if match[1] in fields:
                raise self.fail(f"{match[1].decode()} twice")
            fields[match[1]] = match[2]
            self.at += 1
        binary = self.peek().startswith((b"GIT binary patch", b"Binary files "))
        if binary:
            self.skip_binary()
        old, new = self.paths(names, fields)
        if self.peek().startswith(b"--- ") and self.hunks_follow():
            self.check_names(old, new, fields)
        hunks = tuple(self.hunks())
        blobs = _INDEX.match(b"index " + fields.get(b"index", b""))
        mode = blobs[3].decode() if blobs and blobs[3] else ""
        return FileChange(
            old="" if b"new file mode" in fields else old,
            new="" if b"deleted file mode" in fields else new,
            old_mode=(fields.get(b"old mode") or fields.get(b"deleted file mode", b"")).decode()
            or mode,
            new_mode=(fields.get(b"new mode") or fields.get(b"new file mode", b"")).decode()
            or mode,
            old_blob=blobs[1].decode() if blobs else "",
            new_blob=blobs[2].decode() if blobs else "",
            hunks=hunks,
            line=line,
            binary=binary,
        )

    def hunks_follow(self) -> bool:
        """``---``, ``+++`` and a hunk: the three lines above hunks."""
        three = self.lines[self.at : self.at + 3]
        return len(three) == 3 and three[1].startswith(b"+++ ") and three[2].startswith(b"@@ ")

    def skip_binary(self) -> None:
        self.at += 1
        while self.at < len(self.lines) and not self.peek().startswith((b"diff ", b"-- ")):
            self.at += 1

    def paths(self, names: bytes, fields: dict[bytes, bytes]) -> tuple[str, str]:
        """Old and new path, without the ``a/`` and ``b/`` in front."""
        said = [kind for kind in _KINDS if any(field in fields for field in kind)]
        if len(said) > 1:
            raise self.fail(f"{said[0][0].decode()} and {said[1][0].decode()} in one diff")
        if said and said[0][1] in (b"rename to", b"copy to"):
            if not all(field in fields for field in said[0]):
                raise self.fail(f"one of {' and '.join(one.decode() for one in said[0])} alone")
            old, new = (self.checked(_unquote(fields[field])) for field in said[0])
            if (old, new) not in _pairs(names):
                raise self.fail("diff --git names other files than the lines below it")
            return old, new
        name = _same_name(names)
        if name is None:
            raise self.fail("the paths of diff --git differ, and it is no rename")
        return self.checked(name), name

    def check_names(self, old: str, new: str, fields: dict[bytes, bytes]) -> None:
        """The ``---`` and ``+++`` lines must say what ``diff --git`` says."""
        there = (self.file_name(), self.file_name())
        want = (
            "" if b"new file mode" in fields else old,
            "" if b"deleted file mode" in fields else new,
        )
        if there != want:
            raise self.fail("--- and +++ name other files than diff --git")

    def plain_file(self) -> FileChange:
        line = self.at + 1
        if not self.hunks_follow():
            raise self.fail("--- without +++ and a hunk")
        old, new = self.file_name(), self.file_name()
        if not old and not new:
            raise self.fail("/dev/null on both sides")
        if old and new and old != new:
            # "x.c.orig" against "x.c": git takes the shorter one (apply.c).
            if not old.startswith(new) and not new.startswith(old):
                raise self.fail(f"--- names {old!a} and +++ names {new!a}")
            old = new = min(old, new, key=len)
        return FileChange(old, new, "", "", "", "", tuple(self.hunks()), line)

    def file_name(self) -> str:
        text = self.peek()[4:]
        quoted = _QUOTED.match(text)
        behind = text[quoted.end() :] if quoted else b""
        if quoted and not _TIME.sub(b"", behind.split(b"\t")[0]).strip():
            name = _unquote(quoted[0])
        elif text.startswith(b'"'):
            raise self.fail("a quoted path with more behind it")
        else:
            name = _text(_TIME.sub(b"", text.split(b"\t")[0]).rstrip())
            if name == "/dev/null":
                self.at += 1
                return ""
        head, slash, rest = name.partition("/")
        if not slash or not head:
            raise self.fail("a path without the a/ or b/ in front")
        self.checked(rest)
        self.at += 1
        return rest

    def hunks(self) -> Iterator[Hunk]:
        while match := _HUNK.match(self.peek()):
            line = self.at + 1
            old = int(match[2]) if match[2] else 1
            new = int(match[4]) if match[4] else 1
            self.at += 1
            first = self.at
            while old or new:
                mark = self.peek()[:1] if self.at < len(self.lines) else b"?"
                # A transport may have cut the blank off an empty context line.
                old -= mark in (b" ", b"-", b"")
                new -= mark in (b" ", b"+", b"")
                if mark not in (b" ", b"-", b"+", b"\\", b"") or old < 0 or new < 0:
                    raise self.fail("a hunk that is shorter than it says", _WHOLE)
                self.at += 1
            if self.peek().startswith(b"\\ "):
                self.at += 1
            self.hunk_end = self.at
            lines = tuple(one or b" " for one in self.lines[first : self.at])
            yield Hunk(int(match[1]), lines, line)

    def checked(self, path: str) -> str:
        if fault := path_fault(path):
            raise self.fail(f"path {path!a} is refused: {fault}")
        return path


def _pairs(names: bytes) -> list[tuple[str, str]]:
    """Every way to read ``a/old b/new``: unquoted paths may hold blanks."""
    quoted = _QUOTED.match(names)
    if quoted:
        cuts = [quoted.end()]
    else:
        cuts = [at for at, byte in enumerate(names) if byte == 0x20]
    found = []
    for at in cuts:
        one, other = _unquote(names[:at]).partition("/"), _unquote(names[at + 1 :]).partition("/")
        if names[at : at + 1] == b" " and one[0] and other[0] and one[2] and other[2]:
            found.append((one[2], other[2]))
    return found


def _same_name(names: bytes) -> str | None:
    """The path of ``a/path b/path``, or None when the two differ."""
    return next((old for old, new in _pairs(names) if old == new), None)


def _unquote(name: bytes) -> str:
    if not (name.startswith(b'"') and name.endswith(b'"') and len(name) > 1):
        return _text(name)

    def byte(match: re.Match[bytes]) -> bytes:
        text = match[1].decode("latin-1")
        return bytes([int(text, 8) & 0xFF if text.isdigit() else _ESCAPES.get(text, 0)])

    return _text(re.sub(rb"\\([0-3][0-7]{2}|.)", byte, name[1:-1]))


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")
