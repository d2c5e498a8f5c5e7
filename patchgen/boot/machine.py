# SPDX-License-Identifier: GPL-2.0-only
"""One kernel under QEMU's software emulation, watched until it ends.

No KVM of the host is used: the emulated CPU is an AMD with SVM and nested paging,
on which the booted kernel runs a guest of its own.
"""

from __future__ import annotations

import os
import selectors
import time
from pathlib import Path

from patchgen.boot.build import Say
from patchgen.boot.console import Console
from patchgen.boot.evidence import Boot, Mode
from patchgen.sandbox import process

QEMU = (
    "qemu-system-x86_64 -M pc -accel tcg,thread=multi -cpu EPYC -m 512 -nodefaults "
    "-no-user-config -display none -serial stdio -no-reboot"
).split()
# Without tsc_early_khz calibration against the emulated timer hangs some boots.
KERNEL = "console=ttyS0 panic=-1 oops=panic mitigations=off tsc_early_khz=2600000 tsc=reliable"
_SMP = {1: ["-smp", "1"], 2: ["-smp", "2,sockets=2,cores=1,threads=1"]}

PATIENCE = 15  # seconds without a full pass of the guest until KSM rests, then until it is stuck
SILENCE = 300.0  # seconds without a line; the program inside gives up a merge after 240
EARLY = 60.0  # seconds until the program inside has to be there
TRIES = 3  # boots that may hang before the program inside starts


def limit(rounds: int) -> float:
    """Seconds that a boot may take.

    A round takes 2 to 4 on one CPU; on two of a busy host 60 were seen.
    """
    return 300.0 + 60.0 * rounds


def boot(
    name: str,
    image: Path,
    initrd: Path,
    mode: Mode,
    rounds: int,
    timeout: float,
    log: Path,
    say: Say,
) -> Boot:
    """Boot ``image`` in a mode and let the program inside do ``rounds`` rounds.

    ``timeout`` is in seconds; the console goes to ``log``.  A boot that hangs before
    the program inside starts says nothing about the kernel's KVM: it is tried again.
    """
    for attempt in range(TRIES):
        label = f"{name}, {mode}" + (f", try {attempt + 1}" * (attempt > 0))
        result = _boot(name, label, image, initrd, mode, rounds, timeout, log, say)
        if result.end != "early":
            break
    return result


def arguments(mode: Mode, rounds: int) -> tuple[list[str], str]:
    """QEMU's arguments without the images, and the kernel's."""
    kernel = KERNEL if mode.tdp_mmu < 0 else f"{KERNEL} kvm.tdp_mmu={mode.tdp_mmu}"
    kernel += f" PG_ROUNDS={rounds} PG_CPUS={mode.cpus} PG_PATIENCE={PATIENCE}"
    return [*QEMU, *_SMP[mode.cpus]], kernel


def _boot(
    name: str, label: str, image: Path, initrd: Path, mode: Mode, rounds: int, timeout: float,
    log: Path, say: Say,
) -> Boot:  # fmt: skip
    qemu, kernel = arguments(mode, rounds)
    command = [*qemu, "-kernel", str(image), "-initrd", str(initrd), "-append", kernel]
    console = Console()
    began = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with process.running(command) as machine, log.open("wb") as copy:
        assert machine.stdout is not None
        watch = _Watch(console, began, timeout)
        why = _follow(machine.stdout.fileno(), console, watch, copy.write, label, rounds, say)
    end, detail = _ending(console, why)
    start = console.start or {}
    has = start.get("tdp_mmu", "-")
    if end == "complete" and mode.tdp_mmu >= 0 and has != str(mode.tdp_mmu):
        end, detail = "failed", f"asked for tdp_mmu={mode.tdp_mmu}, the kernel says {has}"
    return Boot(
        kernel=name,
        mode=mode,
        rounds=rounds,
        end=end,
        detail=detail,
        release=start.get("release", ""),
        probes=console.probes(),
        phases=tuple(console.phases),
        complaints=tuple(console.complaints),
        errors=int((console.end or {}).get("errors", sum(p.errors for p in console.phases))),
        seconds=round(time.monotonic() - began, 1),
    )


class _Watch:
    """Decides when to give up on a machine that still runs."""

    def __init__(self, console: Console, began: float, timeout: float) -> None:
        self.console = console
        self.began = self.heard = began
        self.timeout = timeout

    def verdict(self, now: float) -> str:
        if now - self.began > self.timeout:
            return "timeout"
        if self.console.start is None and now - self.began > EARLY:
            return "early"
        if now - self.heard > SILENCE:
            return "silent"
        return ""


def _follow(
    pipe: int, console: Console, watch: _Watch, copy: object, label: str, rounds: int, say: Say
) -> str:
    """Read the console to its end; "" when QEMU ended, else why it is given up."""
    assert callable(copy)
    rest = b""
    say(f"{label}: booting")
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            ready = selector.select(1.0)
            now = time.monotonic()
            if ready:
                data = os.read(pipe, 65536)
                if not data:
                    return ""
                copy(data)
                watch.heard = now
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if console.take(line.decode(errors="replace")) == "phase":
                        last = console.phases[-1]
                        say(f"{label}: round {last.round} of {rounds}, {last.name} done")
                # A kernel that panics in a loop fills the pipe without an end.
                if len(console.complaints) > 10000:
                    return "timeout"
            why = watch.verdict(now)
            if why:
                return why


def _ending(console: Console, why: str) -> tuple[str, str]:
    where = f"after {_last(console)}"
    if console.end is not None:
        return "complete", ""
    if console.panicked:
        first = console.complaints[0]
        return "crashed", f"{first} ({where})"
    if console.failure is not None:
        words = " ".join(f"{key}={value}" for key, value in console.failure.items())
        stuck = console.failure.get("what") == "stuck"
        return ("stuck" if stuck else "failed"), words
    if why:
        return why, where
    return ("early" if console.start is None else "crashed"), f"QEMU ended {where}"


def _last(console: Console) -> str:
    if console.phases:
        return f"round {console.phases[-1].round}, {console.phases[-1].name}"
    return "the start" if console.start else "nothing from the program inside"
