# SPDX-License-Identifier: GPL-2.0-only
"""The measured table for the cover letter, worded so that it claims what was counted."""

from __future__ import annotations

import re
import textwrap

from patchgen.boot.evidence import (
    MEASURED,
    NOT_SHOWN,
    REFUTED,
    SHOWN,
    Boot,
    BootEvidence,
    Mode,
    Verdict,
)
from patchgen.boot.run import caught
from patchgen.boot.table import PHASES, UNCOUNTED, modes_in, spread
from patchgen.boot.verdict import PAGES, wrong_words

_WIDTH = 75


def cover_section(evidence: BootEvidence) -> str:
    """Plain text of at most 75 columns for the cover letter's boot section."""
    parts = [_fill(_setup(evidence))]
    for mode in modes_in(evidence):
        base, patched = evidence.boot("base", mode), evidence.boot("patched", mode)
        parts.append("\n".join(_table(base, patched, mode)))
    parts += [_fill(_sentence(v)) for v in evidence.verdicts if not v.expected]
    wrong = [v for v in evidence.verdicts if v.expected]
    if wrong:
        parts.append(_fill(_variants(wrong)))
    parts.append(_fill(_explained(evidence)))
    parts.append(_fill(_not_covered(modes_in(evidence))))
    return "\n\n".join(parts) + "\n"


def _setup(evidence: BootEvidence) -> str:
    setup = evidence.setup
    rounds = max(boot.rounds for boot in evidence.boots if boot.kernel == "base")
    return (
        f"Linux {setup.version} without and with this series, booted under "
        f"{_plain(setup.qemu)} (software emulation, CPU model EPYC, nested SVM with NPT), "
        f"built with {_plain(setup.compiler)}.  A KVM guest reads {PAGES} pages, eight "
        "sharing each content, while KSM merges them and while they are un-merged, "
        f"{rounds} rounds a boot.  Faults are KVM's pf_fixed, as minimum-median-maximum "
        "over the rounds."
    )


def _plain(version: str) -> str:
    """A program's version line without what distributions put in parentheses."""
    return " ".join(re.sub(r"\([^)]*\)", "", version).split())


def _table(base: Boot | None, patched: Boot | None, mode: Mode) -> list[str]:
    out = [f"{mode!s:<26}{'before':>15}{'after':>15}"]
    for phase, title in PHASES.items():
        if phase not in UNCOUNTED:
            out.append(_row(title, *(spread(boot, phase) for boot in (base, patched))))
    out.append(_row("wrong words read", *(_number(b, wrong_words) for b in (base, patched))))
    out.append(_row("WARN and BUG lines", *(_number(b, _complaints) for b in (base, patched))))
    return out


def _row(title: str, *cells: str) -> str:
    return f"  {title:<24}" + "".join(f"{cell.replace('–', '-'):>15}" for cell in cells)


def _number(boot: Boot | None, count: object) -> str:
    assert callable(count)
    return "-" if boot is None else str(count(boot))


def _complaints(boot: Boot) -> int:
    return len(boot.complaints)


def _sentence(verdict: Verdict) -> str:
    where = f"On {_counted(verdict.mode)}"
    return {
        SHOWN: f"{where}, no fault: {verdict.reason}.",
        MEASURED: f"{where}, fewer faults: {verdict.reason}.",
        REFUTED: f"{where}, the claim does not hold: {verdict.reason}.",
        NOT_SHOWN: f"{where}, nothing is shown: {verdict.reason}.",
    }[verdict.answer]


def _counted(mode: Mode) -> str:
    text = "one CPU" if mode.cpus == 1 else f"{mode.cpus} CPUs"
    return text if mode.tdp_mmu < 0 else f"{text} with kvm.tdp_mmu={mode.tdp_mmu}"


def _variants(verdicts: list[Verdict]) -> str:
    good = [v.kernel for v in verdicts if caught(v)]
    text = f"{len(good)} of {len(verdicts)} wrong variants of the change were caught the same way"
    missed = [v.kernel for v in verdicts if not caught(v)]
    return text + (f"; not caught: {', '.join(missed)}." if missed else ".")


def _explained(evidence: BootEvidence) -> str:
    text = (
        "Un-merging by writing is not expected to gain: x86 drops the mapping when the new entry "
        "is writable.  The copies for reading only were made by a forced write to memory that is "
        "read-only for the process, as a debugger makes them."
    )
    if any(v.answer == MEASURED for v in evidence.verdicts):
        text += (
            "  With a second CPU the guest can run into the moment in which x86's change_pte() "
            "has cleared an entry and not yet set it."
        )
    return text


def _not_covered(modes: tuple[Mode, ...]) -> str:
    """What the boots do not show; a kernel without tdp_mmu has one of the two MMUs only."""
    ran = {mode.tdp_mmu for mode in modes}
    names = {0: "KVM's MMU without kvm.tdp_mmu", 1: "the TDP MMU"}
    others = [name for value, name in names.items() if -1 not in ran and value not in ran]
    return (
        "Not covered: "
        + ", ".join(["hardware TLBs", "Intel's EPT", "SEV", "huge pages", *others, "shadow paging"])
        + ", and architectures other than x86."
    )


def _fill(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH, break_long_words=True)
