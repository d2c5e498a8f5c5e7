# SPDX-License-Identifier: GPL-2.0-only
"""The header overlay that lets a tree parse which was never configured or built.

An overlay is two folders of the cache, each named by the digest of its contents:
one for the tree and architecture (asm-generic wrappers, generated headers, the
compiler's own headers), one for the configuration (autoconf.h and what hangs on it).
They are built aside and renamed into place; the tree is only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from patchgen import memo
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given
from patchgen.source.config.overlay_inputs import Inputs, Stamp, unchanged


class Overlay(Value, frozen=True):
    """``base`` and ``config`` are absolute folders; their names are content digests."""

    base: str
    config: str

    @property
    def key(self) -> str:
        """Digest of all files of the overlay."""
        return memo.digest(Path(self.base).name, Path(self.config).name)


class _Entry(msgspec.Struct, array_like=True):
    """``folder``: its name below :func:`overlays`."""

    folder: str
    stamps: list[Stamp]


def overlay(
    root: Path,
    arch: str,
    folders: frozenset[str] = frozenset(),
    on: frozenset[str] = frozenset(),
    off: frozenset[str] = frozenset(),
    given: Mapping[str, bytes | None] | None = None,
) -> Overlay:
    """The overlay for ``arch`` with options ``on`` and ``off`` (without CONFIG_).

    ``folders`` are those whose Kconfig files count beside the core's, ``given`` the Makefiles
    and Kconfig files that a patch replaced.  UserError: the cache folder cannot be written.
    """
    given = given or {}
    memo.hold()
    base = _cached(root, ("base", arch), lambda inputs: _base(inputs, arch), given)
    names = ("config", arch, *sorted(folders), "+", *sorted(on), "-", *sorted(off))
    config = _cached(root, names, lambda inputs: _config(inputs, arch, folders, on, off), given)
    return Overlay(base, config)


def beside_a_build(turned: str) -> tuple[str, str]:
    """The folders of what a build's own headers lack: with ``builtin/``, the compiler's own
    headers, and with ``turned.h``, whose text is given.

    UserError: the cache folder cannot be written.
    """
    from patchgen.source.config.overlay_builtin import BUILTIN

    builtin = _store({f"builtin/{name}": text for name, text in BUILTIN.items()})
    return str(builtin), str(_store({"turned.h": turned}))


def overlays() -> Path:
    """The folder that all overlays lie in."""
    return memo.cache_dir().absolute() / "overlay"


def _base(inputs: Inputs, arch: str) -> dict[str, str]:
    from patchgen.source.config.overlay_builtin import BUILTIN
    from patchgen.source.config.overlay_config import evaluate, read_kconfig
    from patchgen.source.config.overlay_generated import base_files
    from patchgen.source.config.overlay_wrappers import wrappers

    values = evaluate(read_kconfig(inputs.read, arch), arch)
    files, generated = wrappers(inputs, arch, values)
    files.update(base_files(inputs, arch, generated))
    files.update({f"builtin/{name}": text for name, text in BUILTIN.items()})
    return files


def _config(
    inputs: Inputs, arch: str, folders: frozenset[str], on: frozenset[str], off: frozenset[str]
) -> dict[str, str]:
    from patchgen.source.config.overlay_config import evaluate, read_kconfig
    from patchgen.source.config.overlay_generated import config_files

    kconfig = read_kconfig(inputs.read, arch, folders)
    values = evaluate(kconfig, arch, on, off)
    types = {name: symbol.type for name, symbol in kconfig.symbols.items()}
    return config_files(inputs, values, types)


@lru_cache(maxsize=1)
def _generators() -> str:
    """How this package's own modules look, so that a changed one makes new overlays."""
    here = Path(__file__).parent
    modules = sorted((*here.glob("overlay*.py"), *here.glob("kconfig*.py")))
    return " ".join(f"{m.name}:{(s := m.stat()).st_size}:{s.st_mtime_ns}" for m in modules)


def _cached(
    root: Path,
    names: tuple[str, ...],
    build: Callable[[Inputs], dict[str, str]],
    given: Mapping[str, bytes | None],
) -> str:
    """The folder that ``build`` filled, from the cache while the tree looks the same."""
    replaced = [repr((path, given[path])) for path in sorted(given)]
    index = memo.digest(_generators(), os.path.realpath(root), *names, *replaced)
    known: _Entry | None = memo.recall("overlay-index", index, _Entry)
    if known is not None and unchanged(root, known.stamps):
        folder = overlays() / known.folder
        if _is_whole(folder):
            memo.used(folder)
            return str(folder)
    inputs = Inputs(root, given)
    folder = _store(build(inputs))
    if inputs.settled():
        entry = _Entry(folder.name, list(inputs.stamps.values()))
        memo.remember("overlay-index", index, entry)
    return str(folder)


#: Overlays that this process has looked at.
_WHOLE: set[Path] = set()


def _is_whole(folder: Path) -> bool:
    """Whether a folder holds what its name is the digest of, and nothing else."""
    if folder not in _WHOLE or not look.is_folder(folder):
        files: dict[str, str] = {}
        if not _collect(folder, files) or _name(files) != folder.name:
            return False
        _WHOLE.add(folder)
    return True


def _collect(folder: Path, files: dict[str, str]) -> bool:
    """Read all files of a folder; False where something is in it that we did not put there."""
    try:
        for entry in look.below(folder):
            if entry.kind == "folder":
                continue
            data = read_given(folder / entry.path) if entry.kind == "file" else None
            if data is None:
                return False
            files[entry.path] = data.decode()
    except (OSError, UserError, ValueError):
        return False
    return True


def _name(files: Mapping[str, str]) -> str:
    return memo.digest(*(part for name in sorted(files) for part in (name, files[name])))


def _store(files: dict[str, str]) -> Path:
    """Write the files below a folder named by their digest; done already is fine."""
    import shutil
    import tempfile

    target = overlays() / _name(files)
    if look.is_folder(target):
        if _is_whole(target):
            return target
        shutil.rmtree(target, ignore_errors=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    except OSError as error:
        raise _unwritable(error, target.parent) from None
    try:
        for name, text in files.items():
            file = aside / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        aside.rename(target)
    except OSError as error:
        if not look.is_folder(target):  # else another process was faster
            raise _unwritable(error, target) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    memo.tally(sum(map(len, files.values())))
    _WHOLE.add(target)
    return target


def _unwritable(error: OSError, place: Path) -> UserError:
    reason = error.strerror or str(error)
    return UserError(f"cannot write the cache: {reason}", str(place), "set PATCHGEN_CACHE")
