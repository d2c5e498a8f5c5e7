# SPDX-License-Identifier: GPL-2.0-only
"""Does every file that a patch concerns still parse, with nothing new to complain of?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from patchgen.model.base import Value
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import Failed
from patchgen.source.c.lexer import lexed
from patchgen.source.c.outline import outline
from patchgen.source.facts.state import TreeState

#: A header is parsed through this source, in both branches of CONFIG_MMU_NOTIFIER.
_DEFINE = re.compile(r"\s*#\s*define\s+(\w+)")


class ParseCheck(Value, frozen=True):
    """The outcome: files parsed, and what is new in them (empty: good)."""

    files: tuple[str, ...]
    new: tuple[str, ...]


def check_parses(before: TreeState, after: TreeState, changed: Sequence[str]) -> ParseCheck:
    """Parse the changed files and all that use a declaration which a patch touched.

    A diagnostic is new when the parent's parse of the same file did not have it,
    wherever it stood.
    """
    paths = dependents(before, after, changed)
    known = dict(zip(paths, before.facts_of(paths), strict=True))
    problems: list[str] = []
    for path, outcome in zip(paths, after.facts_of(paths), strict=True):
        if isinstance(outcome, Failed):
            problems.append(outcome.error)
            continue
        parent = known[path]
        if isinstance(parent, Failed):
            if after.read(path) is not None and before.read(path) is not None:
                problems.append(f"{path}: its parent could not be parsed: {parent.error}")
                continue
            old: Counter[tuple[str, str]] = Counter()
        else:
            old = Counter(_keys(parent.value.diagnostics))
        for diagnostic in outcome.value.diagnostics:
            key = (diagnostic.place.path, diagnostic.text)
            if old[key] > 0:
                old[key] -= 1
            else:
                problems.append(str(diagnostic))
    return ParseCheck(tuple(paths), tuple(dict.fromkeys(problems)))


def _keys(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    return [(d.place.path, d.text) for d in diagnostics]


def dependents(before: TreeState, after: TreeState, changed: Sequence[str]) -> list[str]:
    """The changed files that are there, and every source that uses what changed in them.

    For a changed header these are the sources that mention a name whose
    declaration or definition differs between the states.
    """
    found = [path for path in changed if after.read(path) is not None]
    sources = [path for path in found if path.endswith((".c", ".h"))]
    for header in changed:
        if not header.endswith(".h"):
            continue
        names = changed_names(before.read(header) or b"", after.read(header) or b"")
        if names:
            pattern = re.compile(rb"\b(?:%s)\b" % b"|".join(sorted(n.encode() for n in names)))
            sources += [
                path
                for path in after.candidates()
                if path.endswith(".c") and pattern.search(after.read(path) or b"")
            ]
    return list(dict.fromkeys(sources))


def changed_names(old: bytes, new: bytes) -> frozenset[str]:
    """Names whose definition or declaration is not the same text in both headers."""
    one, two = _declared(old), _declared(new)
    return frozenset(name for name in {*one, *two} if one.get(name) != two.get(name))


def _declared(source: bytes) -> dict[str, list[str]]:
    """Each name that a header gives, with the texts that give it."""
    tokens = lexed(source)
    found: dict[str, list[str]] = {}
    for directive in tokens.directives:
        match = _DEFINE.match(directive.text)
        if match:
            found.setdefault(match.group(1), []).append(" ".join(directive.text.split()))
    bodies = outline(tokens)
    inside = [False] * len(tokens.texts)
    for function in bodies:
        text = " ".join(tokens.texts[function.first : function.last + 1])
        found.setdefault(function.name, []).append(text)
        for index in range(function.first, function.last + 1):
            inside[index] = True
    start = 0
    depth = 0
    for index, text in enumerate(tokens.texts):
        if inside[index]:
            start = index + 1
            continue
        depth += text in "({["
        depth -= text in ")}]"
        if text == ";" and depth == 0:
            words = tokens.texts[start : index + 1]
            for name in _names_of(words):
                found.setdefault(name, []).append(" ".join(words))
            start = index + 1
    return found


def _names_of(words: list[str]) -> list[str]:
    """The names that one declaration declares: a tag, enumerators, a function."""
    if words[0] in ("struct", "union", "enum") and "{" in words:
        names = [words[1]] if words[1] != "{" else []
        if words[0] == "enum":
            body = words[words.index("{") + 1 :]
            names += [
                word
                for before, word in zip(["{", *body], body, strict=False)
                if before in ("{", ",") and word.isidentifier()
            ]
        return names
    if "(" in words:
        at = words.index("(")
        return [words[at - 1]] if at else []
    return []
