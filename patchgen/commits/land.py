# SPDX-License-Identifier: GPL-2.0-only
"""The one place that changes a user's repository, in one last step.

First the objects go in: nothing names them yet, so a kill leaves the repository as
it was.  Then a process of its own session, which neither Ctrl-C nor a kill of
patchgen reaches, moves the branch with git's compare-and-swap and lets the work
tree follow.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from patchgen.commits.git import Git
from patchgen.commits.scratch import Scratch
from patchgen.commits.target import Target, WorkTree
from patchgen.model.outcome import UserError

_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def land(scratch: Scratch, tip: str, target: Target, message: str) -> None:
    """Move ``target``'s branch to the commit ``tip`` of the scratch repository.

    UserError, with nothing changed, when the work tree is not clean or somebody
    else moved the branch meanwhile.
    """
    tree = WorkTree(scratch) if target.work_tree else None
    if tree is not None:
        tree.check_room(target.base, tip)
    user = Git(Path(scratch.source.git_dir))
    _send_objects(scratch, user, tip, target.base)
    _survive(lambda: _move(user, tree, tip, target, message))


def _send_objects(scratch: Scratch, user: Git, tip: str, base: str) -> None:
    """The new objects as one pack; git renames it into place when it is whole."""
    pack = scratch.git.run(
        "pack-objects", "--revs", "--stdout", "-q", stdin=f"{tip}\n^{base}\n".encode()
    )
    user.run("index-pack", "--stdin", stdin=pack)


def _move(user: Git, tree: WorkTree | None, tip: str, target: Target, message: str) -> None:
    reference = f"refs/heads/{target.branch}"
    old = target.old or "0" * len(tip)
    names = {
        "GIT_COMMITTER_NAME": target.committer.name,
        "GIT_COMMITTER_EMAIL": target.committer.email,
    }
    if tree is not None:
        tree.settle(target.base, tip)
    user.run("update-ref", "-m", message, reference, tip, old, env=names)
    if tree is None:
        return
    try:
        tree.update(target.base, tip)
    except UserError:
        user.run("update-ref", "-m", f"{message} (undone)", reference, old, tip, env=names)
        raise


def _survive(step: Callable[[], None]) -> None:
    """Run ``step`` in a child of its own session; signals wait until it is done."""
    reader, writer = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        child = os.fork()
        if child == 0:
            _child(step, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            error = stream.read().decode(errors="replace")
        os.waitpid(child, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if error:
        raise UserError(error)


def _child(step: Callable[[], None], writer: int) -> None:
    status = 1
    try:
        os.setsid()
        step()
        status = 0
    except UserError as error:
        os.write(writer, str(error).encode())
    except BaseException as error:
        # Whatever it is, the parent must say so in one line.
        os.write(writer, f"the branch could not be moved: {error!r}".encode())
    finally:
        os._exit(status)
