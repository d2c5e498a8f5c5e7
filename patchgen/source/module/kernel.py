# SPDX-License-Identifier: GPL-2.0-only
"""The kernel that a module is built against: a source tree, a build folder, a headers package.

A build folder (O=) has the generated half alone, and so have distributions' packages: its
Makefile, or its link ``source``, names the folder with the other half.  Debian's Makefile of
linux-headers-X-amd64 includes that of linux-headers-X-common; SUSE's linux-X-obj/ARCH/FLAVOUR
that of linux-X; Fedora's /usr/src/kernels/X has both halves in one.  Nothing is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_inside
from patchgen.source.config.arch import ARCHES, SYMBOLS
from patchgen.source.tree.describe import describe, is_top

_AUTOCONF = "include/generated/autoconf.h"
_HEADER = "include/linux/mmu_notifier.h"
_LIMIT = 4 << 20
_OPTION = re.compile(r"^CONFIG_(\w+)=(.*)$", re.MULTILINE)
_RELEASE = re.compile(r'#define\s+UTS_RELEASE\s+"([^"]*)"')
_NAMED = (
    re.compile(r"^\s*include\s+(\S+)/Makefile\s*$", re.MULTILINE),
    re.compile(r"^\s*(?:MAKEARGS|KERNELSRC|KBUILD_SRC|abs_srctree|srctree)\s*:?=\s*(?:-C\s+)?(\S+)",
               re.MULTILINE),
    re.compile(r"^\s*(?:@|\+)*\$\(MAKE\)\s+-C\s+(\S+)", re.MULTILINE),
)  # fmt: skip


class KernelDir(Value, frozen=True):
    """A kernel to build modules against; all paths are absolute, links resolved.

    ``given`` is the folder as it was named, ``root`` the one with the sources or headers,
    ``build`` the one with the generated headers, "" where nothing was configured.
    ``version`` is from the Makefile, ``release`` what ``uname -r`` would say, "" if not known.
    ``arch`` is the kernel's name of the architecture that it is configured for, or "";
    ``options`` are those that are on (without CONFIG_), with their values.
    """

    given: str
    root: str
    build: str
    version: str
    release: str = ""
    arch: str = ""
    options: dict[str, str] = {}

    @property
    def kind(self) -> str:
        """What it is, in words."""
        if not self.build:
            return "source tree, not configured"
        whole = look.is_file(f"{self.root}/mm/mmu_notifier.c")
        if self.build != self.root:
            return "build folder" if whole else "headers package, two halves"
        return "configured source tree" if whole else "headers package"

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that it consists of."""
        return tuple(dict.fromkeys(folder for folder in (self.root, self.build) if folder))


def kernel_dir(given: Path) -> KernelDir:
    """The kernel at a folder that a module's ``make -C`` could be given.

    UserError: it is none, or its other half is not here, with the line that names it.
    """
    try:
        real = Path(os.path.realpath(given, strict=True))
    except (OSError, ValueError):
        hint = "give --kernel a source tree, a build folder or a headers package"
        raise UserError("no such kernel folder", str(given), hint) from None
    if not look.is_folder(real):
        raise UserError("not a folder, so no kernel", str(given))
    configured = _text(real, _AUTOCONF) is not None
    if is_top(real):
        root = real
        if not configured and not look.is_file(root / "Kconfig"):
            raise UserError(
                "is half of a kernel: it is not configured, and has no Kconfig", str(given),
                _other_half(real),
            )  # fmt: skip
    elif configured:
        root = _sources(real, given)
    else:
        hint = "no Makefile with VERSION, and no include/generated/autoconf.h"
        raise UserError("no kernel that a module can be built against", str(given), hint)
    if _text(root, _HEADER) is None:
        raise UserError("the kernel has no mmu notifier header", f"{root}/{_HEADER}")
    tree = describe(root)
    if not configured:
        return KernelDir(str(given), str(root), "", tree.version)
    options = dict(_OPTION.findall(_text(real, "include/config/auto.conf") or ""))
    options = options or dict(_OPTION.findall(_text(real, ".config") or ""))
    release = _RELEASE.search(_text(real, "include/generated/utsrelease.h") or "")
    return KernelDir(
        str(given), str(root), str(real), tree.version, release[1] if release else "",
        _arch(root, options), options,
    )  # fmt: skip


def _text(root: Path, path: str) -> str | None:
    data = read_inside(str(root), path, _LIMIT)
    return None if data is None else data.decode("utf-8", "replace")


def _sources(build: Path, given: Path) -> Path:
    """The other half of a build folder.  UserError: what names it leads nowhere."""
    said = []
    for line, name in _names(build):
        for place in _places(build, name):
            if is_top(place):
                return Path(os.path.realpath(place))
        said.append(f"{line} names {name}")
    why = "; ".join(dict.fromkeys(said)) or "neither its Makefile nor a link `source` names it"
    hint = f"{why}: install it, or unpack it beside this folder"
    raise UserError("the kernel's other half, with its sources or headers, is not here",
                    str(given), hint)  # fmt: skip


def _names(build: Path) -> Iterator[tuple[str, str]]:
    """Where a build folder says that its other half lies: by what, and the path."""
    link = build / "source"
    if look.kind(link) == "link":
        yield "the link `source`", str(look.link_target(link))
    text = _text(build, "Makefile") or ""
    for pattern in _NAMED:
        for match in pattern.finditer(text[:100_000]):
            line = text.count("\n", 0, match.start(1)) + 1
            yield f"Makefile:{line}", match[1]


def _places(build: Path, name: str) -> Iterator[Path]:
    """Where that path may lead: as it stands, or beside the folder (unpacked elsewhere)."""
    if "\0" in name or "$" in name:
        return
    yield build / name
    last = name.rstrip("/").rpartition("/")[2]
    if last in ("", ".", ".."):
        return
    for above in (build.parent, *list(build.parents)[1:3]):
        yield above / last


def _other_half(common: Path) -> str:
    """Which folders beside the common half are configured for it."""
    found = []
    for name in (look.names_inside(str(common.parent), ".") or ())[:200]:
        place = common.parent / name
        if place != common and look.is_file(place / _AUTOCONF):
            try:
                if os.path.realpath(_sources(place, place)) == str(common):
                    found.append(str(place))
            except UserError:
                continue
    return f"give --kernel {found[0]}" if found else "give --kernel the configured half of it"


def _arch(root: Path, options: dict[str, str]) -> str:
    """The architecture of a configuration.  UserError: one that is not known."""
    found = [arch for name, arch in SYMBOLS.items() if options.get(name) == "y"]
    for arch in found:
        if arch in ARCHES and look.is_folder(f"{root}/arch/{arch}/include"):
            return arch
    raise UserError("configured for an architecture that is not known", str(root),
                    "known: " + ", ".join(ARCHES))  # fmt: skip
