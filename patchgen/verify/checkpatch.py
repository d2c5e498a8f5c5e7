# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own scripts/checkpatch.pl --strict on one patch.

It is a program of the tree: it runs only where it is asked for, with a bare
environment, in an empty folder, on a mail from stdin, and never from a patched state.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from patchgen.model import Value

SCRIPT = "scripts/checkpatch.pl"
_TYPE = re.compile(r"^(ERROR|WARNING|CHECK):([A-Z_]+): (.*)$")
#: Not faults of a generated patch: its author signs it off, and tests the commit
#: in the tree that it is for.
_IGNORED = ("MISSING_SIGN_OFF", "NO_AUTHOR_SIGN_OFF", "FILE_PATH_CHANGES", "GIT_COMMIT_ID")
TIME_LIMIT = 60


class StyleCheck(Value, frozen=True):
    """What checkpatch says; ``state`` is clean, complaints, or absent with a reason."""

    state: str
    complaints: tuple[str, ...] = ()
    reason: str = ""


def check_style(root: Path, mail: bytes) -> StyleCheck:
    """Run checkpatch on one mail as ``git format-patch`` writes it."""
    script = root / SCRIPT
    perl = shutil.which("perl")
    if perl is None:
        return StyleCheck("absent", reason="no perl")
    if not script.is_file() or script.is_symlink():
        return StyleCheck("absent", reason=f"the tree has no {SCRIPT}")
    command = [perl, str(script), "--strict", "--no-tree", "--show-types", "--no-summary",
               "--root", str(root), "--ignore", ",".join(_IGNORED), "--terse", "-"]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="patchgen-") as folder:
        try:
            done = subprocess.run(
                command, input=mail, capture_output=True, cwd=folder, check=False,
                timeout=TIME_LIMIT, env={"PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return StyleCheck("absent", reason=f"{SCRIPT} took more than {TIME_LIMIT} s")
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    complaints = []
    for line in lines:
        match = re.match(r"^[^:]*:(\d+): (ERROR|WARNING|CHECK):([A-Z_]+): (.*)$", line)
        if match:
            complaints.append(f"{match.group(3)}: {match.group(4)}")
    if done.returncode and not complaints:
        return StyleCheck("absent", reason=(lines or ["it failed"])[-1])
    return StyleCheck("complaints" if complaints else "clean", tuple(complaints))
