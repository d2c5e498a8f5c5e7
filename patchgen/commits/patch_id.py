# SPDX-License-Identifier: GPL-2.0-only
"""``git patch-id --stable``: what ``prerequisite-patch-id:`` lines name."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.commits.build import Commit
from patchgen.commits.git import Git


def patch_ids(commits: Sequence[Commit]) -> tuple[str, ...]:
    """The stable patch-id of each commit's diff."""
    stream = b"".join(b"From %s\n\n%s\n" % (one.sha.encode(), one.diff) for one in commits)
    out = Git(None).run("patch-id", "--stable", stdin=stream).decode()
    return tuple(line.split()[0] for line in out.splitlines())
