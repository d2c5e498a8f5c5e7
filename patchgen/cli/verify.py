# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen verify``: a series that anybody wrote, patch by patch."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from patchgen.cli.options import open_state, progress, tree_options, unfenced, verbose_option
from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_data


@click.command()
@click.argument("series", nargs=-1, required=True)
@tree_options
@verbose_option
@click.option(
    "--engine",
    type=click.Choice(["index", "git-am"]),
    default="index",
    show_default=True,
    help="how patches are applied, in isolation either way",
)
@click.option(
    "--after",
    multiple=True,
    metavar="PATCHES",
    help="patches that come first: put on the tree, and not checked",
)
@click.option("--only-version", type=int, metavar="N", help="take version N of several")
@click.option("--allow", multiple=True, metavar="PATH", help="let odd modes through for PATH")
@click.option("--no-checkpatch", is_flag=True, help="do not run the tree's scripts/checkpatch.pl")
@unfenced
@click.option("--no-proof", is_flag=True, help="do not explore the protocol")
@click.option(
    "--allow-undecided",
    is_flag=True,
    help="take a proof that cannot decide, and notifier code that was not analysed",
)
@click.option("--strict", is_flag=True, help="warnings and remarks make a patch fail, too")
@click.option(
    "--build",
    is_flag=True,
    help="compile the touched objects with the tree's kbuild, after each patch; this runs "
    "makefiles and tools of the tree and of the series",
)
@click.option("--b4", "as_b4", is_flag=True, help="answer as b4's per-patch check command")
def command(
    series: tuple[str, ...],
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    engine: str,
    after: tuple[str, ...],
    only_version: int | None,
    allow: tuple[str, ...],
    no_checkpatch: bool,
    no_proof: bool,
    allow_undecided: bool,
    strict: bool,
    build: bool,
    as_b4: bool,
) -> Exit:
    """Verify SERIES: an mbox, a maildir, a folder, patch files, or - for stdin.

    Patch files may be a slice of a series: it is verified behind the patches before it, where
    they lie beside it or --after names them (a file or folder with the thread does), else
    on the tree; the report says which.

    Each patch is applied in isolation and checked at its own commit.  Exit status 1
    when one does not apply or fails a check, when notifier code of it could not be
    analysed, or when the series changes the notifier protocol and its proof fails or
    cannot decide.
    """
    from patchgen.pipeline.verify import verify
    from patchgen.report.verified import b4_lines, fault_lines, verified_data, verified_lines
    from patchgen.source.tree.named import spelled

    show = progress(quiet or as_b4)
    state = open_state(spec, build_dir, arch)
    allow = tuple(spelled(str(state.root), path) for path in allow)
    if as_b4 and series == ("-",) and not after:
        from patchgen.pipeline.b4 import verify_mail

        found = verify_mail(
            state, sys.stdin.buffer, allow=allow, checkpatch=not no_checkpatch, build=build
        )
    else:
        from patchgen.pipeline.parents import read_behind

        mails, known = read_behind(state.root, series, after, version=only_version, allow=allow)
        found = verify(
            state, mails, engine=engine, checkpatch=not no_checkpatch,
            prove=not (no_proof or as_b4), build=build, allow_undecided=allow_undecided,
            strict=strict, known=known, progress=show,
        )  # fmt: skip
    show("")
    if as_json:
        proof = found.proof.data() if found.proof is not None else None
        data = verified_data(found.patches, found.total, found.base, proof, found.ok)
        data["caveats"] = list(found.caveats)
        say_data(data)
    elif as_b4:
        for line in b4_lines(found.patches, found.notes):
            say(line)
    elif quiet:
        wrong = found.proof.line() if found.proof is not None and found.proof.fault else ""
        for line in fault_lines(found.patches, found.total, wrong):
            say(line)
    else:
        proved = "not made (--no-proof)" if no_proof else ""
        if found.proof is not None:
            proved = found.proof.line()
        elif not no_proof and any(patch.check is None for patch in found.patches):
            proved = "not made: not every patch applies"
        for line in verified_lines(found.patches, found.total, proved, verbose):
            say(line)
        for caveat in found.caveats:
            say(f"note    {caveat}")
        for note in found.notes if verbose else ():
            say(note, err=True)
    return Exit.CLEAN if found.ok else Exit.FINDINGS
