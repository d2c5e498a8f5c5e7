# SPDX-License-Identifier: GPL-2.0-only
"""A kernel's source archive becomes a folder, in one stream and nowhere else.

The archive in Debian's package is read out of it, decompressed and unpacked in
one pipe, so no second copy lies on the disk.  Nothing is written outside the
target folder: GNU tar refuses ``..`` and writing through links.  Whether the
result may be used is for :func:`survey` to say, once it is whole.
"""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from patchgen.model.outcome import UserError
from patchgen.sandbox import child, look

_CHUNK = 1 << 20
_TAR = ("tar", "--extract", "--file=-", "--no-same-owner", "--no-same-permissions")


def unpack_deb(deb: Path, archive: str, into: Path, report: child.Report = child.silent) -> None:
    """Unpack the member ``archive`` (``NAME.tar.xz``) of a package as ``into``.

    ``into`` must not exist; on an error the folder ``<into>.unpacking`` may be
    left, which the caller removes.  Raises UserError on a faulty package or one
    that would write elsewhere.
    """
    with (
        tempfile.TemporaryFile() as said,
        child.started(
            ["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, stderr=said
        ) as package,
    ):
        assert package.stdout is not None
        try:
            with tarfile.open(fileobj=package.stdout, mode="r|") as members:
                for member in members:
                    if Path(member.name).name == archive and member.isfile():
                        inner = members.extractfile(member)
                        assert inner is not None
                        unpack_stream(inner, member.size, into, report)
                        return
        except (tarfile.TarError, EOFError) as error:
            detail = _last_line(child.tail(said)) or str(error)
            raise UserError(f"not a usable package: {detail}", str(deb)) from None
    raise UserError(f"the package has no {archive}", str(deb))


def unpack_stream(
    packed: IO[bytes], size: int, into: Path, report: child.Report = child.silent
) -> None:
    """Unpack ``size`` bytes of a .tar.xz, which holds one folder, as ``into``."""
    aside = into.with_name(into.name + ".unpacking")
    aside.mkdir(parents=True)
    with tempfile.TemporaryFile() as said:
        try:
            status = _feed(packed, size, [*_TAR, f"--directory={aside}"], said, report)
        except (tarfile.TarError, EOFError, lzma.LZMAError) as error:
            raise UserError(f"the source archive is damaged: {error}") from None
        if status:
            detail = _last_line(child.tail(said)) or f"tar ended with status {status}"
            raise UserError(f"cannot unpack the source archive: {detail}")
    tops = [aside / name for name in look.names(aside)]
    if len(tops) != 1 or look.kind(tops[0]) != "folder":
        names = ", ".join(sorted(top.name for top in tops)[:3]) or "nothing"
        raise UserError(f"the source archive should hold one folder, but has {names}")
    tops[0].rename(into)
    aside.rmdir()


def survey(root: Path) -> int:
    """The bytes in all files below ``root``.

    Raises UserError at the first link that leads out of the tree, and at the
    first file that is neither plain nor a folder nor a link.
    """
    total = 0
    top = os.path.realpath(root)
    for entry in look.below(top):
        if entry.kind == "link":
            _check_link(top, f"{top}/{entry.path}")
        elif entry.kind == "other":
            raise UserError("the tree holds a device, socket or pipe", entry.path)
        elif entry.kind == "file":
            total += entry.size
    return total


def remove(folder: Path) -> None:
    """Remove a folder and all below it, unreadable folders included."""
    shutil.rmtree(folder, onerror=_make_removable)


def _check_link(top: str, link: str) -> None:
    target = look.link_target(Path(link))
    real = os.path.realpath(link)
    if target.is_absolute() or not (real == top or real.startswith(top + "/")):
        raise UserError(f"a link leads out of the tree, to {target}", os.path.relpath(link, top))


def _feed(
    packed: IO[bytes], size: int, tar: list[str], said: IO[bytes], report: child.Report
) -> int:
    """Pump the compressed bytes through xz into tar; the first failing exit status."""
    if shutil.which("xz") is None:
        with child.started(tar, stdin=subprocess.PIPE, stderr=said) as unpacker:
            _pump(packed, size, unpacker, report, lzma.LZMADecompressor())
            return unpacker.wait()
    with child.started(
        # Debian compresses newer kernels in blocks, which xz can decode in parallel.
        ["xz", "--decompress", "--stdout", "--threads=0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
    ) as decoder:
        assert decoder.stdout is not None
        with child.started(tar, stdin=decoder.stdout, stderr=said) as unpacker:
            decoder.stdout.close()
            _pump(packed, size, decoder, report, None)
            return unpacker.wait() or decoder.wait()


def _pump(
    packed: IO[bytes],
    size: int,
    sink: subprocess.Popen[bytes],
    report: child.Report,
    decoder: lzma.LZMADecompressor | None,
) -> None:
    assert sink.stdin is not None
    done = 0
    try:
        while chunk := packed.read(_CHUNK):
            done += len(chunk)
            sink.stdin.write(decoder.decompress(chunk) if decoder else chunk)
            report("unpacking", done, size)
        sink.stdin.close()
    except BrokenPipeError:
        # The reader's exit status and message tell why.
        return
    if done != size:
        raise EOFError(f"{done} of {size} bytes")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else ""


def _make_removable(function: object, path: str, error: object) -> None:
    """A folder without write permission, or one that an orphan still fills."""
    try:
        for folder in (Path(path).parent, Path(path)):
            if look.kind(folder) == "folder":
                folder.chmod(0o700)
        if look.kind(path) == "folder":
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)
    except OSError:
        return
