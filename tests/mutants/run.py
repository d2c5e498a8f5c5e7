# SPDX-License-Identifier: GPL-2.0-only
"""Makes every mutant, checks that it compiles, lints it, and compares with the unmutated.

Mutants of one file are done in one process, so that its headers are parsed once; files
are shared out over all processors.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import msgspec

import patchgen
from patchgen import memo
from patchgen.analysis.engine.program import declared_type
from patchgen.model.code import Expr, Function
from patchgen.model.facts import FileFacts
from patchgen.model.findings import Finding
from patchgen.model.outcome import Done, Failed
from patchgen.source.c.walk import calls
from patchgen.source.facts.state import TreeState
from patchgen.source.facts.store import Taken
from tests.mutants import reparse
from tests.mutants.bases import Base, errors
from tests.mutants.mutant import Mutant, Result, mutate
from tests.mutants.operator import Operator
from tests.mutants.reparse import Reparser

#: Mutants of one file that one process does in a row.
CHUNK = 20

Job = tuple[str, str, frozenset[str], frozenset[str]]
Key = tuple[str, str, str]


class MutantState(TreeState):
    """A state in which one file is a mutant whose facts are known already.

    ``known`` is what the file's own configuration gives; every other one is parsed.
    """

    def __init__(self, base: TreeState, path: str, source: bytes, known: Taken | None) -> None:
        vars(self).update(vars(base.after({path: source})))
        self.mutated, self.known = path, known

    def taken(self, jobs: Sequence[Job]) -> list[Done[Taken] | Failed]:
        """As in TreeState, the mutant's own facts apart."""
        answers: dict[int, Done[Taken] | Failed] = {}
        for number, (path, arch, on, off) in enumerate(jobs):
            if self.known is not None and path == self.mutated:
                own = self.config(path)
                if self.config(path, arch or None, on, off).key == own.key:
                    answers[number] = Done(self.known)
        others = [n for n in range(len(jobs)) if n not in answers]
        for number, outcome in zip(others, super().taken([jobs[n] for n in others]), strict=True):
            answers[number] = outcome
        return [answers[n] for n in range(len(jobs))]


def mutants(found: Sequence[Base], operators: Sequence[Operator]) -> list[Mutant]:
    """Every operator at every site of every state it is for."""
    made = []
    for base in found:
        for op in operators:
            if op.flagged == bool(base.series):
                sites = (site for subject in base.subjects for site in op.sites(subject))
                made += [Mutant(op.name, op.rules, base.name, site) for site in sites]
    return made


# Set before the processes are forked: states are large, and made once.
_BASES: dict[str, Base] = {}


def run(
    found: Sequence[Base],
    todo: Sequence[Mutant],
    progress: Callable[[str], None],
    workers: int = 0,
) -> list[Result]:
    """What lint says of each mutant, in the order of ``todo``."""
    _BASES.update({base.name: base for base in found})
    chunks = list(_chunks(todo))
    results: dict[int, Result] = {}
    began = time.monotonic()
    _program()  # once, and before anybody edits a rule
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers or os.cpu_count() or 1, mp_context=context) as pool:
        waiting = {pool.submit(_do, [todo[n] for n in chunk]): chunk for chunk in chunks}
        for future in as_completed(waiting):
            results.update(zip(waiting[future], future.result(), strict=True))
            spent = time.monotonic() - began
            progress(f"{len(results)} of {len(todo)} mutants, {spent:.0f} s")
    return [results[n] for n in range(len(todo))]


def _chunks(todo: Sequence[Mutant]) -> Iterator[list[int]]:
    """Numbers of mutants, file by file, the files with the most mutants first."""
    files: dict[tuple[str, str], list[int]] = {}
    for number, mutant in enumerate(todo):
        files.setdefault((mutant.base, mutant.site.path), []).append(number)
    for numbers in sorted(files.values(), key=len, reverse=True):
        for at in range(0, len(numbers), CHUNK):
            yield numbers[at : at + CHUNK]


def _do(todo: Sequence[Mutant]) -> list[Result]:
    """Mutants of one file of one state; those that were done before are remembered."""
    base = _BASES[todo[0].base]
    path = todo[0].site.path
    wanted = {mutant: _key(base, mutant) for mutant in todo}
    results = {m: known for m, key in wanted.items() if (known := _remembered(m, key))}
    missing = [mutant for mutant in wanted if mutant not in results]
    if missing:
        facts = base.state.facts(path)
        (taken,) = base.state.taken([(path, "", frozenset(), frozenset())])
        reparser = Reparser(base.state, path, facts)
        before: dict[tuple[str, ...], Counter[Key]] = {}
        for mutant in missing:
            result = _one(base, mutant, facts, taken, reparser, before)
            results[mutant] = result
            answer = (result.error, result.new, result.failed, result.header)
            memo.write("mutants", wanted[mutant], msgspec.msgpack.encode(answer))
    return [results[mutant] for mutant in todo]


@functools.cache
def _program() -> str:
    """Digest of all that an answer depends on in the program."""
    package = Path(patchgen.__file__).parent
    folders = ("model", "kernel", "source", "analysis", "rules", "sandbox")
    files = [Path(__file__), Path(reparse.__file__)]
    for folder in folders:
        files += sorted(f for f in (package / folder).rglob("*") if f.suffix in (".py", ".toml"))
    return memo.digest(*(file.read_bytes() for file in files))


def _key(base: Base, mutant: Mutant) -> str:
    """What an answer is remembered by: program, tree with its series, and the mutant."""
    series = [
        part
        for path, data in sorted(base.state.snapshot.overrides.items())
        for part in (path, data or b"")
    ]
    tree = (str(base.state.root), base.version, *series)
    return memo.digest(_program(), *tree, msgspec.msgpack.encode(mutant))


def _remembered(mutant: Mutant, key: str) -> Result | None:
    data = memo.read("mutants", key)
    if data is None:
        return None
    answer = msgspec.msgpack.decode(data, type=tuple[str, tuple[int, ...], str, bool])
    return Result(mutant, *answer)


def _one(
    base: Base,
    mutant: Mutant,
    facts: FileFacts,
    taken: Done[Taken] | Failed,
    reparser: Reparser,
    before: dict[tuple[str, ...], Counter[Key]],
) -> Result:
    from patchgen.rules.run import lint

    state, error, header = _compiled(base, mutant, facts, taken, reparser)
    if error:
        return Result(mutant, error)
    paths = concerned(base, mutant, facts)
    if paths not in before:
        before[paths] = keys(lint(base.state, paths).findings)
    try:
        answer = lint(state, paths)
    except Exception as problem:  # a rule that fails on a mutant is a result, not the run's end
        return Result(mutant, failed=f"{type(problem).__name__}: {problem}", header=header)
    new = keys(answer.findings) - before[paths]
    rules = sorted({int(rule.removeprefix("MN")) for rule, _, _ in new})
    failed = "; ".join(str(f) for f in answer.failed)
    return Result(mutant, new=tuple(rules), failed=failed, header=header)


def _compiled(
    base: Base,
    mutant: Mutant,
    facts: FileFacts,
    taken: Done[Taken] | Failed,
    reparser: Reparser,
) -> tuple[TreeState, str, bool]:
    """The mutant's state, clang's first new error or "", whether the header was added."""
    path = mutant.site.path
    source = base.state.read(path) or b""
    for header in (False, True) if mutant.site.header else (False,):
        changed = mutate(source, mutant.site, header)
        own = reparser.facts(changed)
        known = None
        if own is not None and isinstance(taken, Done):
            known = Taken(own, taken.value.headers, taken.value.includes)
        state = MutantState(base.state, path, changed, known)
        error = new_error(facts, state.facts(path))
        if not error:
            break
    return state, error, header


def new_error(before: FileFacts, after: FileFacts) -> str:
    """The first error that ``after`` has more often than ``before``, or ""."""
    return next(iter(sorted((Counter(errors(after)) - Counter(errors(before))).elements())), "")


def concerned(base: Base, mutant: Mutant, facts: FileFacts) -> tuple[str, ...]:
    """The mutant's file, and those that have a part of its function's sections.

    For an opener of sections the files of its callers; and the files of what the function
    gives a range, or the bounds of one, to.
    """
    path = mutant.site.path
    function = facts.function(mutant.site.function)
    if function is None:
        return (path,)
    given = {
        call.name
        for call in calls(function.body)
        if any(_of_range(argument, function) for argument in call.args[1:])
    }
    others = [
        subject.path
        for subject in base.subjects
        if any(f.name in given and not f.static for f in subject.facts.functions)
    ]
    opens = [p for p in function.params if "mmu_notifier_range" in p.type and "const" not in p.type]
    if opens and not function.static:
        named = base.state.paths_mentioning(function.name)
        others += (p for p in named if p.endswith(".c"))
    return tuple(dict.fromkeys((path, *others)))


def _of_range(argument: Expr, function: Function) -> bool:
    """``&range``, ``range``, or ``range.start`` and ``range.end`` themselves."""
    if (argument.kind == "unary" and argument.name == "&") or (
        argument.kind in ("member", "arrow") and argument.name in ("start", "end")
    ):
        argument = argument.args[0]
    return argument.kind == "name" and "mmu_notifier_range" in declared_type(
        function, argument.name
    )


def keys(findings: Sequence[Finding]) -> Counter[Key]:
    """Findings by rule, function and message; numbers in messages are lines that move."""
    return Counter((f.rule, f.function, re.sub(r"\d+", "#", f.message)) for f in findings)


def to_stderr(text: str) -> None:
    """Progress, on one line of a terminal, or line by line."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(text, end=end, file=sys.stderr, flush=True)
