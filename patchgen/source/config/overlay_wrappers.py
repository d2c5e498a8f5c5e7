# SPDX-License-Identifier: GPL-2.0-only
"""The asm-generic wrappers that Kbuild would generate (scripts/Makefile.asm-generic)."""

from __future__ import annotations

import re

from patchgen.source.config.overlay_inputs import Inputs

_CONTINUED = re.compile(r"\\\n\s*")


class Lists:
    """What the Kbuild file of one header folder says."""

    def __init__(self) -> None:
        self.generic: list[str] = []
        self.mandatory: list[str] = []
        self.generated: list[str] = []


def wrappers(inputs: Inputs, arch: str, config: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Overlay files (path → text) for asm/ and uapi asm/, and the headers left to be generated.

    The latter are named ``asm/x.h`` and ``uapi/asm/x.h``.
    """
    files: dict[str, str] = {}
    generated: list[str] = []
    for uapi in ("", "uapi/"):
        source = f"arch/{arch}/include/{uapi}asm"
        present = inputs.names(source)
        lists = Lists()
        _read(inputs, f"{source}/Kbuild", config, lists, set())
        _read(inputs, f"include/{uapi}asm-generic/Kbuild", config, lists, set())
        if not lists.generic and not lists.mandatory and not uapi:
            # a tree without Kbuild files: whatever the architecture lacks is generic
            lists.generic = sorted(inputs.names("include/asm-generic") - {"Kbuild"})
        for name in lists.generated:
            generated.append(f"{uapi}asm/{name}")
        wanted = lists.generic + [n for n in lists.mandatory if n not in lists.generated]
        for name in wanted:
            if name not in present and re.fullmatch(r"[\w.-]+\.h", name):
                files[f"arch/{uapi}asm/{name}"] = f"#include <asm-generic/{name}>\n"
    return files, generated


def _read(inputs: Inputs, path: str, config: dict[str, str], lists: Lists, seen: set[str]) -> None:
    if path in seen:
        return
    seen.add(path)
    text = inputs.read(path)
    if text is None:
        return
    for line in _CONTINUED.sub(" ", text).split("\n"):
        line = line.partition("#")[0].strip()
        word, _, rest = line.partition(" ")
        if word == "include":
            _read(inputs, rest.strip().removeprefix("$(srctree)/"), config, lists, seen)
            continue
        match = re.match(r"(generic|mandatory|generated|syscall)-(\S+)\s*[+:]?=\s*(.*)", line)
        if match is None or not _chosen(match[2], config):
            continue
        kind = "generated" if match[1] == "syscall" else match[1]
        getattr(lists, kind).extend(match[3].split())


def _chosen(suffix: str, config: dict[str, str]) -> bool:
    match = re.fullmatch(r"\$\(CONFIG_(\w+)\)", suffix)
    return suffix == "y" or (match is not None and match[1] in config)
