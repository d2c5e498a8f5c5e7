# SPDX-License-Identifier: GPL-2.0-only
"""A patch as a mail, and the kernel before it: what ``verify`` is given."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.gate.listed import Listed
from tests.gate.mails import diff_of, file_name


class Given(NamedTuple):
    """Mails, the judged one last, and a tree, or why there are none."""

    mails: list[Path]
    tree: Path
    lacks: str = ""


class Places(NamedTuple):
    """Where things are: a Linux repository (or None), kernels by version, mails, scratch space.

    The kernels are copies that may be changed: a diff is taken back there, and put in again.
    """

    linux: Path | None
    kernels: Path | None
    mails: Path
    work: Path


@contextmanager
def given(listed: Listed, places: Places) -> Iterator[Given]:
    """What is needed to verify ``listed``, as long as the context lasts."""
    if listed.is_commit:
        yield _commit(listed.id, places)
        return
    mails = [places.mails / file_name(name) for name in listed.ids]
    tree = (places.kernels or Path("no")) / listed.kernel
    if missing := [name for name in listed.ids if not (places.mails / file_name(name)).exists()]:
        yield Given(mails, tree, f"no mail {missing[0]}")
    elif not (tree / "Makefile").exists():
        yield Given(mails, tree, f"no kernel {listed.kernel}")
    elif not listed.taken_back:
        yield Given(mails, tree)
    else:
        diff = diff_of(mails[-1].read_bytes())
        if fault := _apply(tree, diff, "-R"):
            yield Given(mails, tree, f"not in {listed.kernel}: {fault}")
            return
        try:
            yield Given(mails, tree)
        finally:
            if fault := _apply(tree, diff):
                raise RuntimeError(f"{tree} is no longer as it was: {fault}")


def _apply(tree: Path, diff: bytes, *options: str) -> str:
    """git's complaint, or ""; all of a diff lands, or nothing."""
    outside = {**os.environ, "GIT_DIR": os.devnull}
    done = subprocess.run(
        ["git", "apply", *options, "-"], input=diff, cwd=tree, capture_output=True, env=outside
    )
    return (
        done.stderr.decode(errors="replace").strip().partition("\n")[0] if done.returncode else ""
    )


def _commit(name: str, places: Places) -> Given:
    """A commit as a mail, and its parent checked out in a work tree of the repository."""
    tree, mail = places.work / "linux", places.work / f"{name}.patch"
    if places.linux is None:
        return Given([mail], tree, "no repository of Linux (LINUX=DIR)")
    for wanted in (name, f"{name}^"):
        if _git(places.linux, "cat-file", "-e", f"{wanted}^{{commit}}")[0]:
            return Given([mail], tree, f"{places.linux} has no {wanted}")
    if tree.exists():
        status, said = _git(tree, "checkout", "-q", "-f", "--detach", f"{name}^")
    else:
        status, said = _git(
            places.linux, "worktree", "add", "-q", "--detach", str(tree.absolute()), f"{name}^"
        )
    if status:
        raise OSError(said.decode(errors="replace"))
    status, text = _git(places.linux, "format-patch", "-1", "--stdout", name)
    mail.write_bytes(text)
    return Given([mail], tree, "" if not status else f"{name} is no patch")


def _git(folder: Path, *words: str) -> tuple[int, bytes]:
    """(exit status, what git printed) of one command."""
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True)
    return done.returncode, done.stdout if not done.returncode else done.stderr
