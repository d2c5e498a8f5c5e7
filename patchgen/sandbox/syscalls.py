# SPDX-License-Identifier: GPL-2.0-only
"""System calls that a program of strangers has no need of, refused to it and its children.

Documentation/userspace-api/seccomp_filter.rst.  A tree's script could otherwise signal each
process of its user, the run first, leave its process group to outlive the run, or talk to
the network where no namespace can be had.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterator

# Numbers of arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
_SAME = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "pidfd_getfd": 438,
}  # fmt: skip
_X86 = {
    "socket": 41, "kill": 62, "ptrace": 101, "setpgid": 109, "setsid": 112, "rt_sigqueueinfo": 129,
    "tkill": 200, "tgkill": 234, "rt_tgsigqueueinfo": 297, "prlimit64": 302,
    "process_vm_readv": 310, "process_vm_writev": 311,
}  # fmt: skip
_ARM64 = {
    "ptrace": 117, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
    "setpgid": 154, "setsid": 157, "socket": 198, "rt_tgsigqueueinfo": 240, "prlimit64": 261,
    "process_vm_readv": 270, "process_vm_writev": 271,
}  # fmt: skip
#: Machine → its AUDIT_ARCH_* (include/uapi/linux/audit.h) and what is refused there.
_MACHINES = {"x86_64": (0xC000003E, _X86 | _SAME), "aarch64": (0xC00000B7, _ARM64 | _SAME)}
#: Numbers above are of another interface of the same machine (x32).
_FOREIGN = 0x4000_0000

# Classic BPF (include/uapi/linux/bpf_common.h): load a word, jump if equal, if not below, end.
_LOAD, _EQUAL, _NOT_BELOW, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def refusing() -> Callable[[], bool] | None:
    """What a new child calls to give those calls up; None: this machine's are not known.

    False: the kernel has no filters for system calls.
    """
    known = _MACHINES.get(os.uname().machine)
    if known is None:
        return None
    lines = list(_lines(*known))
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    program = _Program(len(lines), code)
    libc = ctypes.CDLL(None, use_errno=True)

    def enter() -> bool:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program)) == 0)

    return enter


def _lines(arch: int, refused: dict[str, int]) -> Iterator[tuple[int, int, int, int]]:
    """Code, jump if true, jump if false, operand: anything foreign or listed is refused."""
    numbers = sorted(refused.values())
    end = len(numbers) + 1  # instructions between the first comparison of a number and the last
    yield _LOAD, 0, 0, _ARCH
    yield _EQUAL, 0, end + 2, arch
    yield _LOAD, 0, 0, _NUMBER
    yield _NOT_BELOW, end, 0, _FOREIGN
    for place, number in enumerate(numbers):
        yield _EQUAL, len(numbers) - place, 0, number
    yield _RETURN, 0, 0, _ALLOW
    yield _RETURN, 0, 0, _REFUSE
