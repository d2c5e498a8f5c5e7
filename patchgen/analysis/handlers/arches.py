# SPDX-License-Identifier: GPL-2.0-only
"""The code of each architecture that KVM's callbacks come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, every, said
from patchgen.analysis.paths.run import paths
from patchgen.kernel.knowledge import load
from patchgen.model.base import Evidence, Place
from patchgen.source.c.text import text

_WANT = b"KVM_ARCH_WANT_MMU_NOTIFIER"
_MAIN = "virt/kvm/kvm_main.c"
_HOST = "include/linux/kvm_host.h"
#: arm's and arm64's common code, up to 5.6.
_SHARED = {"arm": "virt/kvm/arm", "arm64": "virt/kvm/arm"}


def architectures(read: Read, listed: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """The architectures whose KVM listens to the mmu notifier, sorted."""
    found = []
    for folder in listed("arch/"):
        data = read(f"arch/{folder}/include/asm/kvm_host.h")
        if data is not None and re.search(rb"^[ \t]*#[ \t]*define[ \t]+" + _WANT, data, re.M):
            found.append(folder)
    return tuple(sorted(found))


def sources(
    arch: str, listed: Callable[[str], tuple[str, ...]], read: Read, word: str
) -> tuple[str, ...]:
    """The files of an architecture's KVM in which a word stands."""
    folders = [f"arch/{arch}/kvm", *([_SHARED[arch]] if arch in _SHARED else [])]
    paths_ = [path for folder in folders for path in listed(folder) if path.endswith((".c", ".h"))]
    paths_.append(f"arch/{arch}/include/asm/kvm_host.h")
    return tuple(path for path in paths_ if word.encode() in (read(path) or b""))


def beside_zap(
    read: Read, listed: Callable[[str], tuple[str, ...]], name: str, place: Place
) -> Iterator[Evidence]:
    """What speaks against leaving a call of architecture code out; nothing where it is harmless.

    Harmless: in every architecture it only does what the table of knowledge allows, for the
    reason that stands there.
    """
    known = load("paths")["harmless"].get(name)
    if known is None:
        yield Evidence(place, f"{name}(): what it does is lost for a range that is left out")
        return
    for arch in architectures(read, listed):
        own = sources(arch, listed, read, name)
        files = (*own, *(f for f in (_MAIN, _HOST) if f not in own))
        bodies = Bodies(read, files)
        defined = bodies.functions(name)
        if not defined and not bodies.macros(name):
            yield Evidence(place, f"{name}() is not found for {arch}")
        for function in defined:
            args = tuple(f"${p.name}" for p in function.params)
            yield from _allowed(bodies, name, args, known, read, listed, arch)


def _allowed(
    bodies: Bodies, name: str, args: tuple[str, ...], known: dict[str, list[str]],
    read: Read, listed: Callable[[str], tuple[str, ...]], arch: str,
) -> Iterator[Evidence]:  # fmt: skip
    stop = frozenset(word.partition("(")[0] for word in known["calls"])
    for path in paths(bodies, name, args, stop):
        for event in every(path.events):
            if isinstance(event, Call):
                written = f"{text(event.callee)}({', '.join(text(a) for a in event.args[1:])})"
                if event.name in known["calls"] or written in known["calls"]:
                    continue
                if not event.direct and event.name in known.get("members", ()):
                    yield from _installed(event, known, read, listed, arch)
                    continue
            yield Evidence(event.place, f"{name}() does {said(event)} for {arch}, too")


def _installed(
    call: Call, known: dict[str, list[str]], read: Read,
    listed: Callable[[str], tuple[str, ...]], arch: str,
) -> Iterator[Evidence]:  # fmt: skip
    """The same of what a member of an operations table points to."""
    pattern = re.compile(rb"\.%s\s*=\s*(\w+)" % call.name.encode())
    functions: set[str] = set()
    for path in sources(arch, listed, read, call.name):
        functions |= {m.decode() for m in pattern.findall(read(path) or b"")}
    if not functions:
        yield Evidence(call.place, f"what {call.name} points to is not found")
    for function in sorted(functions - {"NULL"}):
        bodies = Bodies(read, sources(arch, listed, read, function))
        try:
            for path_ in paths(bodies, function, ("$kvm",), frozenset(known["calls"])):
                for event in every(path_.events):
                    if not (isinstance(event, Call) and event.name in known["calls"]):
                        yield Evidence(event.place, f"{function}() does {said(event)}, too")
        except NotUnderstood as error:
            yield error.evidence
