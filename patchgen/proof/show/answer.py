# SPDX-License-Identifier: GPL-2.0-only
"""The answer as text and JSON: the table, the runs, and a cover letter's section."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from patchgen.proof.result import SAFETY, Answer, ProofResult, Run, RunStep, Verdict
from patchgen.proof.system.cases import CASES
from patchgen.proof.system.properties import PROPERTIES

#: Characters of one CPU's column in a run.
_WIDTH = 34


def as_lines(result: ProofResult, *, verbose: bool = False, quiet: bool = False) -> Iterator[str]:
    """The answer for people: the table, then a run for each property that is violated.

    ``verbose`` shows a run for each cause and for every transition, ``quiet`` the last
    line alone.
    """
    if quiet:
        yield verdict_line(result)
        return
    for found in result.unknown:
        yield f"unknown: {found.place}: {found.text}"
    if result.verdicts:
        yield from _table(result)
        yield ""
        yield from _wrapped("note: ", (f"{e.place}: {e.text}" for e in result.notes))
    yield from _runs(result, verbose)
    if result.verdicts:
        yield f"bounds: {result.bounds}; {_size(result)}"
        yield from _wrapped("not covered: ", result.limits)
        if verbose:
            facts = (f"{f.place}: {f.read} ({f.code})" for f in result.facts)
            yield from _wrapped("rests on: ", facts)
    yield verdict_line(result)


def verdict_line(result: ProofResult) -> str:
    """One line: what the exit status says."""
    violated, undecided = result.answered(Answer.VIOLATED), result.undecided
    said = [f"violated: {', '.join(violated)}"] if violated else []
    if undecided:
        said.append(f"undecided: {', '.join(undecided)}: {not_understood(result)}")
    return "; ".join(said) or f"every S property holds{_only(result)}"


def not_understood(result: ProofResult) -> str:
    """The first place that was not understood, and how many more there are."""
    if not result.unknown:
        return "no transition was explored"
    first, more = result.unknown[0], len(result.unknown) - 1
    also = f" (and {more} more place{'s' * (more > 1)})" if more else ""
    return f"{first.place}: {first.text}{also}"


def _only(result: ProofResult) -> str:
    """The transitions that were explored, where that is not all of them."""
    explored = dict.fromkeys(v.case for v in result.verdicts)
    if len(explored) == len(CASES):
        return ""
    return f" for {', '.join(explored)}; no other transition was explored"


def _size(result: ProofResult) -> str:
    states = sum(e.states for e in result.explored)
    seconds = sum(e.seconds for e in result.explored)
    rate = f", {states / seconds:,.0f} a second" if seconds else ""
    return f"{states:,} states in {seconds:.1f} s{rate}"


def _wrapped(label: str, texts: Iterator[str] | Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield f"{label}{text}"


def _word(verdict: Verdict) -> str:
    if verdict.holds:
        return "holds"
    if verdict.property == "O1":
        return "no"
    return "VIOLATED" if verdict.counts else "violated"


def table_rows(result: ProofResult) -> list[tuple[str, str, dict[str, Verdict]]]:
    """(transition, flag in words, verdicts by property) in the order of the table."""
    rows: dict[tuple[str, bool], dict[str, Verdict]] = {}
    for verdict in result.verdicts:
        rows.setdefault((verdict.case, verdict.flagged), {})[verdict.property] = verdict
    made = []
    for (_, flagged), row in rows.items():
        first = next(iter(row.values()))
        word = "-"
        if result.guarded:
            word = "no" if not flagged else "yes" if first.allowed else "if it were"
        made.append((first.transition, word, row))
    return made


def _table(result: ProofResult) -> Iterator[str]:
    rows = table_rows(result)
    wide = max(len(transition) for transition, _, _ in rows)
    yield f"{'transition':<{wide}}  {'flagged':<10}  " + "  ".join(f"{p:<8}" for p in PROPERTIES)
    for transition, flag, row in rows:
        words = (f"{_word(row[p]) if p in row else '':<8}" for p in PROPERTIES)
        yield f"{transition:<{wide}}  {flag:<10}  {'  '.join(words)}".rstrip()
    yield ""
    for name, text in PROPERTIES.items():
        yield f"{name}: {text}"


def shown(result: ProofResult, verbose: bool = False) -> list[tuple[Verdict, Run]]:
    """The runs worth showing: what counts first; else one for each property and cause."""
    made: list[tuple[Verdict, Run]] = []
    seen: set[tuple[str, str, bool]] = set()
    for verdict in sorted(result.verdicts, key=lambda v: (not v.counts, v.property == "O1")):
        for run in verdict.runs if verbose else verdict.runs[:1]:
            key = (verdict.property, run.cause, verdict.flagged)
            if verbose or key not in seen:
                seen.add(key)
                made.append((verdict, run))
    return made


def _runs(result: ProofResult, verbose: bool) -> Iterator[str]:
    for verdict, run in shown(result, verbose):
        flag = ", flagged" if verdict.flagged else ""
        yield f"{verdict.property} does not hold: {verdict.transition}{flag}"
        yield from run_lines(run)
        yield ""


def columns_of(run: Run) -> list[str]:
    """The participants of a run in order: CPUs, vCPUs, then the rest."""
    names = {step.column for step in run.steps}
    return sorted(names, key=lambda n: (not n.startswith("CPU"), not n.startswith("vCPU"), n))


def run_lines(run: Run) -> Iterator[str]:
    """A run as numbered steps, one column a CPU, each step with its file and line."""
    columns = columns_of(run)
    yield "      " + "".join(f"{name:<{_WIDTH}}" for name in columns).rstrip()
    for number, step in enumerate(run.steps, 1):
        at = columns.index(step.column)
        words = textwrap.wrap(step.text, _WIDTH - 2)
        if step.place.path:
            words.append(_short(step))
        for index, word in enumerate(words):
            label = f"{number:>4}  " if index == 0 else " " * 6
            yield f"{label}{' ' * (_WIDTH * at)}{word}"


def _short(step: RunStep) -> str:
    return str(step.place)


def to_json(result: ProofResult) -> bytes:
    """The answer for machines (issue "The proof": ``verdicts``), keys in a fixed order."""
    value = {
        "properties": {prop: result.answer(prop).value for prop in SAFETY},
        "verdicts": [_verdict(v) for v in result.verdicts],
        "unknown": [{"place": str(e.place), "reason": e.text} for e in result.unknown],
        "notes": [{"place": str(e.place), "text": e.text} for e in result.notes],
        "bounds": msgspec.to_builtins(result.bounds),
        "not_covered": list(result.limits),
        "rests_on": [fact.data() for fact in result.facts],
        "explored": [msgspec.to_builtins(e) for e in result.explored],
        "exit": int(result.exit),
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _verdict(verdict: Verdict) -> dict[str, object]:
    runs = [{"cause": run.cause, "run": _steps(run)} for run in verdict.runs]
    return {
        "transition": verdict.transition,
        "case": verdict.case,
        "flagged": verdict.flagged,
        "allowed": verdict.allowed,
        "property": verdict.property,
        "holds": verdict.holds,
        "counts": verdict.counts,
        "run": runs[0]["run"] if runs else [],
        "other_runs": runs[1:],
    }


def _steps(run: Run) -> list[dict[str, object]]:
    return [
        {
            "step": number,
            "cpu": step.column,
            "place": str(step.place) if step.place.path else "",
            "text": step.text,
        }
        for number, step in enumerate(run.steps, 1)
    ]


def cover_section(result: ProofResult, before: ProofResult | None = None) -> str:
    """What a cover letter says of the proof: what was proved, within which bounds, what not.

    ``before`` is the proof of the tree without the series, where there is one.  Plain text of
    at most 72 columns, without a final newline.
    """
    said: list[str] = []
    if result.undecided:
        said.append("The notifier protocol was not proved; not understood:")
        said += [f"- {e.place}: {e.text}" for e in result.unknown] or ["- no transition at all"]
        said += [f"- undecided: {PROPERTIES[prop]}" for prop in result.undecided]
    else:
        said.append(
            "The protocol of KVM's handlers was taken from this code and every interleaving "
            f"explored ({result.bounds})."
        )
    for name in SAFETY:
        answer = result.answer(name)
        if answer is Answer.HOLDS:
            said.append(f"- holds: {PROPERTIES[name]}")
        elif answer is Answer.VIOLATED:
            said.append(f"- VIOLATED{_since_when(result, before, name)}: {PROPERTIES[name]}")
    if result.undecided:
        return "\n".join(_filled(said))
    kept, lost = _kept(result)
    if kept:
        said.append(f"- a resident page stays mapped throughout: {'; '.join(kept)}")
    if lost:
        said.append(f"- it does not for: {'; '.join(lost)}")
        said += [f"  {e.place}: {e.text}" for e in result.notes if "setter" in e.text]
    forbidden = sorted(
        {v.transition for v in result.verdicts if v.flagged and not v.allowed and not v.holds}
    )
    if forbidden:
        said.append(f"- must not be flagged, each with a violating run: {'; '.join(forbidden)}")
    said.append("Not covered:")
    said += [f"- {limit}" for limit in result.limits]
    return "\n".join(_filled(said))


def _since_when(result: ProofResult, before: ProofResult | None, prop: str) -> str:
    """Whether a property that is violated was so before, in words."""
    if before is None:
        return ""
    if any(v.property == prop for v in result.new_since(before)):
        return " by the series"
    return ", inherited: before the series too"


def _kept(result: ProofResult) -> tuple[list[str], list[str]]:
    """The transitions for which O1 holds, and those for which it does not."""
    rows = [
        v
        for v in result.verdicts
        if v.property == "O1" and v.allowed and v.flagged == result.guarded
    ]
    return [v.transition for v in rows if v.holds], [v.transition for v in rows if not v.holds]


def _filled(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        indent = "  " if line.startswith(("-", " ")) else ""
        yield from textwrap.wrap(
            line, 72, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
