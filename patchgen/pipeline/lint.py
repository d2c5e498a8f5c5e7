# SPDX-License-Identifier: GPL-2.0-only
"""facts → findings, for a whole tree, some files, or what changed since a revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from patchgen.commits.revision import changed_since
from patchgen.model.outcome import UserError
from patchgen.pipeline.named import Named
from patchgen.rules.base import Rule
from patchgen.rules.run import LintResult, lint, listed
from patchgen.source.facts.state import TreeState
from patchgen.verify.lines import Changed
from patchgen.verify.lint_delta import delta


def selection(select: Sequence[str], ignore: Sequence[str]) -> Callable[[Rule], bool]:
    """A test for rules by ID, name or prefix (``MN02``); UserError for none such."""
    known = listed()
    select, ignore = _words(select), _words(ignore)
    for word in (*select, *ignore):
        if not any(_named(rule, word) for rule in known):
            raise UserError(f"no rule '{word}'", hint="`patchgen rules` lists them")

    def wanted(rule: Rule) -> bool:
        return (not select or any(_named(rule, word) for word in select)) and not any(
            _named(rule, word) for word in ignore
        )

    return wanted


def _words(given: Sequence[str]) -> list[str]:
    """Each option may name several rules: ``MN001,MN002``."""
    return [word for one in given for word in one.split(",") if word]


def _named(rule: Rule, word: str) -> bool:
    return rule.name == word or (word.upper().startswith("MN") and rule.id.startswith(word.upper()))


def lint_since(
    state: TreeState, revision: str, wanted: Callable[[Rule], bool], chosen: Named | None = None
) -> LintResult:
    """Only what the changes since ``revision`` introduced (a git tree is needed).

    ``chosen``: in these files alone; those without a change are ``unasked``.
    """
    chosen = chosen or Named(whole=True)
    relevant = state.candidates() if chosen.whole else chosen.files
    before = state.after(changed_since(state.root, revision, relevant, state.read))
    sources = list(before.snapshot.overrides)
    now = [p for p in sources if state.read(p) is not None]
    then = [p for p in sources if before.read(p) is not None]
    same = () if chosen.whole else tuple(p for p in chosen.files if p not in sources)
    unasked = tuple((path, f"unchanged since {revision}") for path in same)
    if chosen.whole and not sources:
        unasked = (("the tree", f"no file that mentions the API differs from {revision}"),)
    if not now:
        return LintResult((), (), (), (), (), chosen.refused, unasked=unasked)
    new = lint(state, now, wanted, chosen.refused)
    old = lint(before, then, wanted).findings if then else ()
    were = {path: data for path in sources if (data := before.read(path)) is not None}
    are = {path: data for path in sources if (data := state.read(path)) is not None}
    introduced = delta(old, new.findings, Changed(were, are)).introduced
    return msgspec.structs.replace(new, findings=introduced, unasked=unasked)


def lint_named(state: TreeState, chosen: Named, wanted: Callable[[Rule], bool]) -> LintResult:
    """The findings in the files that were chosen; folders without any are ``unasked``."""
    unasked = tuple((path, "no file in it mentions the API") for path in chosen.empty)
    if not chosen.whole and not chosen.files:
        return LintResult((), (), (), (), (), chosen.refused, unasked=unasked)
    refused = None if chosen.whole else chosen.refused
    found = lint(state, chosen.files, wanted, refused)
    return msgspec.structs.replace(found, unasked=unasked)
