# SPDX-License-Identifier: GPL-2.0-only
"""Local sources of kernel trees: a git repository and a signed Debian archive."""

from __future__ import annotations

import hashlib
import lzma
import os
import random
import shutil
import subprocess
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

PACKAGE = "linux-source-5.10"
LIST = """
git = "{git}"
[tree."5.10"]
tag = "v5.10.262"
debian = {{ package = "linux-source-5.10", suites = ["bullseye"] }}
"""


def run(*argv: str | Path, **kw) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(word) for word in argv], check=True, capture_output=True, **kw)


def make_kernel(root: Path, version: str = "5.10.262", files: int = 20) -> Path:
    """A folder that passes for a kernel's, with ``files`` incompressible files."""
    numbers = version.split(".")
    lines = zip(("VERSION", "PATCHLEVEL", "SUBLEVEL"), numbers, strict=True)
    (root / "mm").mkdir(parents=True)
    (root / "Makefile").write_text("".join(f"{key} = {value}\n" for key, value in lines))
    (root / "mm" / "Kconfig").symlink_to("../Makefile")
    noise = random.Random(files)
    for number in range(files):
        (root / "mm" / f"file{number}.c").write_bytes(noise.randbytes(8192))
    return root


def make_git(root: Path, kernel: Path, tag: str = "v5.10.262") -> str:
    """A repository with the kernel's folder under ``tag``; its URL."""
    shutil.copytree(kernel, root, symlinks=True)
    git = ("git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@example.org")
    run(*git, "init", "-q")
    run(*git, "add", ".")
    run(*git, "commit", "-qm", "Linux")
    run(*git, "tag", "-a", "-m", tag, tag)
    return f"file://{root}"


def pack(kernel: Path, archive: Path, top: str = PACKAGE) -> Path:
    """The kernel's folder as a .tar.xz with the one folder ``top``."""
    rename = f"--transform=flags=rSH;s,^{kernel.name},{top},"
    made = run("tar", "-cf", "-", "-C", kernel.parent, rename, kernel.name)
    archive.write_bytes(lzma.compress(made.stdout))
    return archive


def make_deb(deb: Path, archive: Path) -> Path:
    """A Debian package that holds the archive as usr/src/<PACKAGE>.tar.xz."""
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "DEBIAN" / "control"
        control.parent.mkdir(mode=0o755)
        control.write_text(_control())
        (Path(folder) / "usr" / "src").mkdir(parents=True)
        shutil.copy(archive, Path(folder) / "usr" / "src" / f"{PACKAGE}.tar.xz")
        run("dpkg-deb", "--build", "--root-owner-group", "-Znone", folder, deb)
    return deb


def make_archive(root: Path, deb: Path, suite: str = "bullseye") -> Path:
    """A Debian archive below ``root``, signed; its public keyring."""
    pool = root / "pool"
    pool.mkdir(parents=True)
    name = f"{PACKAGE}_5.10.262-1_all.deb"
    shutil.copy(deb, pool / name)
    data = deb.read_bytes()
    arch = run("dpkg", "--print-architecture").stdout.decode().strip()
    listed = root / "dists" / suite / "main" / f"binary-{arch}" / "Packages"
    listed.parent.mkdir(parents=True)
    listed.write_text(
        f"{_control()}Filename: pool/{name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )
    packages = listed.read_bytes()
    entry = f" {hashlib.sha256(packages).hexdigest()} {len(packages)}"
    release = root / "dists" / suite / "Release"
    release.write_text(
        f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\n"
        f"Date: {formatdate(usegmt=True)}\nArchitectures: {arch}\nComponents: main\n"
        f"SHA256:\n{entry} main/binary-{arch}/Packages\n"
    )
    return _sign(release, root / "keyring.gpg")


def _control() -> str:
    return (
        f"Package: {PACKAGE}\nVersion: 5.10.262-1\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.org>\nDescription: a kernel's source\n"
    )


def _sign(release: Path, keyring: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="gpg") as home:
        gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
        run(*gpg, "--quick-gen-key", "archive <a@example.org>", "rsa2048", "sign", "never")
        run(*gpg, "--clearsign", "-o", release.with_name("InRelease"), release)
        run(*gpg, "--export", "-o", keyring)
        run("gpgconf", "--homedir", home, "--kill", "all")
    release.unlink()
    return keyring


def snapshot(root: Path) -> dict[str, bytes]:
    """Path and content of every file and link below ``root``, git's own left out."""
    found: dict[str, bytes] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            path = Path(folder) / name
            link = path.is_symlink()
            found[str(path.relative_to(root))] = (
                str(path.readlink()).encode() if link else path.read_bytes()
            )
    return found


def children_of(place: Path) -> list[str]:
    """Command lines of processes that still work on the place, after a short wait."""
    for _ in range(50):
        alive = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = entry.read_bytes()
            except OSError:
                continue
            if os.fsencode(place / "trees") in line:
                alive.append(line.replace(b"\0", b" ").decode())
        if not alive:
            return []
        time.sleep(0.1)
    return alive
