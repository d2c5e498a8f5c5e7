# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree from a git repository: one tag, shallow."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import child

PROBE_SECONDS = 8.0
_PERCENT = re.compile(rb"(?:remote: )?([A-Z][a-z]+ [a-z]+): +(\d+)%")
_STAGES = {b"Receiving objects": "downloading", b"Updating files": "checking out"}
_SAFE = (
    "git",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.autocrlf=false",
    "-c",
    "advice.detachedHead=false",
    # A connection that delivers nothing for half a minute is given up.
    "-c",
    "http.lowSpeedLimit=1000",
    "-c",
    "http.lowSpeedTime=30",
)


def fetch(url: str, tag: str, into: Path, report: child.Report = child.silent) -> str:
    """Clone ``tag`` of ``url`` as ``into``; answers with where it came from.

    Raises UserError when the repository does not answer soon, has no such tag,
    or the transfer fails.
    """
    report(f"asking git for {tag}", 0, 0)
    _probe(url, tag)
    command = [*_SAFE, "clone", "--progress", "--depth=1", "--single-branch", "--template="]
    command += [f"--branch={tag}", "--no-recurse-submodules", "--", url, str(into)]
    with (
        tempfile.TemporaryFile() as said,
        child.started(command, stderr=subprocess.PIPE, env=_environment()) as git,
    ):
        assert git.stderr is not None
        # Unbuffered: a percentage is told as soon as git prints it.
        while chunk := os.read(git.stderr.fileno(), 4096):
            said.write(chunk)
            _report_percent(chunk, report)
        if git.wait():
            raise UserError(f"git clone failed: {_reason(child.tail(said))}")
    return f"{tag} of {url}"


def _probe(url: str, tag: str) -> None:
    command = [*_SAFE, "ls-remote", "--exit-code", "--tags", "--", url, f"refs/tags/{tag}"]
    try:
        status, said = child.run(command, seconds=PROBE_SECONDS, env=_environment())
    except TimeoutError as error:
        raise UserError(f"{url}: {error}") from None
    if status == 2:
        raise UserError(f"{url} has no tag {tag}")
    if status:
        raise UserError(_reason(said))


def _environment() -> dict[str, str]:
    return child.clean_environment(
        GIT_TERMINAL_PROMPT="0",
        GIT_ASKPASS="true",
        SSH_ASKPASS="true",
        GIT_SSH_COMMAND="ssh -o BatchMode=yes -o ConnectTimeout=8",
    )


def _report_percent(chunk: bytes, report: child.Report) -> None:
    for stage, percent in _PERCENT.findall(chunk)[-1:]:
        if stage in _STAGES:
            report(_STAGES[stage], int(percent), 100)


def _reason(said: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    for line in lines:
        if line.startswith(("fatal: ", "error: ")):
            return line.partition(": ")[2]
    return lines[-1] if lines else "git gave no reason"
