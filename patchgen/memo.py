# SPDX-License-Identifier: GPL-2.0-only
"""The cache folder, and files in it keyed by content.

Everything below the folder can be removed at any time.  Writers write aside and
rename, so a killed run leaves no half entry.  An entry begins with the digest of what it
is and holds: one that is damaged, cut off, of another key or of another version of
patchgen is none, whatever happened to it.  The folder is the user's own, or it is not used.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from patchgen.model.outcome import UserError
from patchgen.sandbox import lock
from patchgen.sandbox.reader import private_file

if TYPE_CHECKING:
    from patchgen.sandbox.aside import Aside

T = TypeVar("T")

#: The file with what was written since the cache was measured, in bytes, a line each.
TALLY = "tally"
_IN_USE = "in-use"
#: Whether this process stored anything.
wrote = False
_held: int | None = None
_HOUR = 3600 * 10**9  # ns
#: Of the form of entries.
VERSION = 2
#: Largest entry that is read, in bytes.
_LIMIT = 256 << 20
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
#: What a value may do to its decoder.
_UNDECODABLE = (msgspec.DecodeError, ValueError, TypeError, RecursionError, OverflowError)


_ELSEWHERE = "set PATCHGEN_CACHE to a folder of yours"


def _nobody(line: str) -> None:
    """Where nobody listens."""


#: Told once why a folder is not used; the command line prints it.
warn: Callable[[str], None] = _nobody
_FOLDERS: dict[Path, Path] = {}


def cache_dir() -> Path:
    """``$PATCHGEN_CACHE``, else :func:`home_dir`; made if need be.

    A folder that is somebody else's, or that others can write, is told once, and a folder
    of this run's own stands in for it.  UserError: no folder can be named.
    """
    own = os.environ.get("PATCHGEN_CACHE")
    asked = (Path(own) if own else home_dir()).absolute()
    if any("\ud800" <= letter <= "\udfff" for letter in str(asked)):
        # libclang, which reads headers there, takes no other paths.
        raise UserError("the cache's path is no UTF-8", str(asked), _ELSEWHERE)
    if asked not in _FOLDERS:
        _FOLDERS[asked] = _trusted(asked)
    return _FOLDERS[asked]


def _trusted(folder: Path) -> Path:
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True)
    reason = _distrust(folder)
    if not reason:
        return folder
    warn(f"{folder}: the cache is not used: {reason} (mend that, or set PATCHGEN_CACHE)")
    import atexit

    from patchgen.sandbox.aside import Aside

    aside = Aside()
    atexit.register(_remove, aside, os.getpid())
    return aside.path


def _remove(aside: Aside, owner: int) -> None:
    if os.getpid() == owner:  # a fork that ends leaves it to the process that made it
        aside.close()


def _distrust(folder: Path) -> str:
    """Why a folder's contents are not believed; "" where they are, or where there are none."""
    try:
        state = folder.stat()
    except OSError:
        return ""
    if state.st_uid != os.geteuid():
        return "it is not yours"
    return "others can write it" if state.st_mode & _OTHERS else ""


def home_dir() -> Path:
    """``$XDG_CACHE_HOME/patchgen``, else ~/.cache/patchgen: what PATCHGEN_CACHE does not move.

    UserError: nobody says where that is.
    """
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else _home(os.environ.get("HOME")) / ".cache") / "patchgen"


@functools.cache
def _home(said: str | None) -> Path:
    """Looked up once: where HOME does not say it, a confined worker cannot read passwd(5)."""
    try:
        return Path.home()
    except RuntimeError:
        raise UserError("this user has no home folder", hint=_ELSEWHERE) from None


def digest(*parts: bytes | str) -> str:
    """Hex digest (BLAKE2b, 20 bytes) of the parts; their borders count."""
    import hashlib  # with all of OpenSSL: not for `patchgen --version`

    state = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


def recall(kind: str, key: str, type: type[T] | Any) -> T | Any | None:
    """The value that was stored under ``key`` in the folder ``kind``, or None."""
    data = read(kind, key)
    return None if data is None else decoded(data, type)


def remember(kind: str, key: str, value: Any) -> None:
    """Store a value of a type that msgspec encodes."""
    write(kind, key, msgspec.msgpack.encode(value))


def decoded(data: bytes, type: type[T] | Any) -> T | Any | None:
    """The value that some bytes encode; None where they do not."""
    try:
        return msgspec.msgpack.decode(data, type=type)
    except _UNDECODABLE:
        return None


def read(kind: str, key: str) -> bytes | None:
    """The cached bytes of ``key`` in the folder ``kind``, or None.

    That they were used is noted at the entry, once an hour: upkeep removes the longest unused.
    """
    file = cache_dir() / kind / key[:2] / key
    found = private_file(file, _LIMIT)
    if found is None:
        return None
    used(file, found.stamp[1])
    return _unsealed(found.data, f"{kind}/{key}")


def write(kind: str, key: str, data: bytes) -> None:
    """Store ``data``; a cache that cannot be written is passed over."""
    target = cache_dir() / kind / key[:2] / key
    with contextlib.suppress(OSError):
        write_sealed(target, f"{kind}/{key}", data)
        tally(len(data))


def used(place: Path, before: int = 0) -> None:
    """Note at an entry, last used at ``before`` (ns), that it is used now."""
    if before < time.time_ns() - _HOUR:
        with contextlib.suppress(OSError):
            os.utime(place)


def tally(size: int) -> None:
    """Note that ``size`` bytes more are in the cache."""
    global wrote
    wrote = True
    with contextlib.suppress(OSError):
        lock.append(cache_dir() / TALLY, b"%d\n" % size)


def hold() -> int | None:
    """Keep others from removing folders of the cache, until this process ends.

    The descriptor of the lock; None where none can be had: nobody else can write there, too.
    """
    global _held
    if _held is None:
        with contextlib.suppress(OSError):
            _held = lock.held(cache_dir() / _IN_USE)
    return _held


def read_sealed(file: Path, name: str) -> bytes | None:
    """What :func:`write_sealed` put into a file under ``name``, or None.

    None, too, where the file is not the user's own, or others can write it.
    """
    found = private_file(file, _LIMIT)
    return None if found is None else _unsealed(found.data, name)


def _unsealed(data: bytes, name: str) -> bytes | None:
    seal, data = data[:_SEAL], data[_SEAL:]
    return data if seal == _seal(name, data) else None


def write_sealed(file: Path, name: str, data: bytes) -> None:
    """Write ``data`` so that :func:`read_sealed` knows it again.  OSError: it cannot be."""
    write_atomic(file, _seal(name, data) + data)


_SEAL = 20


def _seal(name: str, data: bytes) -> bytes:
    import hashlib

    state = hashlib.blake2b(f"{VERSION} {name}\0".encode(), digest_size=_SEAL)
    state.update(data)
    return state.digest()


def write_atomic(target: Path, data: bytes) -> None:
    """Write aside in the same folder, then rename over ``target``."""
    import tempfile

    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
