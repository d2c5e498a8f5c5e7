# SPDX-License-Identifier: GPL-2.0-only
"""The modes that a tree's kernel can be booted in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from patchgen.boot.evidence import Mode
from patchgen.model.outcome import Refused

#: Where x86's KVM has its parameter tdp_mmu: tdp_mmu.c from 5.10, mmu.c from 6.3 on or so.
_FILES = ("arch/x86/kvm/mmu/tdp_mmu.c", "arch/x86/kvm/mmu/mmu.c")
_PARAMETER = re.compile(rb"^module_param_named\(tdp_mmu,", re.M)


def modes(
    read: Callable[[str], bytes | None], cpus: Sequence[int], tdp_mmu: Sequence[int] = ()
) -> tuple[Mode, ...]:
    """The numbers of CPUs with each of ``tdp_mmu`` (0 and 1; none: all that there are).

    ``read`` gives the tree's files.  Refused: a value is asked for, and the tree has no
    such parameter.
    """
    if any(_PARAMETER.search(read(path) or b"") for path in _FILES):
        values = tuple(dict.fromkeys(tdp_mmu)) or (0, 1)
    elif tdp_mmu:
        raise Refused("the tree's KVM has no parameter tdp_mmu", _FILES[0])
    else:
        values = (-1,)
    return tuple(Mode(count, value) for value in values for count in dict.fromkeys(cpus))
