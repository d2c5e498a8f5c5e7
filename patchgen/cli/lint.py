# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen lint``: the contract of mmu notifiers, checked on handlers and call sites."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchgen.cli.options import open_state, progress, tree_options, verbose_option
from patchgen.model.outcome import Exit
from patchgen.sandbox.writer import check_given
from patchgen.terminal import say, say_data

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
@click.option("--force", is_flag=True, help="with --fix: replace an earlier series in DIR")
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
    force: bool,
    write_baseline: Path | None,
) -> Exit:
    """Lint FILES, or every file that mentions the API; a folder means those in it.

    Exit status 1 when there are findings, or files that could not be analysed.
    """
    if write_baseline is not None:
        check_given(write_baseline)
    state = open_state(spec, build_dir, arch)
    if not files and not revision:
        state.expect_search()  # while the rest is imported
    import msgspec

    from patchgen.pipeline.lint import lint_named, lint_since, selection
    from patchgen.pipeline.named import named
    from patchgen.report import baseline as known

    show = progress(quiet)
    wanted = selection(select, ignore)
    chosen = named(state, files)
    show("lint")
    if revision:
        result = lint_since(state, revision, wanted, chosen)
    else:
        result = lint_named(state, chosen, wanted)
    show("")
    if write_baseline is not None:
        known.write_baseline(write_baseline, result.findings)
        _not_analysed(result)
        if not quiet:
            say(f"{write_baseline}: {len(result.findings)} findings", err=True)
        return Exit.FINDINGS if result.unparsed or result.failed else Exit.CLEAN
    if baseline is not None:
        left = known.without_baseline(baseline, result.findings)
        result = msgspec.structs.replace(result, findings=left)
    if fix is not None:
        return _fix(state, result, fix, as_json or style == "json", quiet, force)
    _print(result, state, "json" if as_json else style, quiet, verbose)
    _not_analysed(result)
    lost = result.findings or result.unparsed or result.failed
    return Exit.FINDINGS if lost else Exit.CLEAN


def _print(result: LintResult, state: TreeState, style: str, quiet: bool, verbose: bool) -> None:

    from patchgen.report.findings import (
        gcc_lines,
        github_lines,
        lint_data,
        quiet_lines,
        text_lines,
    )

    if style in ("json", "sarif"):
        from patchgen.report.sarif import sarif

        data = sarif(result) if style == "sarif" else lint_data(result)
        say_data(data)
        return
    lines: Iterable[str]
    if style == "gcc":
        lines = gcc_lines(result)
    elif style == "github":
        lines = github_lines(result)
    elif quiet:
        lines = quiet_lines(result)
    else:
        lines = text_lines(result, state.read, verbose)
    for line in lines:
        say(line)


def _not_analysed(result: LintResult) -> None:
    """What the findings do not speak for; said whatever the format, and not silenced."""
    for diagnostic in result.unparsed:
        say(f"patchgen: {diagnostic}", err=True)
    for path, error in result.failed:
        say(f"patchgen: {path}: {error}", err=True)


def _fix(
    state: TreeState, result: LintResult, out: Path, as_json: bool, quiet: bool, force: bool
) -> Exit:
    """Write the series; what has no mechanical mend is listed and stays."""
    from patchgen.pipeline.cover import Supplied, build_cover
    from patchgen.pipeline.fix import plan_fixes
    from patchgen.pipeline.generate import Request, generate
    from patchgen.report.findings import findings_data, summary
    from patchgen.report.plan import check_lines, plan_data, plan_lines

    plan, left = plan_fixes(state, result.findings)
    if not as_json and not quiet:
        for line in plan_lines(plan) if plan.planned else ():
            say(line)
    supplied = Supplied("Mend findings of patchgen lint")
    done = generate(
        plan,
        lambda plan, series, checks: build_cover(plan, series, checks, supplied),
        Request(force=force),
        out,
    )
    names = list(done.files.files) if done.files is not None else []
    if as_json:
        data = {**plan_data(plan), "checks": done.checks, "files": names,
                "left": findings_data(left)}  # fmt: skip
        say_data(data)
    else:
        for line in check_lines(done.checks) if not quiet else ():
            say(line)
        for finding in left:
            say(f"left: {finding.place}: {finding.message} [{finding.rule}]")
        if names and not quiet:
            say(f"{out}/: cover letter and {len(done.checks)} patches")
        elif not quiet:
            say(f"nothing is mended: {summary(result)}")
    if done.hint:
        say(f"patchgen: {done.hint}", err=True)
    _not_analysed(result)
    return Exit.FINDINGS if left or result.unparsed or result.failed else Exit.CLEAN
