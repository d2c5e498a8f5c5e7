# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen am SERIES``: verify a series, then apply it, all or nothing."""

from __future__ import annotations

from pathlib import Path

import click

from patchgen.cli.options import open_state, progress, tree_options
from patchgen.terminal import say, say_data


@click.command()
@click.argument("series", nargs=-1, required=True)
@click.option("--branch", help="Branch to create or to move (default: the one checked out).")
@click.option(
    "--only-version", type=int, metavar="N", help="Take version N where the mails hold several."
)
@click.option(
    "--allow",
    multiple=True,
    metavar="PATH",
    help="Let odd modes and control characters through for PATH.",
)
@click.option("--allow-undecided", is_flag=True, help="Take a proof that cannot decide.")
@click.option("-v", "--verbose", is_flag=True, help="Say what was set aside while reading.")
@tree_options
def command(
    series: tuple[str, ...],
    branch: str | None,
    only_version: int | None,
    allow: tuple[str, ...],
    allow_undecided: bool,
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Verify SERIES, then apply it to a git checkout, all or nothing.

    SERIES is an mbox, a maildir, a folder, patch files, or - for stdin.  Each patch
    is parsed at its own commit, with the files that use what it touches; where the
    series changes the notifier protocol, its proof must hold.  Nothing of
    the checkout is touched before the last step, which moves one branch; the files
    follow when that branch is checked out and clean.  A new branch leaves the files
    alone.
    """
    from patchgen.pipeline.am import am, verify_applied
    from patchgen.proof.show.compared import Compared
    from patchgen.series.read.read import read_series
    from patchgen.source.tree.named import spelled
    from patchgen.verify.apply import AppliedSeries

    state = open_state(spec, build_dir, arch)
    show = progress(quiet)
    proofs: list[Compared | None] = []

    def check(applied: AppliedSeries) -> None:
        show(f"verify {len(applied.patches)} patches")
        proofs.append(verify_applied(state, applied, allow_undecided))
        show("")

    mails = read_series(
        series, version=only_version, allow=[spelled(str(state.root), path) for path in allow]
    )
    if verbose:
        for note in mails.notes:
            say(note, err=True)
    target, applied = am(state.root, mails, branch, check)
    tip = applied.patches[-1].sha
    (proof,) = proofs
    if as_json:
        from patchgen.report.verified import plain

        value = {
            "branch": target.branch,
            "created": not target.old,
            "before": target.base,
            "after": tip,
            "work_tree": target.work_tree,
            "proof": proof and proof.data(),
            "commits": [
                {
                    "sha": one.sha,
                    "subject": one.patch.subject,
                    "paths": [plain(path) for path in one.patch.paths],
                }
                for one in applied.patches
            ],
        }
        say_data(value, None)
        return
    if quiet:
        return
    if proof is not None:
        say(f"proof   {proof.line()}")
    for one in applied.patches:
        say(f"{one.sha[:12]} {one.patch.subject}")
    how = "moved" if target.old else "created"
    files = ", files updated" if target.work_tree else ""
    say(f"branch {target.branch} {how}: {target.base[:12]}..{tip[:12]}{files}")
