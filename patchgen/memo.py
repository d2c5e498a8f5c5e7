# SPDX-License-Identifier: GPL-2.0-only
"""The cache folder, and files in it keyed by content.

Everything below the folder can be removed at any time.  Writers write aside and
rename, so a killed run leaves no half entry.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """``$PATCHGEN_CACHE``, else ``$XDG_CACHE_HOME/patchgen``, else ~/.cache/patchgen."""
    own = os.environ.get("PATCHGEN_CACHE")
    return Path(own) if own else home_dir()


def home_dir() -> Path:
    """``$XDG_CACHE_HOME/patchgen``, else ~/.cache/patchgen: what PATCHGEN_CACHE does not move."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patchgen"


def digest(*parts: bytes | str) -> str:
    """Hex digest (BLAKE2b, 20 bytes) of the parts; their borders count."""
    state = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def read(kind: str, key: str) -> bytes | None:
    """The cached bytes of ``key`` in the folder ``kind``, or None."""
    try:
        return (cache_dir() / kind / key[:2] / key).read_bytes()
    except OSError:
        return None


def write(kind: str, key: str, data: bytes) -> None:
    """Store ``data``; a cache that cannot be written is passed over."""
    target = cache_dir() / kind / key[:2] / key
    try:
        write_atomic(target, data)
    except OSError:
        return


def write_atomic(target: Path, data: bytes) -> None:
    """Write aside in the same folder, then rename over ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
