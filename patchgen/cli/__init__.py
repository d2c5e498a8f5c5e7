# SPDX-License-Identifier: GPL-2.0-only
"""The command line: one module a command, loaded only when it is called.

A command ``foo-bar`` is the click command named ``command`` in
``patchgen/cli/foo_bar.py``; the listing in ``patchgen --help`` comes from
:data:`COMMANDS`, so that no command's imports are paid for by another.  Commands
parse arguments, call one function and print; they hold no logic.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

import click

from patchgen import __version__, memo
from patchgen.cli import streams
from patchgen.model.outcome import Exit, UserError
from patchgen.terminal import say, say_text

COMMANDS = {
    "tree": "bring kernel trees into kernel-tree/, list them",
    "inspect": "version, API generation, KVM's idiom, callbacks, call sites",
    "api": "hold the tree's mmu notifier API against a generation's descriptor",
    "plan": "what the tree has, what would be generated, what is refused",
    "generate": "write a verified patch series",
    "lint": "check notifier handlers and call sites",
    "verify": "check a series: applies, parses, conforms, lint, proof",
    "am": "verify a series, then apply it to a repository, all or nothing",
    "prove": "explore the notifier protocol of the tree's handlers",
    "boot": "boot the kernel before and after, count the guest's faults",
    "stats": "compare two sets of benchmark runs",
    "cache": "what the cache holds, its limits, clearing it",
    "rules": "list the lint rules",
    "recipes": "list the recipes",
    "explain": "explain a lint rule or a recipe",
}


_ROOM = "free some, or set TMPDIR and PATCHGEN_CACHE to folders with room"
#: What a machine may run out of anywhere, and what to do about it.
_SPENT = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _ROOM,
    errno.EFBIG: "ulimit -f",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "too many programs have files open",
    errno.EAGAIN: "ulimit -u",
    errno.ENOMEM: "free some memory, or ulimit -v",
    errno.EIO: "the disk fails",
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"patchgen.cli.{cmd_name.replace('-', '_')}"
        if importlib.util.find_spec(name) is None:
            return None
        module = importlib.import_module(name)
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="patchgen")
def group() -> None:
    """Generate, check and ship mmu notifier patch series for Linux."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with DESIGN's statuses.

    0 clean, 1 findings or failed verification, 2 unusable input, 3 refused,
    130 interrupted.  Unusable input is one line on stderr, never a traceback.
    """
    if argv is None:
        # A caller that passes ``argv`` keeps the streams that it has.
        streams.prepare()
    memo.warn = _say
    # SIGTERM unwinds like Ctrl-C, so that temporary folders are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        if memo.wrote:
            _keep_cache()
    except click.exceptions.Abort:
        _say("interrupted")
        status = Exit.INTERRUPTED
    except KeyboardInterrupt:
        _say("interrupted")
        status = Exit.INTERRUPTED
    except click.ClickException as error:
        _say(error.format_message())
        status = Exit.UNUSABLE
    except UserError as error:
        _say(str(error))
        for line in error.evidence:
            say(f"    {line}", err=True)
        status = error.exit_status
    except Exception as error:  # the one place that catches everything
        if os.environ.get("PATCHGEN_TRACEBACK"):
            raise
        _say(_unexpected(error))
        status = Exit.UNUSABLE
    sys.exit(int(status or 0))


def _keep_cache() -> None:
    """Hold the cache to its limits; what is wrong with these does not change the status."""
    from patchgen import upkeep

    try:
        upkeep.keep()
    except UserError as error:
        _say(str(error))


def _unexpected(error: Exception) -> str:
    """What is said of an exception that nobody awaited: the machine's end, or a fault of ours."""
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if isinstance(error, OSError) and error.errno in _SPENT:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return f"{where}{error.strerror} ({_SPENT[error.errno]})"
    return (
        f"internal error: {type(error).__name__}: {error}"
        " (a fault of patchgen; PATCHGEN_TRACEBACK=1 shows where)"
    )


def _run(argv: list[str]) -> int | None:
    """The command's status.  Not by Group.main(), which ends a closed pipe with status 1."""
    try:
        Path.cwd()
    except OSError:
        raise UserError("the current folder is gone", hint="cd to one that is there") from None
    try:
        with group.make_context("patchgen", list(argv)) as context:
            status: int | None = group.invoke(context)
            return status
    except click.exceptions.NoArgsIsHelpError as error:
        say_text(error.format_message())
        return Exit.UNUSABLE
    except click.exceptions.Exit as error:
        return error.exit_code


def _say(line: str) -> None:
    say(f"patchgen: {line}", err=True)
