# SPDX-License-Identifier: GPL-2.0-only
"""From counts to a verdict; never a pass by default.

The claim: while KSM merges the guest's pages, and while they are copied for reading
only, the guest does not fault, and no range that change_pte() covers is zapped.  On one
CPU the guest cannot run inside change_pte(), so the claim means no fault at all.  On two
it can: x86 clears an entry before it sets the new one, so the counts are reported as
measured.
"""

from __future__ import annotations

from patchgen.boot.evidence import MEASURED, NOT_SHOWN, REFUTED, SHOWN, Boot, Mode, Verdict

#: The program inside merges this many pages a round.
PAGES = 256
#: Calls of the zapping function that other ranges of the process may cause in a phase.
UNRELATED = 16
#: Phases in which every changed range is one that change_pte() covers.
COVERED = ("merge", "unmerge", "unshare", "directed")
#: Phases in which change_pte() keeps every mapping: read-only before and after.
KEPT = {"merge": f"while {PAGES} pages merge", "unshare": "while they are copied read-only"}
#: The least faults of the unpatched kernel in each of these, in every round.
LEAST = {"merge": PAGES, "unshare": PAGES // 2}


def judge(base: Boot | None, patched: Boot | None, expected: tuple[str, ...] = ()) -> Verdict:
    """The verdict on ``patched``, measured against ``base`` in the same mode."""
    boot = patched or base
    name, mode = (boot.kernel, boot.mode) if boot else ("", Mode(0))
    answer, cause, reason = _judge(base, patched)
    return Verdict(name, mode, answer, cause, reason, expected)


def _judge(base: Boot | None, patched: Boot | None) -> tuple[str, str, str]:
    if base is None:
        return NOT_SHOWN, "base", "the unpatched kernel was not booted"
    fault = _base_fault(base)
    if fault:
        return NOT_SHOWN, "base", fault
    if patched is None:
        return NOT_SHOWN, "series", f"unpatched kernel only: {_counts(base)}"
    harm = _harm(patched)
    if harm:
        return harm
    return _gain(base, patched)


def _base_fault(base: Boot) -> str:
    if base.end != "complete":
        return f"the unpatched kernel did not finish: {base.end}, {base.detail}"
    if _missing_rounds(base):
        return f"the unpatched kernel's console lost lines: {_missing_rounds(base)}"
    if wrong_words(base):
        return f"the unpatched kernel's guest read {wrong_words(base)} wrong words"
    if base.complaints:
        return f"the unpatched kernel complains: {base.complaints[0]}"
    for phase, least in LEAST.items():
        low, _ = _range(base, phase, "faults")
        if low < least:
            text = f"the unpatched kernel's guest faulted only {low} times {KEPT[phase]}"
            return f"{text}: no gain can be seen"
    return _other_mmu(base)


def _other_mmu(boot: Boot) -> str:
    """Why the MMU that was asked for is not the one that handled the faults, or ""."""
    handled = sum(phase.tdp_map for phase in boot.phases)
    if boot.mode.tdp_mmu == 1 and handled <= 0:
        return "tdp_mmu=1, and the TDP MMU handled no fault"
    if boot.mode.tdp_mmu == 0 and handled > 0:
        return f"tdp_mmu=0, and the TDP MMU handled {handled} faults"
    return ""


def _harm(patched: Boot) -> tuple[str, str, str] | None:
    if wrong_words(patched):
        inside, outside = _wrong_inside(patched), wrong_words(patched) - _wrong_inside(patched)
        return REFUTED, "errors", f"{inside} wrong words in the guest, {outside} outside it"
    if patched.end == "early":
        return NOT_SHOWN, "early", f"the kernel did not get to its first program: {patched.detail}"
    if patched.end != "complete":
        return REFUTED, patched.end, f"the unpatched kernel finishes, this one: {patched.detail}"
    if patched.complaints:
        return REFUTED, "complaint", f"the kernel complains: {patched.complaints[0]}"
    if _missing_rounds(patched):
        return NOT_SHOWN, "lost", f"the console lost lines: {_missing_rounds(patched)}"
    return None


def _gain(base: Boot, patched: Boot) -> tuple[str, str, str]:
    counts = _counts(patched, base)
    most = 0
    for phase in KEPT:
        low, high = _range(patched, phase, "faults")
        if low < 0:
            return NOT_SHOWN, "counter", "the kernel does not count the guest's faults"
        if high > 0 and (patched.mode.cpus == 1 or high >= _range(base, phase, "faults")[0]):
            return REFUTED, "faults", counts
        most = max(most, high)
    if _other_mmu(patched):
        return NOT_SHOWN, "counter", _other_mmu(patched)
    if "zap" not in patched.probes:
        return NOT_SHOWN, "counter", "the kernel offers no function to count zapped ranges with"
    for phase in COVERED:
        zaps = _range(patched, phase, "zap")[1]
        if zaps > UNRELATED:
            return REFUTED, "zaps", f"{zaps} ranges were zapped in phase {phase}; {counts}"
    return (SHOWN if most == 0 else MEASURED), "", counts


def _counts(boot: Boot, base: Boot | None = None) -> str:
    """The faults of the phases in which no fault is claimed, in words."""
    parts: list[str] = []
    for phase, where in KEPT.items():
        first = not parts
        text = f"{_between(*_range(boot, phase, 'faults'))} {'faults ' * first}{where}"
        if base is not None:
            before = _between(*_range(base, phase, "faults"))
            text += f" ({'unpatched ' * first}{before})"
        parts.append(text)
    return " and ".join(parts)


def wrong_words(boot: Boot) -> int:
    """Wrong words that the guest or the program outside it found, in the whole boot."""
    return _wrong_inside(boot) + sum(phase.own_errors for phase in boot.phases)


def _wrong_inside(boot: Boot) -> int:
    return max(boot.errors, sum(phase.errors for phase in boot.phases))


def _range(boot: Boot, phase: str, counter: str) -> tuple[int, int]:
    values = boot.values(phase, counter)
    return (values[0], values[-1]) if values else (-1, -1)


def _between(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _missing_rounds(boot: Boot) -> str:
    for phase in (*COVERED, "reread"):
        seen = len(boot.values(phase, "faults"))
        if seen != boot.rounds:
            return f"{seen} of {boot.rounds} rounds of phase {phase}"
    return ""
