# SPDX-License-Identifier: GPL-2.0-only
"""``patchgen lint``: the contract of mmu notifiers, checked on handlers and call sites."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchgen.cli.options import open_state, progress, tree_options, verbose_option
from patchgen.model.outcome import Exit, UserError, located
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
@click.option(
    "--module",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="a module outside of the kernel's tree, whole",
)
@click.option(
    "--kernel",
    type=click.Path(path_type=Path),
    metavar="KERNELDIR",
    help="with --module: a kernel's sources, build folder or headers package"
    "  [default: what its make uses]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="CONFIG_X=y|VAR=value",
    help="with --module: an option, a variable of make or a macro (repeatable)",
)
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
    module: Path | None,
    kernel: Path | None,
    settings: tuple[str, ...],
) -> Exit:
    """Lint FILES, or every file that mentions the API; a folder means those in it.

    Exit status 1 when there are findings, or files that could not be analysed.
    """
    if write_baseline is not None:
        check_given(write_baseline)
    if module is not None:
        _alone({"FILES": files, "--diff": revision, "--fix": fix, "--build-dir": build_dir,
                "--tree": spec != "."})  # fmt: skip
        style = "json" if as_json else style
        known_and_new = baseline, write_baseline
        return _module(module, kernel, settings, arch, style, (quiet, verbose), known_and_new,
                       (select, ignore))  # fmt: skip
    if kernel is not None or settings:
        raise UserError("--kernel and --set are about a module", hint="give --module DIR")
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


def _alone(others: dict[str, object]) -> None:
    """UserError where an option was given that means nothing for a module."""
    for option, given in others.items():
        if given:
            raise UserError(f"{option} and --module do not go together",
                            hint="--module lints all of the module in a folder")  # fmt: skip


def _module(
    folder: Path,
    kernel: Path | None,
    settings: tuple[str, ...],
    arch: str | None,
    style: str,
    loudness: tuple[bool, bool],
    baselines: tuple[Path | None, Path | None],
    rules: tuple[tuple[str, ...], tuple[str, ...]],
) -> Exit:
    """Lint a module; ``loudness`` is quiet and verbose, ``baselines`` what is known and what
    is to be written, ``rules`` those that are selected and those that are not."""
    import msgspec

    from patchgen.pipeline.lint import selection
    from patchgen.pipeline.module import lint_module
    from patchgen.report import baseline as known
    from patchgen.report.module import lost_lines, module_data, module_lines

    quiet, verbose = loudness
    show = progress(quiet)
    show("lint")
    state, found = lint_module(folder, kernel, settings, arch, selection(*rules))
    show("")
    before, new = baselines
    if new is not None:
        known.write_baseline(new, found.result.findings)
    if before is not None:
        left = known.without_baseline(before, found.result.findings)
        found = msgspec.structs.replace(
            found, result=msgspec.structs.replace(found.result, findings=left)
        )
    if style == "json":
        say_data(module_data(found))
    elif style == "text" and not quiet:
        for line in module_lines(found, state.read, verbose):
            say(line)
    else:
        _print(found.result, state, style, quiet, verbose)
    for line in lost_lines(found.result):
        say(f"patchgen: {line}", err=True)
    return Exit.CLEAN if found.clean else Exit.FINDINGS


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
        say(f"patchgen: {located(path, error)}", err=True)


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
