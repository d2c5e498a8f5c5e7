# SPDX-License-Identifier: GPL-2.0-only
"""How a boot's end is told, with a stand-in for QEMU that prints a console."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patchgen.boot import machine
from patchgen.boot.evidence import Boot, Mode

PLAIN = Mode(1)
START = "@pg start release=5.10.1 online=1 tdp_mmu=0 npf=a change_pte=b range_start=c zap=d ;"
MERGE = (
    "@pg phase round=1 name=merge ms=1 faults=0 npf=0 change_pte=0 range_start=0 zap=0 tdp_map=0 "
    "errors=0 own_errors=0 words=1 ;"
)


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``boot(shell)``: the result when QEMU is a script with these commands."""
    program = tmp_path / "bin" / "qemu-system-x86_64"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def run(
        script: str, timeout: float = 20, steps: list[str] | None = None, mode: Mode = PLAIN
    ) -> Boot:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        said = [] if steps is None else steps
        return machine.boot(
            "base", Path("image"), Path("initrd"), mode, 1, timeout, tmp_path / "log", said.append
        )

    return run


def test_a_complete_boot(boot, tmp_path: Path) -> None:
    steps: list[str] = []
    result = boot(f"echo '{START}'; echo '{MERGE}'; echo '@pg end rounds=1 errors=3 ;'", 20, steps)
    assert (result.end, result.errors, result.release) == ("complete", 3, "5.10.1")
    assert "base, 1 CPU: round 1 of 1, merge done" in steps
    assert "@pg end" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("asked", "end"), [(-1, "complete"), (0, "complete"), (1, "failed")])
def test_a_kernel_that_does_not_take_the_parameter_is_not_counted(boot, asked, end) -> None:
    result = boot(f"echo '{START}'; echo '@pg end rounds=1 errors=0 ;'", mode=Mode(1, asked))
    assert result.end == end
    assert result.detail == ("" if end == "complete" else
                             "asked for tdp_mmu=1, the kernel says 0")  # fmt: skip


def test_the_parameter_is_on_the_kernels_command_line() -> None:
    assert "kvm.tdp_mmu=1" in machine.arguments(Mode(2, 1), 3)[1].split()
    assert "tdp_mmu" not in machine.arguments(Mode(2), 3)[1]


def test_a_guest_that_makes_no_progress(boot) -> None:
    result = boot(f"echo '{START}'; echo '@pg fail what=stuck phase=merge seconds=15 passes=7 ;'")
    assert (result.end, result.detail) == ("stuck", "what=stuck phase=merge seconds=15 passes=7")


def test_a_bug(boot) -> None:
    result = boot(f"echo '{START}'; echo 'kernel BUG at virt/kvm/kvm_main.c:5!'")
    assert result.end == "crashed"
    assert result.detail.startswith("kernel BUG at virt/kvm/kvm_main.c:5!")


def test_a_machine_that_goes_on_for_too_long_is_ended(boot) -> None:
    began = time.monotonic()
    result = boot(f"echo '{START}'; while :; do echo tick; sleep 0.2; done", 1.5)
    assert result.end == "timeout"
    assert time.monotonic() - began < 10


def test_a_silent_machine_is_ended(boot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SILENCE", 0.5)
    result = boot(f"echo '{START}'; echo '{MERGE}'; sleep 60")
    assert (result.end, result.detail) == ("silent", "after round 1, merge")


def test_a_boot_that_hangs_early_is_tried_again(
    boot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "EARLY", 0.5)
    flag = tmp_path / "flag"
    steps: list[str] = []
    script = f"if [ -e {flag} ]; then echo '{START}'; echo '@pg end errors=0 ;'; exit; fi"
    result = boot(f"{script}; touch {flag}; sleep 60", 20, steps)
    assert result.end == "complete"
    assert "base, 1 CPU, try 2: booting" in steps


def test_a_boot_that_never_gets_there_is_given_up(boot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EARLY", 0.2)
    assert boot("sleep 60").end == "early"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_machine_and_its_children(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = (
        "import signal, sys\n"
        "from patchgen.sandbox import process\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        # A run in the background inherits an ignored SIGINT.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with process.running(['sh', '-c', 'sleep 77 & echo $!; wait']) as child:\n"
        "    print(child.stdout.readline().decode(), end='', flush=True)\n"
        "    child.wait()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    parent.send_signal(number)
    parent.wait(15)
    parent.stdout.close()
    assert not Path(f"/proc/{grandchild}/cmdline").exists() or _zombie(grandchild)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
