# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own scripts/checkpatch.pl --strict on one patch.

It is a program of the tree: it runs behind a fence (:func:`patchgen.sandbox.fence.closed`),
with a bare environment, in an empty folder, on a mail from stdin, and never from a patched
state.  Where no fence can be had it does not run, unless a person says so.
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

from patchgen.model.base import Value
from patchgen.sandbox import landlock
from patchgen.sandbox.child import follower
from patchgen.sandbox.fence import closed

SCRIPT = "scripts/checkpatch.pl"
#: Not faults of a generated patch: its author signs it off, and tests the commit
#: in the tree that it is for.
IGNORED = ("MISSING_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "FILE_PATH_CHANGES", "GIT_COMMIT_ID")
TIME_LIMIT = 60
#: Runs that are under way at once, beside the other checks.
AHEAD = 3


class StyleCheck(Value, frozen=True):
    """What checkpatch says; ``state`` is clean, complaints, or absent with a reason."""

    state: str
    complaints: tuple[str, ...] = ()
    reason: str = ""


class Fencing:
    """Whether the program may run without a fence, as the person says for a whole run."""

    required = True


class StyleRun:
    """checkpatch at work on one mail as ``git format-patch`` writes it."""

    def __init__(self, root: Path, mail: bytes) -> None:
        script = root / SCRIPT
        perl = shutil.which("perl")
        self._absent = ""
        if perl is None:
            self._absent = "no perl"
        elif not script.is_file() or script.is_symlink():
            self._absent = f"the tree has no {SCRIPT}"
        elif Fencing.required and not landlock.version():
            self._absent = "no fence for the tree's program: --unfenced-checkpatch runs it"
        if perl is None or self._absent:
            return
        command = [perl, str(script), "--strict", "--no-tree", "--show-types", "--no-summary",
                   "--root", str(root), "--ignore", ",".join(IGNORED), "--terse", "-"]  # fmt: skip
        # Files, not pipes: it runs on while nobody reads what it says.
        self._open = contextlib.ExitStack()
        folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="patchgen-"))
        self._said = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._deadline = time.monotonic() + TIME_LIMIT
        follow = follower()
        with (
            tempfile.TemporaryFile() as given,
            closed([Path(os.path.realpath(root))], Path(folder), TIME_LIMIT) as fence,
        ):
            given.write(mail)
            given.seek(0)

            def enter() -> None:
                follow()
                if fence is not None:
                    fence()

            self._process = subprocess.Popen(
                command, stdin=given, stdout=self._said, stderr=subprocess.DEVNULL,
                cwd=folder, preexec_fn=enter,
                env={"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder, "LC_ALL": "C",
                     "GIT_CONFIG_NOSYSTEM": "1"},
            )  # fmt: skip

    def result(self) -> StyleCheck:
        """What it says, once it is done; to be asked once."""
        if self._absent:
            return StyleCheck("absent", reason=self._absent)
        try:
            status = self._process.wait(max(0.0, self._deadline - time.monotonic()))
            self._said.seek(0)
            return _read(self._said.read(), status)
        except subprocess.TimeoutExpired:
            return StyleCheck("absent", reason=f"{SCRIPT} took more than {TIME_LIMIT} s")
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, whatever it does; nothing of it is left."""
        if self._absent:
            return
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._open.close()


@contextlib.contextmanager
def styles(root: Path, mails: Sequence[bytes]) -> Iterator[Iterator[StyleRun]]:
    """checkpatch's runs on ``mails``, in order, each begun well before it is asked for."""
    begun: list[StyleRun] = []

    def begin(count: int) -> None:
        begun.extend(StyleRun(root, mail) for mail in mails[len(begun) : count])

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


def check_style(root: Path, mail: bytes) -> StyleCheck:
    """Run checkpatch on one mail as ``git format-patch`` writes it."""
    return StyleRun(root, mail).result()


def _read(said: bytes, status: int) -> StyleCheck:
    lines = said.decode("utf-8", "replace").splitlines()
    complaints = []
    for line in lines:
        match = re.match(r"^[^:]*:(\d+): (ERROR|WARNING|CHECK):([A-Z_]+): (.*)$", line)
        if match:
            complaints.append(f"{match.group(3)}: {match.group(4)}")
    if status and not complaints:
        return StyleCheck("absent", reason=(lines or ["it failed"])[-1])
    return StyleCheck("complaints" if complaints else "clean", tuple(complaints))
