# SPDX-License-Identifier: GPL-2.0-only
"""What follows from counts: never a pass without evidence."""

from __future__ import annotations

import msgspec
import pytest

from patchgen.boot.evidence import Boot, Verdict
from patchgen.boot.run import caught, exit_status
from patchgen.boot.verdict import judge
from patchgen.model.outcome import Exit

from . import samples


def answer(base: Boot | None, patched: Boot | None) -> tuple[str, str]:
    verdict = judge(base, patched)
    return verdict.answer, verdict.cause


def changed(boot: Boot, **fields: object) -> Boot:
    return msgspec.structs.replace(boot, **fields)


def test_no_fault_on_one_cpu_is_shown() -> None:
    verdict = judge(samples.base(), samples.patched())
    assert verdict.answer == "shown"
    assert verdict.reason == (
        "0 faults while 256 pages merge (unpatched 700 to 740) "
        "and 0 while they are copied read-only (256)"
    )


def test_one_fault_on_one_cpu_refutes() -> None:
    assert answer(samples.base(), samples.boot("patched", samples.ONE, [0, 1, 0])) == (
        "refuted",
        "faults",
    )


def test_few_faults_on_two_cpus_are_reported_as_measured() -> None:
    assert answer(samples.base(samples.TWO), samples.patched(samples.TWO)) == ("measured", "")


def test_as_many_faults_as_before_on_two_cpus_refute() -> None:
    patched = samples.boot("patched", samples.TWO, [0, 5, 701])
    assert answer(samples.base(samples.TWO), patched) == ("refuted", "faults")


def test_a_fault_while_pages_are_copied_for_reading_refutes_as_well() -> None:
    patched = samples.boot("patched", samples.ONE, [0, 0, 0], unshare=1)
    assert answer(samples.base(), patched) == ("refuted", "faults")
    on_two = samples.boot("patched", samples.TWO, [0, 0, 0], unshare=1)
    assert answer(samples.base(samples.TWO), on_two) == ("measured", "")


def test_the_mmu_that_was_asked_for_has_to_be_the_one_that_ran() -> None:
    one = samples.ONE_TDP
    assert answer(samples.base(one), samples.patched(one)) == ("shown", "")
    # The parameter is set, and the faults are counted elsewhere.
    silent = changed(samples.base(samples.ONE), mode=one)
    assert answer(silent, samples.patched(one)) == ("not shown", "base")
    other = changed(samples.base(one), mode=samples.ONE)
    assert answer(other, samples.patched()) == ("not shown", "base")
    assert answer(samples.base(one), changed(samples.patched(), mode=one)) == (
        "not shown",
        "counter",
    )


def test_zapped_ranges_refute_even_without_a_fault() -> None:
    assert answer(samples.base(), samples.patched(zap=256)) == ("refuted", "zaps")


def test_a_few_ranges_of_other_memory_do_not_count() -> None:
    assert answer(samples.base(), samples.patched(zap=3)) == ("shown", "")


def test_a_wrong_word_refutes_before_anything_else() -> None:
    boot = changed(samples.patched(), errors=192, end="crashed")
    assert answer(samples.base(), boot) == ("refuted", "errors")


def test_a_wrong_word_seen_from_outside_the_guest_refutes() -> None:
    phases = (*samples.patched().phases[:-1], samples.phase(3, "toggle", own_errors=1))
    assert answer(samples.base(), changed(samples.patched(), phases=phases)) == (
        "refuted",
        "errors",
    )


@pytest.mark.parametrize("end", ["stuck", "crashed", "timeout", "silent", "failed"])
def test_not_finishing_refutes(end: str) -> None:
    assert answer(samples.base(), changed(samples.patched(), end=end)) == ("refuted", end)


def test_a_warning_refutes() -> None:
    boot = changed(samples.patched(), complaints=("WARNING: CPU: 0",))
    assert answer(samples.base(), boot) == ("refuted", "complaint")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"end": "early"}, "early"),
        ({"phases": samples.patched().phases[1:]}, "lost"),
        ({"probes": {}}, "counter"),
    ],
)
def test_what_was_not_seen_is_not_shown(fields: dict[str, object], cause: str) -> None:
    assert answer(samples.base(), changed(samples.patched(), **fields)) == ("not shown", cause)


def test_a_kernel_without_the_counter_shows_nothing() -> None:
    patched = samples.boot("patched", samples.ONE, [-1, -1, -1])
    assert answer(samples.base(), patched) == ("not shown", "counter")


@pytest.mark.parametrize(
    "fields",
    [
        {"end": "timeout"},
        {"complaints": ("WARNING: x",)},
        {"errors": 1},
        {"phases": samples.boot("base", samples.ONE, [700, 700, 700], 500, 127).phases},
        {"phases": samples.base().phases[:-9]},
        {"phases": samples.boot("base", samples.ONE, [700, 12, 700], 500, 256).phases},
    ],
)
def test_a_faulty_base_shows_nothing(fields: dict[str, object]) -> None:
    base = changed(samples.base(), **fields)
    assert answer(base, samples.patched()) == ("not shown", "base")


def test_the_base_alone_is_measured_and_shows_nothing() -> None:
    verdict = judge(samples.base(), None)
    assert (verdict.answer, verdict.cause) == ("not shown", "series")
    assert "700 to 740" in verdict.reason


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([("shown", "")], Exit.CLEAN),
        ([("shown", ""), ("measured", "")], Exit.CLEAN),
        ([("shown", ""), ("refuted", "faults")], Exit.FINDINGS),
        ([("shown", ""), ("not shown", "lost")], Exit.REFUSED),
        ([("not shown", "series")], Exit.CLEAN),
    ],
)
def test_exit_status(answers: list[tuple[str, str]], status: Exit) -> None:
    verdicts = tuple(Verdict("patched", samples.ONE, a, cause, "") for a, cause in answers)
    assert exit_status(samples.evidence((), verdicts)) is status


@pytest.mark.parametrize(
    ("answer_", "cause", "good"),
    [("refuted", "stuck", True), ("refuted", "errors", False), ("shown", "", False)],
)
def test_a_variant_is_caught_only_as_expected(answer_: str, cause: str, good: bool) -> None:
    verdict = Verdict("guard-end-only", samples.ONE, answer_, cause, "", ("stuck",))
    assert caught(verdict) is good
    shown = Verdict("patched", samples.ONE, "shown", "", "")
    status = exit_status(samples.evidence((), (shown, verdict)))
    assert status is (Exit.CLEAN if good else Exit.FINDINGS)
