# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel trees have names, and where they lie.

``kernel-tree/trees.toml`` lists them.  A fetched tree lies in the cache, shared
by all clones on the machine, and ``kernel-tree/<name>`` is a symbolic link to it.

Environment: PATCHGEN_KERNEL_TREE is the kernel-tree folder, PATCHGEN_TREES the
folder of the fetched trees (default: ~/.cache/patchgen/trees), and
PATCHGEN_TREE_<NAME> a tree's path (``PATCHGEN_TREE_5_10`` for 5.10).  Trees are
gigabytes that were downloaded: another cache folder (PATCHGEN_CACHE) does not
move them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from patchgen.memo import home_dir
from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given
from patchgen.source.tree.describe import Tree, describe, is_top

_LIST = "trees.toml"
# Links into kernel-tree/ in a checkout, copies of its files in an installed package.
_BUILTIN = Path(__file__).resolve().parents[2] / "_kernel_tree"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
SOURCES = ("git", "debian")


class Debian(Value, frozen=True, forbid_unknown_fields=True):
    """Debian's source package, and the suites that may have it."""

    package: str
    suites: tuple[str, ...]


class Entry(Value, frozen=True, forbid_unknown_fields=True):
    """One tree of trees.toml: part of the repository (``bundled``) or fetched."""

    bundled: bool = False
    tag: str = ""
    debian: Debian | None = None


class Registry(Value, frozen=True, forbid_unknown_fields=True):
    """trees.toml: the git repository of the tags, and the trees by name."""

    git: str
    tree: dict[str, Entry]


def kernel_tree_dir() -> Path:
    """The kernel-tree folder, absolute.

    ``$PATCHGEN_KERNEL_TREE``, else ``./kernel-tree`` of a checkout, else that of
    the checkout this package lies in, else ~/.cache/patchgen/kernel-tree.
    """
    own = os.environ.get("PATCHGEN_KERNEL_TREE")
    if own:
        return Path(own).absolute()
    for checkout in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if look.is_file(checkout / "kernel-tree" / _LIST):
            return checkout / "kernel-tree"
    return home_dir().absolute() / "kernel-tree"


def trees_dir() -> Path:
    """Where fetched trees are kept, absolute."""
    return Path(os.environ.get("PATCHGEN_TREES") or home_dir() / "trees").absolute()


def load(base: Path | None = None) -> Registry:
    """Read trees.toml of the kernel-tree folder ``base``, or the installed one."""
    for folder in (base or kernel_tree_dir(), _BUILTIN):
        file = folder / _LIST
        if look.is_file(file):
            return _decode(file)
    raise UserError("no list of kernel trees", str((base or kernel_tree_dir()) / _LIST))


def environment_name(name: str) -> str:
    """The variable that overrides the path of ``name``: PATCHGEN_TREE_5_10."""
    return "PATCHGEN_TREE_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def is_name(text: str) -> bool:
    """Whether ``text`` can name a tree: no path, no leading dot."""
    return _NAME.fullmatch(text) is not None


def location(name: str, base: Path | None = None) -> Path | None:
    """Where the tree ``name`` lies, or None when it is not there.

    Looked at in order: its environment variable, ``kernel-tree/<name>``, the
    fetched trees, and the bundled trees that came with the package.
    """
    override = os.environ.get(environment_name(name))
    if override:
        return Path(override)
    link = (base or kernel_tree_dir()) / name
    places = [link, *(fetched(name, source) for source in SOURCES)]
    found = next((place for place in places if look.is_folder(place)), None)
    return found or _bundled(name, base)


def fetched(name: str, source: str) -> Path:
    """Where ``name`` lies when it was fetched from ``source`` (git or debian)."""
    return trees_dir() / f"{name}-{source}" / "linux"


def resolve(spec: str, base: Path | None = None) -> Tree:
    """The tree that ``spec`` means: a name, or the path of any kernel checkout.

    A name is one of trees.toml or of a folder in the kernel-tree folder
    (``base``, by default :func:`kernel_tree_dir`); "." is the kernel around the
    current folder.  Raises UserError for a name that is listed but not fetched,
    and for a path that is no kernel tree.
    """
    try:
        if spec == ".":
            return _described(around(Path.cwd()))
        place = location(spec, base) if is_name(spec) else None
        if place is not None:
            return _described(place, spec)
    except OSError as error:
        raise UserError(f"cannot be looked up: {error.strerror}", spec) from None
    if is_name(spec) and spec in load(base).tree:
        raise UserError(f"kernel tree {spec} is not here yet", "", f"patchgen tree add {spec}")
    if not spec:
        raise UserError("no kernel tree given", "", "a name from `patchgen tree list`, or a path")
    try:
        return _described(Path(spec).expanduser())
    except RuntimeError:
        raise UserError("nobody's home folder", spec, "give the folder's path") from None
    except OSError as error:
        raise UserError(f"cannot be looked up: {error.strerror}", spec) from None


def _described(place: Path, name: str = "") -> Tree:
    """The tree; UserError, too, where no part of patchgen could write its path down."""
    if any("\ud800" <= letter <= "\udfff" for letter in os.path.realpath(place)):
        raise UserError("the path is no UTF-8", str(place), "name the tree by another path")
    return describe(place, name)


def around(folder: Path) -> Path:
    """The kernel tree that ``folder`` lies in: itself or the nearest folder above."""
    found = next((above for above in (folder, *folder.parents) if is_top(above)), None)
    if found is None:
        hint = "--tree takes a name from `patchgen tree list`, or a path; a module outside of the"
        hint += " kernel's tree is for `patchgen lint --module DIR`"
        raise UserError("no kernel tree here or above", str(folder), hint)
    return found


def _bundled(name: str, base: Path | None) -> Path | None:
    entry = load(base).tree.get(name)
    if entry is None or not entry.bundled:
        return None
    place = _BUILTIN / name
    return place if look.is_folder(place) else None


def _decode(file: Path) -> Registry:
    import tomllib  # a tree that is there is found without the list

    try:
        registry = msgspec.convert(tomllib.loads((read_given(file) or b"").decode()), Registry)
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise UserError(f"cannot read the list of kernel trees: {error}", str(file)) from None
    for name, entry in registry.tree.items():
        if not is_name(name):
            raise UserError(f"{name!r} cannot name a tree", str(file))
        if not (entry.bundled or entry.tag or entry.debian):
            raise UserError(f"tree {name} has no source", str(file))
    return registry
