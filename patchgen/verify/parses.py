# SPDX-License-Identifier: GPL-2.0-only
"""Is every file that a patch concerns still sound, in the configurations that hold its code?

Each file of a patch gets one verdict (:mod:`patchgen.verify.coverage`).  A source is parsed as
its Makefile has it and with the options turned around changed lines that this leaves out; a
header through a source that includes it.  Users of changed names are parsed beside.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from patchgen.kernel.api.surface import HEADER
from patchgen.model.base import Place, Span, Value
from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import Failed, located
from patchgen.source.c.lexer import lexed
from patchgen.source.config.arch import arches_of
from patchgen.source.facts.state import Job, TreeState, tried_as
from patchgen.source.facts.store import Taken
from patchgen.source.facts.turned import others, turned
from patchgen.verify.coverage import (
    ANALYSED,
    NOT_ANALYSED,
    FileVerdict,
    mentions_api,
    verdict_without_parse,
)
from patchgen.verify.holding import files_with
from patchgen.verify.includers import arch_of_header, includers
from patchgen.verify.left_out import declares, left_out, ranges
from patchgen.verify.lines import Changed, FileLines
from patchgen.verify.names import NameChange, changed_names
from patchgen.verify.users import users_of

#: Sources that are tried for a header, and configurations for code that is left out.
_MOST_INCLUDERS, _MOST_TURNED = 6, 6
#: What no option can make right.
_SYNTAX = re.compile(r"^(?:expected|extraneous|unterminated|invalid token|missing |unbalanced)")
_NAMED = re.compile(r"(?:identifier|function|type name|member named|macro) '(\w+)'")
_NOTHING: frozenset[str] = frozenset()


class ParseCheck(Value, frozen=True):
    """The outcome.  ``new`` is what the patch breaks (empty: good).

    ``verdicts`` are of the patch's own files, ``users`` the files that were parsed beside,
    ``clean`` how many of both have nothing new; ``notes`` tell what was not looked at,
    ``through`` which source a header was parsed through.
    """

    verdicts: tuple[FileVerdict, ...]
    users: tuple[str, ...]
    new: tuple[str, ...]
    clean: int
    notes: tuple[str, ...] = ()
    through: dict[str, str] = {}
    notifier_users: tuple[str, ...] = ()

    @property
    def asked(self) -> int:
        """How many files were to be parsed."""
        own = sum(verdict.state in (ANALYSED, NOT_ANALYSED) for verdict in self.verdicts)
        return own + len(self.users)

    @property
    def sources(self) -> tuple[str, ...]:
        """What to lint: the patch's own sources, and users and headers that mention the API."""
        own = [v.path for v in self.verdicts if v.state in (ANALYSED, NOT_ANALYSED)]
        found = [path for path in own if path.endswith(".c")]
        for verdict in self.verdicts:
            if verdict.notifier and verdict.path in self.through and verdict.path != HEADER:
                found += [self.through[verdict.path], verdict.path]
        return tuple(dict.fromkeys((*found, *self.notifier_users)))


def check_parses(
    before: TreeState, after: TreeState, changed: Sequence[str], lines: Changed
) -> ParseCheck:
    """Parse what a patch touches, and all that uses what it changes."""
    return _Parses(before, after, changed, lines).check()


def dependents(before: TreeState, after: TreeState, changed: Sequence[str]) -> list[str]:
    """The sources that a patch concerns: its own that are there, and users of its names."""
    own = [p for p in changed if p.endswith((".c", ".h")) and after.read(p) is not None]
    return list(
        dict.fromkeys((*own, *users_of(after, _changes(before, after, changed), own).asked))
    )


def _changes(before: TreeState, after: TreeState, changed: Sequence[str]) -> tuple[NameChange, ...]:
    sources = [path for path in changed if path.endswith((".c", ".h"))]
    old = {path: data for path in sources if (data := before.read(path)) is not None}
    new = {path: data for path in sources if (data := after.read(path)) is not None}
    return changed_names(old, new)


class _Parses:
    def __init__(
        self, before: TreeState, after: TreeState, changed: Sequence[str], lines: Changed
    ) -> None:
        quiet = [
            path
            for path in changed
            if path.endswith(".h") and not mentions_api(after.read(path))
            and after.read(path) is not None
        ]  # fmt: skip
        self.before = before.watching(quiet) if quiet else before
        self.after = after.watching(quiet) if quiet else after
        self.changed = changed
        self.lines = lines
        self.changes = _changes(before, after, changed)
        self.users = users_of(after, self.changes, changed)
        self.new: dict[str, None] = {}
        self.plain_new: set[str] = set()
        self.notes: list[str] = []
        self.bad: set[str] = set()
        #: Of each file of the patch the configurations that it was parsed in, or why not.
        self.sound: dict[str, list[str]] = {}
        self.why: dict[str, list[str]] = {}
        self.through: dict[str, str] = {}
        #: Files of which all changed code is left out by each configuration that parses.
        self.dark: set[str] = set()

    def check(self) -> ParseCheck:
        told = {p: verdict_without_parse(self.before, self.after, p) for p in self.changed}
        asked = [path for path, verdict in told.items() if verdict is None]
        sources = [path for path in asked if path.endswith(".c")]
        plain = [_plain(path) for path in (*sources, *self.users.asked)]
        outcomes = dict(zip(plain, self.after.taken(plain), strict=True))
        self._prime(plain)
        for path in sources:
            self._source(path, outcomes[_plain(path)])
        for path in self.users.asked:
            self._user(path)
        for path in asked:
            if path.endswith(".h"):
                self._header(path, [*sources, *self.users.asked])
        verdicts = tuple(told[p] or self._verdict(p) for p in self.changed)
        own = sum(v.state in (ANALYSED, NOT_ANALYSED) for v in verdicts)
        clean = own + len(self.users.asked) - len(self.bad)
        self._beyond()
        loud = [path for path in self.users.asked if mentions_api(self.after.read(path))]
        return ParseCheck(
            verdicts, self.users.asked, tuple(self.new), clean, tuple(self.notes), self.through,
            tuple(loud),
        )  # fmt: skip

    def _prime(self, jobs: Sequence[Job]) -> None:
        """Parse the state before where the state behind has something to say, all at once."""
        asked = [
            job
            for job, outcome in zip(jobs, self.after.taken(jobs), strict=True)
            if (isinstance(outcome, Failed) or outcome.value.facts.diagnostics)
            and self.before.read(job[0]) is not None
        ]
        self.before.taken(asked)

    def _verdict(self, path: str) -> FileVerdict:
        notifier = mentions_api(self.after.read(path)) or mentions_api(self.before.read(path))
        why = list(dict.fromkeys(self.why.get(path, ())))
        if path in self.sound and path not in self.dark:
            detail = "; ".join(dict.fromkeys(self.sound[path]))
            self.notes += [located(path, reason) for reason in why]
            return FileVerdict(path, ANALYSED, detail, notifier)
        self.bad.add(path)
        broken = (
            any(reason.endswith(tuple(self.plain_new)) for reason in why) if self.new else False
        )
        partly = path in self.sound and not broken
        detail = "it does not parse" if broken else "; ".join(why)
        return FileVerdict(path, NOT_ANALYSED, detail, notifier, partly)

    def _beyond(self) -> None:
        """Say which users were not looked at; those that mention the API always are."""
        users = self.users
        if users.beyond:
            many = len(users.asked)
            names = sorted({name for path in users.beyond for name in users.names[path]})
            shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            self.notes.append(
                f"{many} of {many + len(users.beyond)} users of changed names were looked at,"
                f" {len(users.beyond)} were not ({shown}; first {users.beyond[0]})"
            )
        if users.lost:
            self.notes.append(f"{len(users.lost)} changed names were not followed")

    # A file's parses.

    def _source(self, path: str, outcome: object) -> None:
        job = _plain(path)
        label = self._label(path)
        if arches_of(self.after.root, path) == () and not self.after.arch:
            arch = path.split("/")[1]
            self.why.setdefault(path, []).append(f"arch/{arch} is not known to the parser")
            return
        self._judge(path, job, label, path)
        if isinstance(outcome, Failed):
            return
        file = self.lines.files.get(path)
        taken = self._taken(self.after, job)
        if file is not None and taken is not None:
            self._turn(path, path, file, taken.skipped, label)

    def _label(self, path: str, arch: str = "") -> str:
        found = arch or self.after.arch or next(iter(arches_of(self.after.root, path)), "")
        return tried_as(found, _NOTHING, _NOTHING)

    def _turn(
        self, path: str, source: str, file: FileLines, skipped: Sequence[Span], label: str
    ) -> None:
        """Parse ``source`` in the configurations that changed lines of ``path`` need."""
        tokens = lexed(self.after.read(path) or b"")
        left = left_out(tokens, file, skipped)
        if not left:
            return
        first = label.split()[0]
        arches = dict.fromkeys((first, *others(self.after, source)))
        jobs = list(islice(turned(self.after, source, tokens, left, tuple(arches)), _MOST_TURNED))
        tried = [label]
        every = len(left)
        for number, job in enumerate(jobs):
            if not left:
                return
            if number % 2:  # the first one mostly shows all; then two at a time
                self._prime(jobs[number : number + 2])
            taken = self._taken(self.after, job)
            spans = _skipped_of(taken, path, source)
            now = [] if spans is None else [o for o in left if not any(o in s for s in spans)]
            tried.append(tried_as(*job[1:]))
            known = len(self.new)
            if now and self._judge(source, job, tried[-1], path, speculative=True):
                left = [offset for offset in left if offset not in now]
            if len(self.new) > known:
                break  # wrong in each configuration
        if left:
            where = ranges(sorted({tokens.line(offset) for offset in left}))
            self.why.setdefault(path, []).append(
                f"changed code in {where} is active in no configuration that parses"
                f" (tried: {', '.join(tried)})"
            )
            if len(left) == every == len(left_out(tokens, file, [Span(0, len(tokens.source))])):
                self.dark.add(path)

    def _judge(
        self, path: str, job: Job, label: str, about: str, speculative: bool = False
    ) -> bool:
        """Hold a parse against that of the state before; True where it ends well."""
        outcome = self.after.taken([job])[0]
        if isinstance(outcome, Failed):
            self._failed(path, job, outcome.error, about, speculative)
            return False
        diagnostics = outcome.value.facts.diagnostics
        fresh, inherited = self._fresh(job, diagnostics)
        told = label if speculative else ""
        for diagnostic in fresh:
            if not speculative or self._unchanged(path, job) or self._certain(diagnostic):
                self._problem(str(diagnostic), diagnostic.place, about, told)
        errors = [d for d in (*fresh, *inherited) if d.severity != "warning"]
        if errors:
            was = "" if errors[0] in fresh else ", before the patch, too"
            self.why.setdefault(about, []).append(f"{label}: {errors[0]}{was}")
            return False
        self.sound.setdefault(about, []).append(label if path == about else f"{label}, in {path}")
        return True

    def _failed(self, path: str, job: Job, error: str, about: str, speculative: bool) -> None:
        was = self.before.taken([job])[0] if self.before.read(path) is not None else None
        same = isinstance(was, Failed) and was.error == error
        if not same and not speculative and "which is removed" in error:
            self._problem(error, Place(path, 0), about, "")
        self.why.setdefault(about, []).append(error + (", before the patch, too" if same else ""))

    def _problem(self, text: str, place: Place, about: str, configuration: str) -> None:
        own = place.path in self.changed or place.path in self.users.asked
        self.bad.add(place.path if own else about)
        other = self._changed_name(text, place)
        where = f" ({other.name} is {other.how} in {other.place})" if other else ""
        self.plain_new.add(text)
        self.new[text + where + (f" [{configuration}]" if configuration else "")] = None

    def _changed_name(self, text: str, place: Place) -> NameChange | None:
        """The changed name that an error is about: the text has it, or a user's line."""
        for change in self.changes:
            if re.search(rf"'(?:struct )?{re.escape(change.name)}\b", text):
                return change
        names = self.users.names.get(place.path, ()) if place.line else ()
        lines = (self.after.read(place.path) or b"").split(b"\n") if names else []
        near = b"\n".join(lines[max(0, place.line - 4) : place.line])
        hits = [n for n in names if re.search(rb"\b%s\b" % re.escape(n.encode()), near)]
        hits = hits or [c.name for c in self.changes if c.kind == "include" and c.name in names]
        return next((c for c in self.changes if c.name in hits), None)

    def _fresh(
        self, job: Job, diagnostics: Sequence[Diagnostic]
    ) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """Diagnostics that the state before did not have, wherever they stood; and the rest."""
        if not diagnostics:
            return [], []
        old: Counter[tuple[str, str]] = Counter()
        if self.before.read(job[0]) is not None:
            parent = self.before.taken([job])[0]
            if not isinstance(parent, Failed):
                old = Counter(_keys(parent.value.facts.diagnostics))
        fresh, inherited = [], []
        for diagnostic, key in zip(diagnostics, _keys(diagnostics), strict=True):
            if old[key] > 0:
                old[key] -= 1
                inherited.append(diagnostic)
            else:
                fresh.append(diagnostic)
        return fresh, inherited

    def _unchanged(self, path: str, job: Job) -> bool:
        """Whether the patch leaves a file as it is, and it was sound in this configuration."""
        if path in self.changed:
            return False
        was = self.before.taken([job])[0]
        return not isinstance(was, Failed) and not was.value.facts.diagnostics

    def _certain(self, diagnostic: Diagnostic) -> bool:
        """Whether an error is one whatever else is configured: no option declares the name."""
        if _SYNTAX.match(diagnostic.text):
            return True
        named = _NAMED.search(diagnostic.text)
        if named is None:
            return False
        name = named.group(1)
        places = files_with(self.after, [name])[name]
        return not any(declares(self.after.read(path) or b"", name) for path in places)

    def _taken(self, state: TreeState, job: Job) -> Taken | None:
        outcome = state.taken([job])[0]
        return None if isinstance(outcome, Failed) else outcome.value

    def _user(self, path: str) -> None:
        job = _plain(path)
        self._judge(path, job, self._label(path), path)
        taken = self._taken(self.after, job)
        if taken is None or not taken.skipped:
            return
        tokens = lexed(self.after.read(path) or b"")
        names = set(self.users.names.get(path, ()))
        offsets = [
            at for at, text in zip(tokens.starts, tokens.texts, strict=True) if text in names
        ]
        left = [at for at in offsets if any(at in span for span in taken.skipped)]
        jobs = turned(self.after, path, tokens, left, arches_of(self.after.root, path)[:1])
        for one in islice(jobs, 2):
            self._judge(path, one, tried_as(*one[1:]), path, speculative=True)

    def _header(self, path: str, parsed: Iterable[str]) -> None:
        arch = arch_of_header(path)
        if arch is None:
            self.why.setdefault(path, []).append(
                f"arch/{path.split('/')[1]} is not known to the parser"
            )
            return
        asked = dict.fromkeys((*parsed, *islice(includers(self.after, path), _MOST_INCLUDERS)))
        wanted = [p for p in asked if not arch or arch in arches_of(self.after.root, p)]
        for source in wanted:
            job = (source, arch, _NOTHING, _NOTHING)
            taken = self._taken(self.after, job)
            if taken is None or path not in taken.includes:
                continue
            label = self._label(source, arch)
            if not self._judge(source, job, label, path):
                continue
            self.through[path] = source
            file = self.lines.files.get(path)
            spans = _skipped_of(taken, path, source)
            if file is not None and spans:
                self._turn(path, source, file, spans, label)
            return
        if path not in self.why:
            tried = ", ".join(wanted[:3]) or "none was found"
            self.why[path] = [f"no source that includes it was parsed (tried: {tried})"]


def _plain(path: str) -> Job:
    return (path, "", _NOTHING, _NOTHING)


def _skipped_of(taken: Taken | None, path: str, source: str) -> tuple[Span, ...] | None:
    """What a parse of ``source`` skipped of ``path``; None where it did not see it."""
    if taken is None:
        return None
    if path == source:
        return taken.skipped
    return next((use.skipped for use in taken.headers if use.path == path), None)


def _keys(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, str]]:
    return [(d.place.path, d.text) for d in diagnostics]
