# SPDX-License-Identifier: GPL-2.0-only
"""The configuration that an unconfigured tree is looked at with, from its Kconfig files."""

from __future__ import annotations

from collections.abc import Callable

from patchgen.source.config.kconfig import Kconfig, Reader
from patchgen.source.config.kconfig_eval import Evaluator
from patchgen.source.config.overlay_start import ARCH_START, FIXED, HEAVY, KEPT, NARROW, OFF, START

_VARIABLES = {
    "x86": ("x86_64", "x86"),
    "powerpc": ("powerpc", "powerpc"),
}
_PROBES_NO = ("gcc", "ld-option", "ld-ifversion", "rustc", "pahole", "GCC", "plugin")


def probe(call: str) -> str:
    """The answer to a Kconfig function call, as clang 18 would give it."""
    name, _, rest = call.partition(",")
    if name in ("cc-option-bit", "if-success"):
        return rest.split(",")[-2:][0] if name == "if-success" else rest
    if name in ("shell", "warning-if", "error-if", "info"):
        return ""
    if name == "failure":
        return "n"
    if name == "success" and any(word in rest for word in _PROBES_NO):
        return "n"
    return "y"


def _wanted(folders: frozenset[str]) -> Callable[[str], bool]:
    """Which files are read: the core's, and those in ``folders``."""

    def wanted(path: str) -> bool:
        if path.startswith(("scripts/", "/")) or ".." in path:
            return False
        if not path.startswith(HEAVY) or path in KEPT:
            return True
        return path.rpartition("/")[0] in folders

    return wanted


def read_kconfig(
    read: Callable[[str], str | None], arch: str, folders: frozenset[str] = frozenset()
) -> Kconfig:
    """Symbols that a tree's Kconfig files define for ``arch``; none if it has none.

    Files below drivers, sound, net, fs and the like are read only in ``folders``:
    reading all 1,500 of them would cost more than a parse.
    """
    name, source = _VARIABLES.get(arch, (arch, arch))
    variables = {
        "ARCH": name,
        "SRCARCH": source,
        "KERNELVERSION": "",
        "srctree": ".",
        "CC_VERSION_TEXT": FIXED["CC_VERSION_TEXT"],
        "cc-name": "Clang",
        "cc-version": FIXED["CLANG_VERSION"],
        "as-name": "LLVM",
        "as-version": FIXED["AS_VERSION"],
        "ld-name": "LLD",
        "ld-version": FIXED["LLD_VERSION"],
        "m32-flag": "-m32",
        "m64-flag": "-m64",
        "comma": ",",
    }
    reader = Reader(read, _wanted(folders), variables, probe)
    reader.load("Kconfig")
    reader.load(f"arch/{source}/Kconfig")
    for folder in sorted(folders):  # gpu/drm's is sourced from another branch, video's
        reader.load(f"{folder}/Kconfig")
    return reader.result


def start_set(kconfig: Kconfig, arch: str) -> frozenset[str]:
    """The base's start set as far as the tree knows it; all of it without Kconfig files."""
    names = START | ARCH_START.get(arch, frozenset())
    if arch in NARROW:
        names -= {"64BIT"}
    if not kconfig.symbols:
        return names
    return frozenset(n for n in names if n in kconfig.symbols)


def evaluate(
    kconfig: Kconfig, arch: str, on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Values of all symbols that are not n, with ``on`` and ``off`` forced beside the base."""
    forced_off = frozenset(OFF) | off
    if arch in NARROW:
        forced_off |= {"64BIT"}
    wanted = start_set(kconfig, arch)
    if not kconfig.symbols:
        on |= wanted
    return Evaluator(kconfig, on, forced_off, wanted, FIXED).run()
