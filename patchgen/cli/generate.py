# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen generate``: the verified series as mails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchgen.cli.options import open_state, progress, tree_options, unfenced
from patchgen.model.outcome import Exit
from patchgen.terminal import say, say_data

if TYPE_CHECKING:
    from patchgen.commits.patchset import Series
    from patchgen.recipes.planned import SeriesPlan


@click.command()
@click.argument("recipes", nargs=-1, required=True)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="the series' folder"
)
@tree_options
@click.option("--only", multiple=True, help="only this recipe's patches (repeatable)")
@click.option("--skip", multiple=True, help="not this recipe's patches (repeatable)")
@click.option("--until", default="", help="stop after this recipe")
@click.option("--no-overrides", is_flag=True, help="analysis alone, no data of known exceptions")
@click.option("--force", is_flag=True, help="replace an earlier series of patchgen's in the folder")
@click.option("--author", default="", help="'Name <address>'; default: git's identity")
@click.option("--signoff", is_flag=True, help="add a Signed-off-by of git's identity")
@click.option(
    "-v",
    "--reroll-count",
    "version",
    default=None,
    type=click.IntRange(1, 999),
    help="the version of the series  [default: 1, or the one behind --previous]",
)
@click.option("--rfc", is_flag=True, help="[RFC PATCH ...]")
@click.option("--resend", is_flag=True, help="[PATCH RESEND ...]")
@click.option("--subject-prefix", default="PATCH", show_default=True)
@click.option("--to", multiple=True, help="a recipient of all mails (repeatable)")
@click.option("--cc", multiple=True, help="a further recipient of all mails (repeatable)")
@click.option("--in-reply-to", default="", help="a Message-ID that the cover letter answers")
@click.option("--base", default="", help="the commit for base-commit:  [default: the tree's]")
@click.option(
    "--previous",
    type=click.Path(path_type=Path),
    default=None,
    help="the version before (folder or mbox): changelog, range-diff, reviews, change-id",
)
@click.option(
    "--maintainers",
    is_flag=True,
    help="To and Cc from the tree's scripts/get_maintainer.pl, which is run for it",
)
@click.option(
    "--date",
    default="",
    help="of the first patch: seconds, or 2023-11-14T10:00:00+01:00"
    "  [default: SOURCE_DATE_EPOCH, the tree's commit]",
)
@click.option(
    "--split", is_flag=True, help="a folder for each MAINTAINERS entry, at most 15 patches each"
)
@click.option("--title", default="", help="the cover letter's subject")
@click.option("--no-proof", is_flag=True, help="do not explore the protocol")
@click.option(
    "--allow-undecided",
    is_flag=True,
    help="write the series though the proof cannot decide; the cover letter says so",
)
@click.option("--no-checkpatch", is_flag=True, help="do not run the tree's scripts/checkpatch.pl")
@unfenced
@click.option(
    "--bench",
    nargs=2,
    type=click.Path(path_type=Path),
    default=None,
    help="benchmark runs BEFORE and AFTER, for the cover letter (see patchgen stats)",
)
@click.option(
    "--boot-evidence",
    type=click.Path(path_type=Path),
    default=None,
    help="what patchgen boot --json measured",
)
def command(
    recipes: tuple[str, ...],
    out: Path,
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    until: str,
    no_overrides: bool,
    force: bool,
    author: str,
    signoff: bool,
    version: int | None,
    rfc: bool,
    resend: bool,
    subject_prefix: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    in_reply_to: str,
    base: str,
    previous: Path | None,
    maintainers: bool,
    date: str,
    split: bool,
    title: str,
    no_proof: bool,
    allow_undecided: bool,
    no_checkpatch: bool,
    bench: tuple[Path, Path] | None,
    boot_evidence: Path | None,
) -> Exit:
    """Generate RECIPES' series for a tree: planned, verified, then written at once.

    The folder gets NNNN-subject.patch and 0000-cover-letter.patch.  Exit status 0:
    written, or nothing to do; 1: a check failed, nothing was written; 3: refused, also
    where the proof of the result is undecided.
    """
    from patchgen.commits.build import parse_date
    from patchgen.commits.identity import parse_identity
    from patchgen.pipeline.cover import Supplied, build_cover
    from patchgen.pipeline.generate import Ahead, Request, check_request, generate
    from patchgen.pipeline.plan import make_plan
    from patchgen.recipes.base import Options
    from patchgen.recipes.planned import Choice
    from patchgen.report.plan import check_lines, plan_data, plan_lines
    from patchgen.series.write.headers import MailOptions, message_id

    show = progress(quiet)
    request = Request(
        mail=MailOptions(
            1, rfc, resend, subject_prefix, to, cc, in_reply_to=message_id(in_reply_to)
        ),
        version=version,
        author=parse_identity(author, "--author") if author else None,
        signoff=signoff,
        force=force,
        checkpatch=not no_checkpatch,
        prove=not no_proof,
        allow_undecided=allow_undecided,
        previous=_previous(previous),
        maintainers=maintainers,
        date=parse_date(date) if date else None,
        base=base,
        split=split,
    )
    state = open_state(spec, build_dir, arch)
    check_request(request, state.root, out)
    show("plan")
    with Ahead(state, recipes, request) as ahead:
        plan = make_plan(
            state, recipes, Options(not no_overrides), Choice(only, skip, until), ahead.step,
            confirmed=False,
        )  # fmt: skip
        ahead.planned(plan)
        supplied = Supplied(title, _bench(bench), "", _boot(boot_evidence, plan))
        if not as_json and not quiet and not plan.refusals:
            from patchgen.pipeline.inspect import tree_headline

            show("")
            say(tree_headline(state))
            for line in plan_lines(plan):
                say(line)
        done = generate(
            plan,
            lambda plan, series, checks: build_cover(plan, series, checks, supplied),
            request,
            out,
            show,
            ahead,
        )
    show("")
    if as_json:
        proof = done.proof and done.proof.data()
        data = {**plan_data(plan), "checks": done.checks, "files": _names(done), "proof": proof}
        say_data(data)
        return Exit.CLEAN
    for line in check_lines(done.checks) if not quiet else ():
        say(line)
    if done.files is not None and not quiet and (done.proof or no_proof):
        say(f"proof   {done.proof.line() if done.proof else 'not made (--no-proof)'}")
    for note in (done.hint, *done.notes):
        if note:
            say(f"patchgen: {note}", err=True)
    if done.files is not None and not quiet:
        for line in _what_is_there(out, list(done.files.files), len(done.checks)):
            say(line)
    return Exit.CLEAN


def _what_is_there(out: Path, names: list[str], count: int) -> list[str]:
    """What was written, and what to do with it."""
    folders = list(dict.fromkeys(name.partition("/")[0] for name in names if "/" in name))
    if folders:
        return [f"{out}/{folder}/" for folder in folders]
    first = next(name for name in names if not name.endswith("cover-letter.patch"))
    prefix = first.partition("0001-")[0]
    pattern = prefix + (f"00{{01..{count:02}}}-*" if count > 9 else f"000[1-{count}]-*")
    return [
        f"{out}/: cover letter and {count} patch{'es' if count != 1 else ''}",
        f"next: git am {out}/{pattern}.patch   or   git send-email {out}/*.patch",
    ]


def _names(done: object) -> list[str]:
    files = getattr(done, "files", None)
    return list(files.files) if files is not None else []


def _bench(paths: tuple[Path, Path] | None) -> str:
    if not paths:
        return ""
    from patchgen.series.stats.table import compare, table

    return table(compare(*paths))


def _previous(path: Path | None) -> Series | None:
    if path is None:
        return None
    from patchgen.series.read.read import read_series

    return read_series(path)


def _boot(path: Path | None, plan: SeriesPlan) -> str:
    if path is None or not plan.planned:
        return ""
    from patchgen.boot.cover import cover_section
    from patchgen.boot.evidence import load_for

    files = {path: data for patch in plan.patches for path, data in patch.files.items()}
    return cover_section(load_for(path, plan.first.tree.version, files))
