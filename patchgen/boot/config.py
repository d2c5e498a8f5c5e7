# SPDX-License-Identifier: GPL-2.0-only
"""The kernel configuration: as little as KVM, KSM and their counters need.

allnoconfig plus :data:`OPTIONS`; no PCI, no ACPI, no huge pages, so that a build
takes minutes.  KVM needs NET, KPROBES needs MODULES.
"""

from __future__ import annotations

import re
from pathlib import Path

from patchgen.sandbox.reader import read_own

OPTIONS = (
    "64BIT SMP X86_MPPARSE PRINTK BUG KALLSYMS TTY SERIAL_8250 SERIAL_8250_CONSOLE "
    "BLK_DEV_INITRD BINFMT_ELF BINFMT_SCRIPT MULTIUSER SYSFS PROC_FS PROC_SYSCTL SHMEM TMPFS "
    "DEVTMPFS DEBUG_FS FUTEX EPOLL EVENTFD POSIX_TIMERS HIGH_RES_TIMERS HZ_250 PREEMPT_NONE "
    "NET ADVISE_SYSCALLS KSM MODULES KPROBES FTRACE ENABLE_DEFAULT_TRACERS KPROBE_EVENTS "
    "VIRTUALIZATION KVM KVM_AMD CC_OPTIMIZE_FOR_PERFORMANCE KERNEL_GZIP"
).split()

#: Without one of these there is nothing to measure, whatever else the tree offers.
NEEDED = (
    "64BIT SMP PRINTK SERIAL_8250_CONSOLE BLK_DEV_INITRD BINFMT_ELF SYSFS PROC_FS DEVTMPFS "
    "DEBUG_FS FUTEX KSM KVM KVM_AMD MMU_NOTIFIER"
).split()

_NUMBERS = {"NR_CPUS": "4"}


def fragment() -> str:
    """The text for KCONFIG_ALLCONFIG."""
    lines = [f"CONFIG_{name}=y" for name in OPTIONS]
    lines += [f"CONFIG_{name}={value}" for name, value in _NUMBERS.items()]
    return "\n".join(lines) + "\n"


def absent(config: Path, wanted: tuple[str, ...] | list[str] = NEEDED) -> list[str]:
    """Which of ``wanted`` a .config does not have as built in."""
    present = set(
        re.findall(r"^CONFIG_(\w+)=y$", (read_own(config) or b"").decode(errors="replace"), re.M)
    )
    return [name for name in wanted if name not in present]
