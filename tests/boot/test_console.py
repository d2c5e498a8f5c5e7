# SPDX-License-Identifier: GPL-2.0-only
"""What a console's lines are taken for."""

from __future__ import annotations

import pytest

from patchgen.boot.console import Console

_PHASE = (
    "@pg phase round=2 name=merge ms=268 faults=7 npf=9 change_pte=480 range_start=481 zap=-1 "
    "tdp_map=5 errors=1 own_errors=2 words=17534047 passes=68493 shared=32 sharing=224 "
    "bad=3:0:0x5 ;"
)


def test_a_phase_is_read_with_all_its_counters() -> None:
    console = Console()
    assert console.take(_PHASE + "\r") == "phase"
    (phase,) = console.phases
    assert (phase.round, phase.name, phase.faults, phase.zap) == (2, "merge", 7, -1)
    assert (phase.errors, phase.own_errors, phase.words) == (1, 2, 17534047)


@pytest.mark.parametrize("cut", [_PHASE[:-2], _PHASE[:60], _PHASE.replace("faults=7 ", "")])
def test_a_line_that_is_not_whole_counts_as_lost(cut: str) -> None:
    console = Console()
    assert console.take(cut) == ""
    assert console.phases == []


def test_the_kernel_may_write_into_the_same_line() -> None:
    console = Console()
    console.take("[    1.0] something" + _PHASE)
    assert len(console.phases) == 1


def test_absent_probes_are_left_out() -> None:
    console = Console()
    console.take("@pg start release=6.12.1 online=1 npf=npf_interception change_pte=- zap=z ;")
    assert console.probes() == {"npf": "npf_interception", "zap": "z"}


@pytest.mark.parametrize(
    "line",
    [
        "WARNING: CPU: 0 PID: 33 at virt/kvm/kvm_main.c:1 f+0x1/0x2",
        "[    3.141592] kernel BUG at virt/kvm/kvm_main.c:588!",
        "Kernel BUG at f+0x2a/0x30 [verbose debug info unavailable]",
        "BUG: Bad page state in process init  pfn:1",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    ],
)
def test_complaints_are_kept(line: str) -> None:
    console = Console()
    console.take(line)
    assert console.complaints == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Kernel command line: panic=-1 oops=panic BUG: no",
        "qemu-system-x86_64: warning: TCG doesn't support requested feature",
        "rcu: Hierarchical RCU implementation.",
        "debug: BUGGY is a name",
    ],
)
def test_other_lines_are_no_complaints(line: str) -> None:
    console = Console()
    console.take(line)
    assert console.complaints == []


def test_a_bug_ends_the_kernel_and_a_warning_does_not() -> None:
    console = Console()
    console.take("WARNING: CPU: 0 PID: 33 at f")
    assert not console.panicked
    console.take("kernel BUG at virt/kvm/kvm_main.c:588!")
    assert console.panicked
