# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen lint``: the contract of mmu notifiers, checked on handlers and call sites."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchgen.cli.options import open_state, progress, tree_options, verbose_option
from patchgen.model.outcome import Exit

if TYPE_CHECKING:
    from patchgen.rules.run import LintResult
    from patchgen.source.facts.state import TreeState


@click.command()
@click.argument("files", nargs=-1)
@tree_options
@verbose_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "gcc", "json", "sarif", "github"]),
    default="text",
    show_default=True,
)
@click.option("--select", multiple=True, help="only this rule, by ID, prefix or name (repeatable)")
@click.option("--ignore", multiple=True, help="not this rule (repeatable)")
@click.option("--diff", "revision", default="", help="only what changed since this revision")
@click.option("--baseline", type=click.Path(path_type=Path), help="leave out what this file knows")
@click.option(
    "--fix",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="write a verified series that mends what can be mended mechanically",
)
@click.option("--write-baseline", type=click.Path(path_type=Path), help="write what is found there")
def command(
    files: tuple[str, ...],
    spec: str,
    build_dir: Path | None,
    arch: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    style: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    revision: str,
    baseline: Path | None,
    fix: Path | None,
    write_baseline: Path | None,
) -> Exit:
    """Lint FILES (paths in the tree), or every file that mentions the API.

    Exit status 1 when there are findings, or files that could not be parsed.
    """
    state = open_state(spec, build_dir, arch)
    if not files and not revision:
        state.expect_search()  # while the rest is imported
    import msgspec

    from patchgen.pipeline.lint import lint_since, selection
    from patchgen.report import baseline as known
    from patchgen.report.findings import gcc_lines, github_lines, lint_data, text_lines
    from patchgen.rules.run import lint

    show = progress(quiet)
    wanted = selection(select, ignore)
    show("lint")
    result = lint_since(state, revision, wanted) if revision else lint(state, files, wanted)
    show("")
    if write_baseline is not None:
        known.write_baseline(write_baseline, result.findings)
        click.echo(f"{write_baseline}: {len(result.findings)} findings", err=True)
        return Exit.CLEAN
    if baseline is not None:
        left = known.without_baseline(baseline, result.findings)
        result = msgspec.structs.replace(result, findings=left)
    if fix is not None:
        return _fix(state, result, fix)
    if as_json or style in ("json", "sarif"):
        from patchgen.report.sarif import sarif

        data = sarif(result) if style == "sarif" else lint_data(result)
        click.echo(msgspec.json.format(msgspec.json.encode(data).decode()))
    else:
        lines: Iterable[str]
        if style == "gcc":
            lines = gcc_lines(result)
        elif style == "github":
            lines = github_lines(result)
        else:
            lines = text_lines(result, state.read, verbose)
        for line in lines:
            click.echo(line)
    for diagnostic in result.unparsed:
        click.echo(f"patchgen: {diagnostic}", err=True)
    for path, error in result.failed:
        click.echo(f"patchgen: {path}: {error}", err=True)
    lost = result.findings or result.unparsed or result.failed
    return Exit.FINDINGS if lost else Exit.CLEAN


def _fix(state: TreeState, result: LintResult, out: Path) -> Exit:
    """Write the series; what has no mechanical mend is listed and stays."""
    from patchgen.pipeline.cover import Supplied, build_cover
    from patchgen.pipeline.fix import plan_fixes
    from patchgen.pipeline.generate import Request, generate
    from patchgen.report.plan import check_lines, plan_lines

    plan, left = plan_fixes(state, result.findings)
    for line in plan_lines(plan) if plan.planned else ():
        click.echo(line)
    supplied = Supplied("Mend findings of patchgen lint")
    done = generate(
        plan,
        lambda plan, series, checks: build_cover(plan, series, checks, supplied),
        Request(),
        out,
    )
    for line in check_lines(done.checks):
        click.echo(line)
    for finding in left:
        click.echo(f"left: {finding.place}: {finding.message} [{finding.rule}]")
    if done.files is not None:
        click.echo(f"{out}/: cover letter and {len(done.checks)} patches")
    return Exit.FINDINGS if left else Exit.CLEAN
