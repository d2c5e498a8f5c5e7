# SPDX-License-Identifier: GPL-2.0-only
"""A small folder with C files, a series on it, and plain git beside ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from patchgen.commits.build import CommittedSeries, commit_patches
from patchgen.commits.identity import Identity
from patchgen.model.plan import Patch

AUTHOR = Identity("A U Thor", "author@example.org")
BODY = "".join(f"\tint v{number};\n" for number in range(110))
OLD = f"int first(void)\n{{\n{BODY}\treturn 0;\n}}\n".encode()


def plain_git(root: Path, *arguments: str, status: int | None = 0, stdin: bytes = b"") -> str:
    """git as a user runs it, with an identity; the tree's configuration counts."""
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for name in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{name}_NAME": "C O Mitter", f"GIT_{name}_EMAIL": "committer@example.org"}
    command = ["git", "-C", root, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, env=env)
    text = (done.stdout + done.stderr).decode(errors="replace")
    assert status is None or done.returncode == status, text
    return text.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A git checkout with mm/a.c and mm/b.c."""
    root = tmp_path / "linux"
    (root / "mm").mkdir(parents=True)
    (root / "mm/a.c").write_bytes(OLD)
    (root / "mm/b.c").write_bytes(OLD)
    plain_git(root, "init", "-q")
    plain_git(root, "add", ".")
    plain_git(root, "commit", "-qm", "base")
    return root


def patches(count: int = 3) -> list[Patch]:
    """A chain of patches: each changes a.c, odd ones b.c as well, one adds a file."""
    made, files = [], {"mm/a.c": OLD, "mm/b.c": OLD}
    for number in range(1, count + 1):
        change = {"mm/a.c": _changed(files["mm/a.c"], number)}
        if number % 2:
            change["mm/b.c"] = _changed(files["mm/b.c"], number)
        if number == 2:
            change["mm/new.h"] = b"#define NEW 1\n"
        files |= change
        subject = f"mm: change number {number}"
        made.append(Patch(f"r{number}", subject, f"{subject}\n\nBecause of {number}.", change))
    return made


def _changed(data: bytes, number: int) -> bytes:
    # Far enough apart that the patches apply in any order.
    name = number * 8 - 5
    return data.replace(b"\tint v%d;\n" % name, b"\tlong v%d;\n" % name)


def committed(root: Path, count: int = 3, **more: object) -> CommittedSeries:
    def read(path: str) -> bytes | None:
        file = root / path
        return file.read_bytes() if file.exists() else None

    return commit_patches(patches(count), root, read, AUTHOR, date=1700000000, **more)
