# SPDX-License-Identifier: GPL-2.0-only
"""A module's findings for people and machines, with the account of what they cover."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from patchgen.report.findings import lint_data, text_lines
from patchgen.rules.module import Inactive, ModuleLint
from patchgen.rules.run import Account, LintResult

Read = Callable[[str], bytes | None]


def head(found: ModuleLint) -> str:
    """The kernel that it was linted against."""
    kernel = found.module.kernel
    name = f"Linux {kernel.version}" + (f" ({kernel.release})" if kernel.release else "")
    return f"{name} · {kernel.kind} · {found.arch} · {kernel.given} ({found.module.by})"


def module_lines(found: ModuleLint, read: Read, verbose: bool) -> Iterator[str]:
    """The findings, each callback's account, what is not analysed, and the totals."""
    yield head(found)
    *lines, total = text_lines(found.result, read, verbose, True)
    yield from lines
    for account in found.result.callbacks:
        yield f"{account.place}: {_account(account)}"
    for note in found.module.notes:
        yield f"{note.place}: {note.text}"
    yield from (_inactive(one) for one in found.inactive if not one.version or verbose)
    for left in found.left_out:
        yield f"{left.path}: not built, so not analysed: {left.reason}"
    yield "; ".join([total, *_totals(found)])


def _account(account: Account) -> str:
    said = account.leaves or "followed completely"
    return f"{account.function}() ({account.member}) {said}"


def _inactive(one: Inactive) -> str:
    what = "1 mention of the API is" if one.count == 1 else f"{one.count} mentions of the API are"
    hint = f": --set {one.setting}" if one.setting and not one.version else ""
    hint = f" ({one.decided} decides)" if one.decided else hint
    return f"{one.place}: {what} inactive, needs {one.needs}{hint}"


def lost_lines(result: LintResult) -> Iterator[str]:
    """What the findings do not speak for; of many files that lack the same, one line."""
    alike = Counter((str(found), found.text, found.place.path) for found in result.unparsed)
    for (line, text, path), count in alike.items():
        count -= path in result.files and path.endswith(".h")
        more = f" ({count} files do not compile for that)" if count > 1 else ""
        made = text.endswith("file not found")
        hint = ": if a configure step makes it, run that first" if made else ""
        yield f"{line}{more}{hint}"
    reasons: dict[str, list[str]] = {}
    for path, error in result.failed:
        reasons.setdefault(error, []).append(path)
    for error, paths in reasons.items():
        rest = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        yield f"{paths[0]}{rest}: {error}"


def _totals(found: ModuleLint) -> Iterator[str]:
    calls = found.result.callbacks
    followed = sum(not account.leaves for account in calls)
    if calls:
        yield f"{followed} of {len(calls)} callbacks followed completely"
    for_others = sum(one.count for one in found.inactive if one.version)
    if for_others:
        yield f"{for_others} mentions are for other kernel versions"
    if found.left_out:
        yield f"{len(found.left_out)} files with notifier code not built"
    if found.module.notes:
        yield f"{len(found.module.notes)} things of the Makefiles not known"


def module_data(found: ModuleLint) -> dict[str, Any]:
    """The result as plain data."""
    kernel = found.module.kernel
    return {
        **lint_data(found.result),
        "module": found.module.root,
        "kernel": {"folder": kernel.given, "sources": kernel.root, "build": kernel.build,
                   "version": kernel.version, "release": kernel.release, "kind": kernel.kind,
                   "arch": found.arch, "named_by": found.module.by},
        "sources": [source.path for source in found.module.sources],
        "inactive": [
            {"file": one.place.path, "line": one.place.line, "mentions": one.count,
             "needs": one.needs, "other_version": one.version, "set": one.setting}
            for one in found.inactive
        ],
        "not_built": [{"file": one.path, "reason": one.reason} for one in found.left_out],
        "not_known": [
            {"file": note.place.path, "line": note.place.line, "reason": note.text}
            for note in found.module.notes
        ],
    }  # fmt: skip
