# SPDX-License-Identifier: GPL-2.0-only
"""The answer as plain text: the table of phases, the verdicts, what it cost."""

from __future__ import annotations

import statistics

from patchgen.boot.evidence import Boot, BootEvidence, Mode, Verdict
from patchgen.boot.run import caught
from patchgen.boot.verdict import wrong_words

#: Phases in the order they run in, and what they are called for people.
PHASES = {
    "merge": "KSM merges the pages",
    "reread": "reading merged pages",
    "unmerge": "copied by the host",
    "unshare": "copied for reading only",
    "directed": "copied by the guest",
    "write-same": "writing while merging",
    "toggle": "changing while merging",
}
#: No fixed amount of work is done in these: only their errors are a result.
UNCOUNTED = ("write-same", "toggle")


def spread(boot: Boot | None, phase: str, counter: str = "faults") -> str:
    """min–median–max over the rounds, one number when all are equal, "-" without any."""
    values = boot.values(phase, counter) if boot else []
    if not values or values[0] < 0 or (phase in UNCOUNTED and counter == "faults"):
        return "-"
    if values[0] == values[-1]:
        return str(values[0])
    return f"{values[0]}–{statistics.median_low(values)}–{values[-1]}"


def table(evidence: BootEvidence, mode: Mode) -> list[str]:
    """Phase × (base, patched) in one mode: faults, zapped ranges, wrong words."""
    base, patched = evidence.boot("base", mode), evidence.boot("patched", mode)
    rows: list[tuple[str, ...]] = [("phase", *("base", "patched") * 3)]
    for phase, title in PHASES.items():
        cells = [spread(boot, phase) for boot in (base, patched)]
        cells += [spread(boot, phase, "zap") for boot in (base, patched)]
        cells += [_wrong(boot, phase) for boot in (base, patched)]
        rows.append((title, *cells))
    whole = [str(wrong_words(boot)) if boot else "-" for boot in (base, patched)]
    rows.append(("whole boot", "", "", "", "", *whole))
    return _aligned(rows, ("guest's faults", "calls that zap", "wrong words"))


def lines(evidence: BootEvidence) -> list[str]:
    """All of the answer that a person sees."""
    setup = evidence.setup
    out = [f"Linux {setup.version} · {setup.qemu} · {setup.compiler}"]
    for mode in modes_in(evidence):
        boots = [evidence.boot(kernel, mode) for kernel in ("base", "patched")]
        rounds = ", ".join(_rounds(boot) for boot in boots if boot)
        out += ["", f"{mode}: {rounds}"]
        out += table(evidence, mode)
        out += [
            f"  {v.answer}: {v.reason}"
            for v in evidence.verdicts
            if v.mode == mode and not v.expected
        ]
    wrong = [v for v in evidence.verdicts if v.expected]
    if wrong:
        out += ["", "wrong variants"]
        out += [_variant(v) for v in wrong]
    build = sum(s for step, s in evidence.cost.seconds.items() if step.startswith("build"))
    boot = sum(s for step, s in evidence.cost.seconds.items() if step.startswith("boot"))
    size = evidence.cost.disk_bytes / 1e6
    out += ["", f"building {build:.0f} s, booting {boot:.0f} s, {size:.0f} MB on disk"]
    return out


def verdict_lines(evidence: BootEvidence) -> list[str]:
    """One line a verdict."""
    return [
        _variant(v).strip() if v.expected else f"{v.mode}: {v.answer}" for v in evidence.verdicts
    ]


def modes_in(evidence: BootEvidence) -> tuple[Mode, ...]:
    """The modes of a run, in its order."""
    return tuple(dict.fromkeys(boot.mode for boot in evidence.boots if boot.kernel == "base"))


def _rounds(boot: Boot) -> str:
    done = len(boot.values("merge", "faults"))
    complaints = len(boot.complaints)
    text = f"{boot.kernel} {done} rounds"
    text += f", {complaints} WARN/BUG line{'s' * (complaints != 1)}"
    return text if boot.end == "complete" else f"{text}, {boot.end}"


def _wrong(boot: Boot | None, phase: str) -> str:
    if boot is None or not boot.values(phase, "errors"):
        return "-"
    return str(sum(boot.values(phase, "errors")) + sum(boot.values(phase, "own_errors")))


def _variant(verdict: Verdict) -> str:
    mark = "caught" if caught(verdict) else "NOT CAUGHT"
    answer = f"{verdict.answer} ({verdict.cause})" if verdict.cause else verdict.answer
    return f"  {verdict.kernel:<22} {mark}: {answer}: {verdict.reason}"


def _aligned(rows: list[tuple[str, ...]], groups: tuple[str, ...]) -> list[str]:
    """Columns below each other; each of ``groups`` is centred over two of them."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    pairs = [max(len(name), widths[i] + widths[i + 1] + 2) for i, name in _pairs(groups)]
    for (i, _), pair in zip(_pairs(groups), pairs, strict=True):
        widths[i] = pair - 2 - widths[i + 1]
    heads = (f"{name:^{pair}}" for name, pair in zip(groups, pairs, strict=True))
    out = [f"  {'':<{widths[0]}}   {'   '.join(heads)}".rstrip()]
    for first, *cells in rows:
        text = f"  {first:<{widths[0]}}"
        for number, (cell, width) in enumerate(zip(cells, widths[1:], strict=True)):
            text += ("   " if number % 2 == 0 else "  ") + f"{cell:>{width}}"
        out.append(text.rstrip())
    return out


def _pairs(groups: tuple[str, ...]) -> list[tuple[int, str]]:
    return [(1 + 2 * number, name) for number, name in enumerate(groups)]
