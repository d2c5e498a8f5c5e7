# SPDX-License-Identifier: GPL-2.0-only
"""Which files of a tree contain given strings: a fast text search with a memory.

``find`` lists sources with size and time stamps (0.2 s for a kernel); only files
whose stamp is new are searched, by ``grep`` on all processors.  Symbolic links are
not followed, so nothing outside the tree is read.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import msgspec

from patchgen import cache
from patchgen.outcome import UserError

#: Folders without kernel code that runs: user-space tools have their own headers.
_PRUNED = ("Documentation", "tools", "scripts", "samples", "LICENSES", ".git")
#: Fixed strings of which every API name contains one.
NEEDLES = (
    "mmu_notifier",
    "mmu_interval",
    "MMU_NOTIF",
    "set_pte_at_notify",
    "_flush_notify",
    "_flush_young_notify",
    "_clear_young_notify",
    "hmm_mirror",
    "drm_gpusvm_ops",
)


class _Memory(msgspec.Struct):
    stamps: dict[str, str]
    hits: list[str]


def candidates(root: Path, needles: tuple[str, ...] = NEEDLES) -> tuple[str, ...]:
    """Tree-relative paths of the ``.c`` and ``.h`` files that contain a needle, sorted.

    Bytes of a name that are no UTF-8 come as surrogates (os.fsdecode).
    """
    key = cache.digest(os.fsencode(os.path.realpath(root)), *needles)
    before = _remembered(key)
    stamps = _stamps(root)
    if before.stamps == stamps:
        return tuple(before.hits)
    changed = [path for path, stamp in stamps.items() if before.stamps.get(path) != stamp]
    kept = {path for path in before.hits if before.stamps.get(path) == stamps.get(path)}
    hits = sorted(kept | _grep(root, changed, needles))
    # A name that is no UTF-8 cannot be remembered as text: search such trees anew.
    with contextlib.suppress(UnicodeEncodeError):
        cache.write("search", key, msgspec.msgpack.encode(_Memory(stamps, hits)))
    return tuple(hits)


def _remembered(key: str) -> _Memory:
    data = cache.read("search", key)
    try:
        return msgspec.msgpack.decode(data or b"", type=_Memory)
    except msgspec.DecodeError:
        return _Memory({}, [])


def _stamps(root: Path) -> dict[str, str]:
    prune: list[str] = []
    for folder in _PRUNED:
        prune += ["-path", f"./{folder}", "-prune", "-o"]
    command = ["find", ".", *prune, "-type", "f", "-name", "*.[ch]"]
    command += ["-printf", r"%P\0%s %T@ %C@ %i\0"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if done.returncode:
        lines = os.fsdecode(done.stderr).strip().splitlines()
        raise UserError(f"cannot list the tree: {lines[-1] if lines else 'find failed'}", str(root))
    fields = os.fsdecode(done.stdout).split("\0")
    return dict(zip(fields[0::2], fields[1::2], strict=False))


def _grep(root: Path, paths: list[str], needles: tuple[str, ...]) -> set[str]:
    if not paths:
        return set()
    patterns = [word for needle in needles for word in ("-e", needle)]
    command = ["xargs", "-0", "-r", "-P", str(os.cpu_count() or 1), "-n", "4000"]
    command += ["grep", "--line-buffered", "-lZF", *patterns, "--"]
    done = subprocess.run(
        command,
        cwd=root,
        input=b"".join(os.fsencode(path) + b"\0" for path in paths),
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    # grep's 1 (no hit in a batch) comes back as xargs' 123; 2 (unreadable file) too.
    if done.stderr.strip():
        raise UserError(os.fsdecode(done.stderr).strip().splitlines()[0], str(root))
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
