# SPDX-License-Identifier: GPL-2.0-only
"""The libclang arguments for one file of a tree, configured or not."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from patchgen import memo
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.source.config.arch import ARCHES, arches_of
from patchgen.source.config.flags_build import build_flags, paths_in
from patchgen.source.config.flags_makefile import file_flags
from patchgen.source.config.overlay import beside_a_build, overlay
from patchgen.source.config.overlay_inputs import Inputs, stamp
from patchgen.source.config.overlay_start import ARCH_START, SPECIAL, START, Special, folders_of


class ParseConfig(Value, frozen=True):
    """How to parse one file.

    ``arch`` is the kernel's name of the architecture, ``args`` the complete libclang
    arguments without the file's name, ``options`` the symbols (without CONFIG_) that
    are on for this file beyond the base, ``key`` a digest of all of it and of the
    overlay's contents, the same for equal trees in different places.  ``reads`` are the
    folders and files outside the tree that the parse may read: the overlay's, and those of
    a build that the user named.  ``real``: these are the flags of a build.
    """

    arch: str
    args: tuple[str, ...]
    options: tuple[str, ...]
    key: str
    reads: tuple[str, ...]
    real: bool = False


_ERRORS = (
    "implicit-function-declaration",
    "implicit-int",
    "incompatible-pointer-types",
    "int-conversion",
)
"""What the kernel's own Makefile makes errors; no other warning is asked for."""

_LANGUAGE = (
    "-fno-strict-aliasing",
    "-fno-common",
    "-fshort-wchar",
    "-fno-PIE",
    "-fno-builtin-wcslen",
    "-ferror-limit=0",
    "-fno-spell-checking",
    "-Wno-everything",
    *(f"-Werror={name}" for name in _ERRORS),
)


def parse_config(
    root: Path,
    path: str,
    arch: str | None = None,
    on: frozenset[str] = frozenset(),
    off: frozenset[str] = frozenset(),
    build_dir: Path | None = None,
    given: Mapping[str, bytes | None] | None = None,
) -> ParseConfig:
    """How to parse ``path`` (relative) of the tree at ``root``.

    ``arch`` defaults to the best of :func:`arches_of`; ``on`` and ``off`` are options
    (with or without CONFIG_) forced beside what the file's Makefile asks for.  Real
    flags from ``build_dir``, or from a build in the tree, win over all of these.  ``given``
    are Makefiles and Kconfig files that a patch replaced.
    UserError: an architecture that is not known, or an unusable ``build_dir``.
    """
    if arch is None:
        found = arches_of(root, path)
        if not found:
            raise UserError("this architecture is not known", path, "--arch names one")
        arch = found[0]
    if arch not in ARCHES:
        raise UserError(f"unknown architecture {arch}", path, "known: " + ", ".join(ARCHES))
    real = build_flags(root, path, build_dir)
    if real is not None:
        return _real(root, arch, real, build_dir or root)
    return _synthesised(Inputs(root, given), root, path, arch, _plain(on), _plain(off))


def _plain(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.removeprefix("CONFIG_") for name in names)


def _real(root: Path, arch: str, flags: list[str], place: Path) -> ParseConfig:
    """The build's own flags, with headers of the compiler that the wheel does not bring."""
    kept = [flag for flag in flags if not flag.startswith("--target")]
    layers = overlay(root, arch)
    builtin = f"{layers.base}/builtin"
    target = [f"--target={ARCHES[arch].target}"]
    extra = ["-ferror-limit=0", "-Wno-everything", *(f"-Werror={name}" for name in _ERRORS)]
    args = ("-x", "c", *target, "-nostdinc", *kept, "-isystem", builtin, *extra)
    configured = stamp(str(place), "include/generated/autoconf.h")
    key = memo.digest(*args, repr(configured[:3]))
    reads = (layers.base, *paths_in(kept))
    return ParseConfig(arch, args, (), key, reads, True)


def _synthesised(
    inputs: Inputs, root: Path, path: str, arch: str, on: frozenset[str], off: frozenset[str]
) -> ParseConfig:
    special = SPECIAL.get((arch, path.rpartition("/")[2]), Special())
    base = START | ARCH_START.get(arch, frozenset())
    own = file_flags(inputs, path, arch, base | special.on)
    off |= special.off
    options = (frozenset(own.options) | on | special.on) - off
    layers = overlay(root, arch, folders_of(path), options, off, inputs.given)
    top = inputs.root
    args = (
        *_machine(arch, top, special.target),
        *_includes(top, arch, layers.base, layers.config),
        *_forced_headers(top),
        "-D__KERNEL__",
        *_dialect(inputs.read("Makefile") or ""),
        *_LANGUAGE,
        *own.args,
        *_names(path, own.module),
    )
    key = memo.digest(layers.key, *(arg.replace(top, ".") for arg in args if "overlay/" not in arg))
    reads = (layers.base, layers.config)
    return ParseConfig(arch, args, tuple(sorted(options)), key, reads)


class Outside(Value, frozen=True):
    """A source outside of the kernel's tree: its path as kbuild has it, and what its own
    Makefile adds before and behind the kernel's include paths."""

    path: str
    module: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def outside(
    root: Path, build: Path | None, arch: str, source: Outside, on: frozenset[str],
    off: frozenset[str], configured: Mapping[str, str] | None = None,
) -> ParseConfig:  # fmt: skip
    """How to parse a source that is built against the kernel at ``root``.

    ``build`` has the headers that a configured kernel's build made, ``configured`` are its
    options; None: as the tree's own files are parsed, with ``on`` and ``off`` beside the base.
    ``root`` may be read.
    """
    inputs = Inputs(root)
    top = inputs.root
    reads: tuple[str, ...]
    if build is None:
        options = (on | START | ARCH_START.get(arch, frozenset())) - off
        layers = overlay(root, arch, frozenset(), on, off)
        made, reads = layers.key, (top, layers.base, layers.config)
        includes = (*_includes(top, arch, layers.base, layers.config), *_forced_headers(top))
    else:
        options = on
        place = os.path.realpath(build)
        builtin, turned = beside_a_build(_turned(on, off))
        made, reads = turned, (top, place, builtin, turned)
        forced = _forced_headers(top)
        at = next((i + 1 for i, word in enumerate(forced) if word.endswith("/kconfig.h")), 0)
        forced = (*forced[:at], "-include", f"{turned}/turned.h", *forced[at:])
        includes = (*_built_includes(top, place, arch, f"{builtin}/builtin"), *forced)
    args = (
        *_machine(arch, top, ""),
        *source.before,
        *includes,
        "-D__KERNEL__",
        *_dialect(inputs.read("Makefile") or ""),
        *_LANGUAGE,
        *_tracing(configured or {}, inputs, arch),
        "-DMODULE",
        *source.after,
        *_names(source.path, source.module),
    )
    return ParseConfig(arch, args, tuple(sorted(options)), memo.digest(made, *args), reads)


#: What the kernel's Makefiles define where the compiler traces functions, as gcc does (top
#: Makefile, CC_FLAGS_USING; arch/arm64/Makefile), and one of the options that each needs.
_TRACING = {
    "CC_USING_FENTRY": ("HAVE_FENTRY",),
    "CC_USING_NOP_MCOUNT": ("HAVE_NOP_MCOUNT", "HAVE_OBJTOOL_NOP_MCOUNT"),
    "CC_USING_PATCHABLE_FUNCTION_ENTRY": ("FTRACE_MCOUNT_USE_PATCHABLE_FUNCTION_ENTRY",),
}


def _tracing(configured: Mapping[str, str], inputs: Inputs, arch: str) -> tuple[str, ...]:
    """The defines of a build that traces functions, as far as its Makefiles know them."""
    if configured.get("FUNCTION_TRACER") != "y":
        return ()
    files = ("Makefile", f"arch/{arch}/Makefile")
    text = "".join(inputs.read(path) or "" for path in files)
    return tuple(
        f"-D{name}"
        for name, options in _TRACING.items()
        if f"-D{name}" in text and any(configured.get(option) == "y" for option in options)
    )


def _turned(on: frozenset[str], off: frozenset[str]) -> str:
    """A header behind a build's own configuration that turns some options."""
    lines = [f"#undef CONFIG_{name}\n#undef CONFIG_{name}_MODULE\n" for name in sorted(on | off)]
    return "".join((*lines, *(f"#define CONFIG_{name} 1\n" for name in sorted(on))))


def _built_includes(root: str, build: str, arch: str, builtin: str) -> tuple[str, ...]:
    """Kbuild's LINUXINCLUDE for a build folder, which may be the tree itself."""
    made = f"{build}/arch/{arch}/include/generated"
    folders = (
        f"{root}/arch/{arch}/include", made, f"{root}/include", f"{build}/include",
        f"{root}/arch/{arch}/include/uapi", f"{made}/uapi",
        f"{root}/include/uapi", f"{build}/include/generated/uapi",
    )  # fmt: skip
    listed = dict.fromkeys(folders)
    return ("-nostdinc", "-isystem", builtin, *(f"-I{folder}" for folder in listed))


def _machine(arch: str, root: str, target: str) -> tuple[str, ...]:
    described = ARCHES[arch]
    flags = (flag.format(root=root) for flag in described.flags)
    return ("-x", "c", f"--target={target or described.target}", *flags)


def _includes(root: str, arch: str, base: str, config: str) -> tuple[str, ...]:
    """Kbuild's LINUXINCLUDE, with the overlay where generated headers would be."""
    folders = (
        f"{config}/include",
        f"{base}/include",
        f"{root}/arch/{arch}/include",
        f"{base}/arch",
        f"{root}/include",
        f"{root}/arch/{arch}/include/uapi",
        f"{base}/arch/uapi",
        f"{root}/include/uapi",
        f"{base}/include/uapi",
    )
    return ("-nostdinc", "-isystem", f"{base}/builtin", *(f"-I{folder}" for folder in folders))


def _forced_headers(root: str) -> tuple[str, ...]:
    """What every kernel file is compiled with, as far as the tree has it."""
    names = ("compiler-version.h", "kconfig.h", "compiler_types.h")
    files = [f"{root}/include/linux/{name}" for name in names]
    return tuple(word for file in files if look.is_file(file) for word in ("-include", file))


def _dialect(makefile: str) -> tuple[str, ...]:
    """The language that the top Makefile asks for."""
    # Line by line: over several, a pattern takes quadratic time.
    match = re.search(
        r"^(?:KBUILD_CFLAGS|CC_FLAGS_DIALECT)\b[^=\n]*=[^#\n]*?-std=(gnu\w+)",
        makefile.replace("\\\n", " "),
        re.M,
    )
    found = [f"-std={match[1]}" if match else "-std=gnu89"]
    if "-fms-extensions" in makefile or "CC_MS_EXTENSIONS" in makefile:
        found.append("-fms-extensions")
    if "-funsigned-char" in makefile:
        found.append("-funsigned-char")
    return tuple(found)


def _names(path: str, module: str) -> tuple[str, ...]:
    """Kbuild's names of the file and of the module it is part of."""
    base = re.sub(r"\W", "_", Path(path).stem)
    name = re.sub(r"\W", "_", module)
    return (
        "-DKBUILD_STR(s)=#s",
        f'-DKBUILD_BASENAME="{base}"',
        f'-DKBUILD_MODNAME="{name}"',
        f'-DKBUILD_MODFILE="{Path(path).parent.as_posix()}/{name}"',
        f"-D__KBUILD_MODNAME=kmod_{name}",
    )
