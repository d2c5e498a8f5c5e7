# SPDX-License-Identifier: GPL-2.0-only
"""A module's folder → what is built there, of which sources, with which flags.

First the user's ``make`` in the folder (it names the kernel, the folder that is built and
variables for it), then kbuild's for that folder and those below.  Neither is run.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from patchgen.model.base import Place
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.source.config.arch import ARCHES
from patchgen.source.module.access import Access
from patchgen.source.module.begin import PLAIN, Begun, begin, exports, kbuild_file
from patchgen.source.module.commands import Commands
from patchgen.source.module.description import LeftOut, Module, Source
from patchgen.source.module.flags import arguments
from patchgen.source.module.folder import KERNEL_INCLUDES, Folder
from patchgen.source.module.functions import Functions
from patchgen.source.module.kernel import KernelDir, kernel_dir
from patchgen.source.module.make import Make
from patchgen.source.module.values import Note

_MACHINES = {"x86": "x86_64", "arm64": "aarch64", "powerpc": "ppc64le", "riscv": "riscv64"}
_FOLDERS = 500  # of one module
#: What decides of what a module is built, and how.
_DECIDES = re.compile(
    r"(?:obj|lib|subdir)-|.*-(?:objs|y|m)$|.*ccflags|EXTRA_CFLAGS|CFLAGS_|K?BUILD_|KCP?P?FLAGS"
    r"|LINUXINCLUDE"
)


def module_at(
    root: Path, kernel: Path | None, settings: Mapping[str, str], arch: str = ""
) -> Module:
    """The modules below the folder ``root``.

    ``kernel`` as the user named it, or None: what ``make`` there would use.  ``settings``
    are variables as on make's command line.  UserError: there is no module, or no kernel.
    """
    real = os.path.realpath(root)
    if not look.is_folder(real):
        raise UserError("no such folder", str(root), "--module takes a module's folder")
    if arch and arch not in ARCHES:
        raise UserError(f"unknown architecture {arch}", hint="known: " + ", ".join(ARCHES))
    known = kernel_dir(kernel) if kernel is not None else None
    access = Access(real, known.folders if known else ())
    release = (known.release or known.version) if known else os.uname().release
    begun = begin(access, settings, release)
    if known is None:
        found, by = _kernel(next(iter(begun.values())))
        access = Access(real, found.folders)
    else:
        found, by = known, "--kernel"
    return _Build(access, found, begun, settings, arch or found.arch or "x86").module(by)


def _kernel(begun: Begun) -> tuple[KernelDir, str]:
    default = f"/lib/modules/{os.uname().release}/build"
    named, by = (begun.kernel, begun.line) if begun.kernel else (default, "this machine's kernel")
    try:
        return kernel_dir(Path(named)), by
    except UserError as error:
        lost = "; ".join(note.text for note in begun.notes)
        why = f"{by}: {error.what}" + (f" ({error.hint})" if error.hint else "")
        raise UserError(why, named, lost or "--kernel KERNELDIR names another") from None


class _Build:
    """kbuild's pass over the folders of a module."""

    def __init__(
        self, access: Access, kernel: KernelDir, begun: Mapping[str, Begun],
        settings: Mapping[str, str], arch: str,
    ) -> None:  # fmt: skip
        self.root = access.root
        self.access = access
        self.kernel = kernel
        self.begun = begun
        self.settings = settings
        self.arch = arch
        self.functions = Functions(
            self.access.names, self.access.there, self.access.text,
            kernel.release or kernel.version, _MACHINES.get(arch, arch),
        )  # fmt: skip
        self.notes: dict[Note, None] = {}
        self.sources: dict[str, Source] = {}
        self.makes: list[Make] = []
        self.commands = Commands(access, kernel)
        self.unmade: dict[Place, list[str]] = {}

    def module(self, by: str) -> Module:
        """The whole of it.  UserError: nothing is built here."""
        for top, begun in self.begun.items():
            self._folder(top, top, "", {}, begun)
        for place, objects in self.unmade.items():
            more = f" and {len(objects) - 1} more have" if len(objects) > 1 else " has"
            what = f"{objects[0]}{more} no source here: made by a step that was not run"
            self.notes[Note(place, what)] = None
        if not self.sources:
            self._nothing()
        self.notes |= self.commands.notes
        left_out = tuple(sorted(self._left_out()))
        asked = {name for one in self.begun.values() for name in one.asked}
        asked |= {name for make in self.makes for name in make.asked}
        unread = tuple(sorted(self.settings.keys() - asked))
        return Module(
            self.root, self.kernel, by, tuple(self.sources[path] for path in sorted(self.sources)),
            left_out, tuple(sorted(self.notes)), tuple(sorted(self.settings.items())), unread,
        )  # fmt: skip

    def _make(self, folder: str, top: str, inherited: Mapping[str, str], begun: Begun) -> Make:
        kernel = self.kernel
        version = [*kernel.version.split("-")[0].split("."), "0", "0"][:3]
        before = tuple(map(int, version[:2])) < (6, 13)  # 13b25489b6f8: kbuild changes the folder
        own = {
            **PLAIN, **{f"CONFIG_{name}": v for name, v in self.access.options(kernel).items()},
            "LINUXINCLUDE": KERNEL_INCLUDES, **inherited,
            "KERNELRELEASE": kernel.release or kernel.version,
            "KERNELVERSION": kernel.version, "VERSION": version[0], "PATCHLEVEL": version[1],
            "SUBLEVEL": version[2], "src": folder, "obj": folder, "M": top, "KBUILD_EXTMOD": top,
            "srctree": kernel.root, "objtree": kernel.build or kernel.root, "PWD": self.root,
            "CURDIR": (kernel.build or kernel.root) if before else top, "SRCARCH": self.arch,
            "ARCH": "x86_64" if self.arch == "x86" else self.arch, "UTS_MACHINE": self.arch,
            "BITS": "32" if self.arch == "arm" else "64",
        }  # fmt: skip
        own |= begun.exported
        forced = {**begun.given, **self.settings}
        make = Make(self.access.text, self.access.shown, self.functions, own, forced, begun.unknown)
        self.makes.append(make)
        return make

    def _folder(
        self, folder: str, top: str, below: str, inherited: Mapping[str, str], begun: Begun
    ) -> None:
        if len(self.makes) >= _FOLDERS:
            raise UserError(f"more than {_FOLDERS} folders", self.access.shown(folder))
        file = kbuild_file(self.access, folder)
        if not file and folder == self.root:
            return
        if not file:
            lost = Note(Place(self.access.shown(folder), 0), "has no Kbuild or Makefile")
            self.notes[lost] = None
            return
        make = self._make(folder, top, inherited, begun)
        make.load(file)
        found = Folder(folder, make, below)
        for one in found.objects():
            self._object(found, one.stem, one.base, one.module, one.place)
        exported = exports(make)
        for path in found.folders():
            if self.access.covers(path) and path != folder:
                self._folder(path, top, found.below, {**inherited, **exported}, begun)
        self.notes |= dict.fromkeys(make.notes)
        self.notes |= dict.fromkeys(_asked(make))

    def _object(self, folder: Folder, stem: str, base: str, module: str, place: Place) -> None:
        shown = self.access.shown(stem)
        if not self.access.covers(stem):
            what = f"{shown}.o lies outside of the folder: give --module a folder with both"
            self.notes[Note(place, what)] = None
            return
        if not self.access.there(f"{stem}.c"):
            others = (".S", ".o_shipped", ".o_binary", ".rs", ".asm")
            kind = next((o for o in others if self.access.there(stem + o)), "")
            if kind and kind != ".S":
                self.notes[Note(place, f"{shown}{kind} is no C: not analysed")] = None
            elif not kind:
                self.unmade.setdefault(place, []).append(f"{shown}.o")
            return
        path = f"{stem}.c"[len(self.root) + 1 :]
        if path not in self.sources:
            before, after, lost = folder.flags(base)
            origin = tuple(folder.make.origin(word) for word in lost)
            here = folder.make.value("CURDIR")
            found = arguments(
                self.access, self.kernel, Source(path, module, place, lacks=origin), before, after,
                here,
            )  # fmt: skip
            self.sources[path] = self.commands.of(found, folder.make.files, here)

    def _nothing(self) -> None:
        templates = [n for n in ("Kbuild.in", "Makefile.in", "Makefile.am", "configure")
                     if self.access.there(f"{self.root}/{n}")]  # fmt: skip
        said = "; ".join(f"{note.place}: {note.text}" for note in sorted(self.notes)[:3])
        hint = said or "no Kbuild or Makefile in it lists objects in obj-m"
        if templates:
            hint = f"{templates[0]} is there: run first what makes the Makefiles of it"
        raise UserError("no module is built in this folder", self.root, hint)

    def _left_out(self) -> Iterator[LeftOut]:
        """Sources that no list has, with the line that leaves each out."""
        for path in self.access.sources():
            if path in self.sources:
                continue
            name = posixpath.basename(path).removesuffix(".c")
            listed = re.compile(rf"(?<![\w-]){re.escape(name)}\.[co]\b")
            lines = [one for make in self.makes for one in make.assigned
                     if listed.search(one.value)]  # fmt: skip
            reason = "no Kbuild or Makefile lists it"
            for one in lines:
                options = re.findall(r"CONFIG_\w+", one.needs or one.written)
                hint = f": --set {options[0]}=y" if options else ""
                reason = f"{one.place} leaves it out ({one.needs or one.written}){hint}"
                if one.needs or one.name.endswith("-"):
                    break
            yield LeftOut(path, reason)


def _asked(make: Make) -> Iterator[Note]:
    """The undecided conditions on which it depends what is built, or how."""
    wanted: set[str] = set()
    todo = [name for name in make.uses if _DECIDES.match(name)]
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += make.uses.get(name, ())
    for one in make.undecided:
        if one.variables & wanted:
            yield one.note
