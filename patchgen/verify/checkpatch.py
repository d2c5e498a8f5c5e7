# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own scripts/checkpatch.pl --strict on one patch.

It is a program of the tree: it runs behind a fence (:func:`patchgen.sandbox.fence.closed`),
with a bare environment, in a folder of its own, on a mail from stdin, and never from a patched
state.  Where no fence can be had it does not run, unless a person says so.  Commits that a
message names are looked up in a view of the tree's history (:func:`_history`): the tree's
objects behind a configuration of ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from patchgen import memo
from patchgen.commits.scratch import quote_path
from patchgen.commits.source import TreeSource, describe
from patchgen.model.base import Value
from patchgen.sandbox import child, landlock, look
from patchgen.sandbox.aside import Aside
from patchgen.sandbox.fence import Fencing, closed
from patchgen.sandbox.reader import read_given
from patchgen.verify.remembered_style import Beside, beside, world_of

SCRIPT = "scripts/checkpatch.pl"
#: Not faults of a generated patch: its author signs it off, and tests the commit
#: in the tree that it is for.
IGNORED = ("MISSING_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "FILE_PATH_CHANGES", "GIT_COMMIT_ID")
#: What it says of commits, which nobody can know without their history.
COMMITS = ("UNKNOWN_COMMIT_ID", "BAD_FIXES_TAG")
TIME_LIMIT = 60
#: Runs that are under way at once, beside the other checks.
AHEAD = 3


class StyleCheck(Value, frozen=True):
    """What checkpatch says; ``state`` is clean, complaints, or absent with a reason.

    ``levels`` are those of the complaints: ERROR, WARNING or CHECK.  ``off`` tells which of
    its checks had to be left out, and why.
    """

    state: str
    complaints: tuple[str, ...] = ()
    reason: str = ""
    levels: tuple[str, ...] = ()
    off: tuple[str, ...] = ()

    def failing(self, strict: bool) -> tuple[str, ...]:
        """What makes a patch fail: its errors; ``strict``: all."""
        if strict:
            return self.complaints
        pairs = zip(self.complaints, self.levels, strict=True)
        return tuple(text for text, level in pairs if level == "ERROR")

    def passing(self, strict: bool) -> tuple[str, ...]:
        """The rest, which is shown."""
        if strict:
            return ()
        pairs = zip(self.complaints, self.levels, strict=True)
        return tuple(f"{text} ({level.lower()})" for text, level in pairs if level != "ERROR")

    @property
    def cell(self) -> str:
        """``clean``, or how many of each level."""
        found = []
        for level, word in (("ERROR", "error"), ("WARNING", "warning"), ("CHECK", "remark")):
            many = self.levels.count(level)
            if many:
                found.append(f"{many} {word}{'s' if many > 1 else ''}")
        return ", ".join(found) or self.state


class StyleRun:
    """checkpatch at work on one mail as ``git format-patch`` writes it."""

    def __init__(
        self,
        root: Path,
        mail: bytes,
        source: TreeSource | None = None,
        given: Beside | None = None,
    ) -> None:
        """``source`` is what the tree is to git (default: looked up).

        ``given`` are the files beside the program, where its answer may be a remembered one.
        """
        script = root / SCRIPT
        perl = shutil.which("perl")
        self._absent = ""
        self._known: StyleCheck | None = None
        if perl is None:
            self._absent = "no perl"
        elif look.kind(script) != "file":
            self._absent = f"the tree has no {SCRIPT}"
        elif Fencing.required and not landlock.version():
            self._absent = (
                "no fence here to run the tree's program in (--help says how to do without)"
            )
        if perl is None or self._absent:
            return
        source = source or describe(root)
        why = _no_history(source)
        asked = why and _NAMES_COMMIT.search(mail)
        self._off = (f"commits that the message names are not looked up: {why}",) if asked else ()
        ignored = (*IGNORED, *(COMMITS if why else ()))
        command = [perl, str(script), "--strict", "--no-tree", "--show-types", "--no-summary",
                   "--root", str(root), "--ignore", ",".join(ignored), "--terse", "-"]  # fmt: skip
        # In a repository it looks into the history, whatever the mail says.
        alone = given is not None and why and Fencing.required
        self._world = world_of(root, mail, given, [*command, why]) if given and alone else None
        if self._world is not None:
            self._known = memo.recall("style", self._world.key, StyleCheck)
            if self._known is not None:
                return
        # Files, not pipes: it runs on while nobody reads what it says.
        self._open = contextlib.ExitStack()
        folder = self._open.enter_context(Aside())
        self._said = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._deadline = time.monotonic() + TIME_LIMIT
        if self._world is not None:
            reads = [*self._world.reads]
        else:
            real = Path(os.path.realpath(root))
            reads = [real, *([] if why else _history(folder, source))]
        with (
            tempfile.TemporaryFile() as told,
            closed(reads, folder, TIME_LIMIT) as fence,
        ):
            told.write(mail)
            told.seek(0)
            env = {"PATH": _PATH, "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C",
                   "GIT_CONFIG_NOSYSTEM": "1"}  # fmt: skip
            self._process = self._open.enter_context(
                child.started(
                    command, stdin=told, stdout=self._said, env=env, cwd=folder, first=fence
                )
            )

    def result(self) -> StyleCheck:
        """What it says, once it is done; to be asked once."""
        if self._absent:
            return StyleCheck("absent", reason=self._absent)
        if self._known is not None:
            return self._known
        try:
            status = self._process.wait(max(0.0, self._deadline - time.monotonic()))
            self._said.seek(0)
            check = _read(self._said.read(), status, self._off)
            if self._world is not None and check.state != "absent":
                memo.remember("style", self._world.key, check)
            return check
        except subprocess.TimeoutExpired:
            return StyleCheck("absent", reason=f"{SCRIPT} took more than {TIME_LIMIT} s")
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, whatever it does; nothing of it is left."""
        if not self._absent and self._known is None:
            self._open.close()


@contextlib.contextmanager
def styles(root: Path, mails: Sequence[bytes]) -> Iterator[Iterator[StyleRun]]:
    """checkpatch's runs on ``mails``, in order, each begun well before it is asked for."""
    begun: list[StyleRun] = []
    source = describe(root) if mails else None
    given = beside(root) if mails else None

    def begin(count: int) -> None:
        begun.extend(StyleRun(root, mail, source, given) for mail in mails[len(begun) : count])

    def each() -> Iterator[StyleRun]:
        for number in range(len(mails)):
            begin(number + AHEAD)
            yield begun[number]

    try:
        begin(AHEAD)
        yield each()
    finally:
        for run in begun:
            run.stop()


def _no_history(source: TreeSource) -> str:
    """Why commits cannot be looked up; "" where they can."""
    if not source.is_git:
        return "the tree is a plain folder"
    if source.shallow:
        return "the tree is a shallow clone"
    if shutil.which("git", path=_PATH) is None:
        return "there is no git in the system's folders"
    return ""


_NAMES_COMMIT = re.compile(rb"^Fixes:|\bcommits?\s+[0-9a-f]{7,40}\b", re.M | re.I)
_PATH = "/usr/bin:/bin"
_CHAIN = 5  # repositories that borrow from one another
#: Windows small enough for the fence's limit of memory.
_CONFIG = """[core]
\trepositoryformatversion = {version}
\tbare = false
\tpackedGitWindowSize = 32m
\tpackedGitLimit = 256m
"""


def _history(folder: Path, source: TreeSource) -> list[Path]:
    """Make ``folder`` a view of the tree's history; what has to be read for it.

    The objects are the tree's; configuration, references and hooks are not.
    """
    view = folder / ".git"
    for name in ("objects/info", "objects/pack", "refs/heads"):
        (view / name).mkdir(parents=True)
    (view / "HEAD").write_text(f"{source.head}\n", encoding="ascii")
    sha1 = source.object_format == "sha1"
    text = _CONFIG.format(version=0 if sha1 else 1)
    if not sha1:
        text += f"[extensions]\n\tobjectformat = {source.object_format}\n"
    (view / "config").write_text(text, encoding="ascii")
    borrowed = quote_path(os.fsencode(source.objects)) + b"\n"
    (view / "objects/info/alternates").write_bytes(borrowed)
    found = [Path(os.path.realpath(source.objects))]
    for place in found[:_CHAIN]:
        listed = read_given(place / "info/alternates", 1 << 16) or b""
        for line in listed.splitlines():
            if line and not line.startswith((b"#", b'"')):
                found.append(Path(os.path.realpath(place / os.fsdecode(line))))
    return [place for place in dict.fromkeys(found) if look.is_folder(place)]


def check_style(root: Path, mail: bytes) -> StyleCheck:
    """Run checkpatch on one mail as ``git format-patch`` writes it."""
    return StyleRun(root, mail).result()


def _read(said: bytes, status: int, off: tuple[str, ...]) -> StyleCheck:
    lines = said.decode("utf-8", "replace").splitlines()
    complaints = []
    levels = []
    for line in lines:
        match = re.match(r"^[^:]*:(\d+): (ERROR|WARNING|CHECK):([A-Z_]+): (.*)$", line)
        if match:
            levels.append(match.group(2))
            complaints.append(f"{match.group(3)}: {match.group(4)}")
    if status and not complaints:
        return StyleCheck("absent", reason=(lines or ["it failed"])[-1])
    state = "complaints" if complaints else "clean"
    return StyleCheck(state, tuple(complaints), levels=tuple(levels), off=off)
