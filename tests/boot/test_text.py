# SPDX-License-Identifier: GPL-2.0-only
"""The answer as people read it, and the cover letter's section."""

from __future__ import annotations

import msgspec

from patchgen.boot.cover import cover_section
from patchgen.boot.evidence import BootEvidence, Verdict
from patchgen.boot.table import lines, verdict_lines
from patchgen.boot.verdict import judge

from . import samples


def whole() -> BootEvidence:
    modes = (samples.ONE, samples.TWO, samples.ONE_TDP)
    boots = tuple(make(mode) for make in (samples.base, samples.patched) for mode in modes)
    base = {boot.mode: boot for boot in boots if boot.kernel == "base"}
    verdicts = [judge(base[boot.mode], boot) for boot in boots if boot.kernel == "patched"]
    stuck = "the unpatched kernel finishes, this one: what=stuck phase=settle"
    verdicts.append(Verdict("guard-end-only", samples.ONE, "refuted", "stuck", stuck, ("stuck",)))
    reason = "0 faults while 256 pages merge, unpatched 700 to 740"
    verdicts.append(Verdict("no-flag-copy", samples.ONE, "shown", "", reason, ("zaps",)))
    return samples.evidence(boots, tuple(verdicts))


def test_the_table(golden) -> None:
    golden("golden/answer.txt", "\n".join(lines(whole())) + "\n")


def test_the_cover_letters_section(golden) -> None:
    golden("golden/cover.txt", cover_section(whole()))


def test_the_section_fits_a_mail_in_ascii() -> None:
    text = cover_section(whole())
    assert max(map(len, text.splitlines())) <= 75
    assert text.isascii()


def test_a_refuted_claim_is_not_worded_as_a_gain() -> None:
    patched = samples.boot("patched", samples.ONE, [0, 9, 0])
    evidence = samples.evidence((samples.base(), patched), (judge(samples.base(), patched),))
    text = " ".join(cover_section(evidence).split())
    assert "On one CPU with kvm.tdp_mmu=0, the claim does not hold: 0 to 9 faults while 256" in text
    assert "no fault" not in text


def test_the_base_alone_claims_nothing() -> None:
    evidence = samples.evidence((samples.base(),), (judge(samples.base(), None),))
    assert "nothing is shown: unpatched kernel only" in " ".join(cover_section(evidence).split())
    assert verdict_lines(evidence) == ["1 CPU, tdp_mmu=0: not shown"]


def test_writing_phases_give_no_fault_counts() -> None:
    row = next(line for line in lines(whole()) if "writing while merging" in line)
    assert row.split()[3:5] == ["-", "-"]


def test_the_worst_of_a_boot_is_not_hidden_by_the_phases() -> None:
    boot = msgspec.structs.replace(samples.patched(), errors=5)
    evidence = samples.evidence((samples.base(), boot), (judge(samples.base(), boot),))
    row = next(line for line in lines(evidence) if "whole boot" in line)
    assert row.split() == ["whole", "boot", "0", "5"]
