# SPDX-License-Identifier: GPL-2.0-only
"""Running git so that nothing of the tree's or the user's ever runs or counts.

Every call gets an environment of its own: no global, system or user
configuration, no hooks, filters, pager, editor, file-system monitor, signing,
replacement objects or transport (a partial clone cannot fetch behind our back,
and ``ext::`` remotes cannot start programs).  Output is bytes.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from patchgen.model.outcome import UserError
from patchgen.sandbox import look

if TYPE_CHECKING:
    from git.cmd import Git as Runner

OLDEST = (2, 30)

_ENVIRONMENT = {
    "LC_ALL": "C",
    "TZ": "UTC",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "false",
    "GIT_ASKPASS": "false",
    # A scratch repository needs a committer; an author is always given.
    "GIT_COMMITTER_NAME": "patchgen",
    "GIT_COMMITTER_EMAIL": "patchgen@localhost",
}

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    f"core.attributesFile={os.devnull}",
    f"core.excludesFile={os.devnull}",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.autocrlf=false",
    "core.fsync=none",
    "core.quotePath=true",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "diff.algorithm=default",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "apply.whitespace=warn",
    "protocol.allow=never",
)


#: Of any call, and what timeout(1) answers then.
_SECONDS, _TIMED_OUT = 600, 124

#: Files of a repository that git opens whatever it is asked.
_PARTS = (
    "HEAD", "config", "config.worktree", "index", "packed-refs", "shallow", "commondir",
    "gitdir", "objects/info/alternates", "objects/info/commit-graph",
    "objects/pack/multi-pack-index", "info/exclude", "info/attributes", "info/grafts",
    "info/sparse-checkout",
)  # fmt: skip


class GitFailed(UserError):
    """git ended with a status that the caller did not expect."""

    def __init__(self, arguments: tuple[str, ...], status: int, stderr: str) -> None:
        reason = " / ".join(stderr.split("\n")[:3]).strip() or f"status {status}"
        super().__init__(f"git {arguments[0]} failed: {reason}")
        self.arguments = arguments
        self.status = status
        self.stderr = stderr.strip()


class Git:
    """git on one repository, always named with ``--git-dir`` and never searched for.

    ``index`` is the index file, ``objects`` the store that new objects go to,
    both the repository's own unless given.
    """

    def __init__(
        self,
        git_dir: Path | None,
        *,
        index: Path | None = None,
        objects: Path | None = None,
        work_tree: Path | None = None,
    ) -> None:
        self.git_dir = git_dir
        self._extra: dict[str, str] = {}
        if git_dir is not None:
            self._extra["GIT_DIR"] = str(git_dir.absolute())
        if index is not None:
            self._extra["GIT_INDEX_FILE"] = str(index.absolute())
        if objects is not None:
            self._extra["GIT_OBJECT_DIRECTORY"] = str(objects.absolute())
        self.work_tree = work_tree
        if work_tree is not None:
            self._extra["GIT_WORK_TREE"] = str(work_tree.absolute())

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        env: dict[str, str] | None = None,
        config: tuple[str, ...] = (),
    ) -> bytes:
        """Run ``git arguments`` and return its stdout.

        An empty value in ``env`` takes a variable away.  Raises
        :class:`GitFailed` when the exit status is not in ``ok``.
        """
        return self.result(*arguments, stdin=stdin, ok=ok, env=env, config=config)[1]

    def result(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ok: tuple[int, ...] = (0,),
        env: dict[str, str] | None = None,
        config: tuple[str, ...] = (),
    ) -> tuple[int, bytes, str]:
        """As :meth:`run`, with the exit status and stderr."""
        variables = {"PATH": os.environ.get("PATH", os.defpath)}
        variables |= _ENVIRONMENT | self._extra | (env or {})
        variables = {name: value for name, value in variables.items() if value}
        # GitPython adds to os.environ and cannot take away: env -i can.
        command = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        command += ["timeout", "--foreground", f"{_SECONDS}", "git", "--no-pager"]
        for setting in (*_SETTINGS, *config):
            command += ["-c", setting]
        if self.git_dir is not None:
            _check_parts(self.git_dir)
        with tempfile.TemporaryFile() as source:
            source.write(stdin)
            source.seek(0)
            status, stdout, stderr = _runner(self.work_tree).execute(
                [*command, *arguments],
                istream=source,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        assert isinstance(stdout, bytes)
        text = stderr if isinstance(stderr, str) else bytes(stderr).decode(errors="replace")
        if status == _TIMED_OUT:
            text = f"no answer within {_SECONDS} s"
        if status not in ok:
            raise GitFailed(arguments, int(status), text)
        return int(status), stdout, text


def _check_parts(git_dir: Path) -> None:
    """UserError where a file that git opens is a FIFO or a device: git waits, or never ends."""
    for part in _PARTS:
        try:
            fine = not look.is_there(git_dir / part) or look.is_file(git_dir / part)
        except OSError:
            continue  # git says what is wrong with it
        if not fine:
            what = "is no regular file, so git does not get to see the repository"
            raise UserError(what, str(git_dir / part), "mend the repository")


def _runner(folder: Path | None) -> Runner:
    try:
        from git.cmd import Git as Runner
    except ImportError as error:
        raise UserError("git cannot be run", hint="install git 2.30 or newer") from error
    return Runner(str(folder or Path("/")))


@functools.cache
def version() -> str:
    """The version of git, as its mails end with; UserError when it is too old."""
    words = Git(None).run("version").decode().split()
    text = words[2] if len(words) > 2 else "0"
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        raise UserError(f"git {text} is too old", hint="git 2.30 or newer is needed")
    return text
