# SPDX-License-Identifier: GPL-2.0-only
"""Applying ten patches on a tree of 78,635 files, beside git am in a sparse checkout.

Run by ``make bench``, or alone: ``python -m tests.verify.bench_apply``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from patchgen.series.read.read import read_series
from patchgen.series.write.cover import Cover, Section
from patchgen.series.write.headers import MailOptions
from patchgen.series.write.write import write_series
from patchgen.verify.apply import apply_series
from tests.series.conftest import OLD, committed, plain_git

FILES = 78_635
ROUNDS = 5
MAIL_MB = 50


def make_tree(root: Path) -> None:
    """A git checkout's repository with as many files as a kernel, in its shape."""
    root.mkdir()
    plain_git(root, "init", "-q")
    stream = [b"commit refs/heads/main\ncommitter a <a@b> 1 +0000\ndata 1\nb\n"]
    for number in range(FILES - 2):
        path = f"drivers/d{number % 97}/e{number % 911}/f{number}.c"
        text = f"int f{number};\n".encode()
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text))
    for name in ("a", "b"):
        stream.append(b"M 100644 inline mm/%s.c\ndata %d\n%s\n" % (name.encode(), len(OLD), OLD))
    plain_git(root, "fast-import", "--quiet", stdin=b"".join(stream))
    plain_git(root, "symbolic-ref", "HEAD", "refs/heads/main")
    (root / "mm").mkdir()
    for name in ("a", "b"):
        (root / f"mm/{name}.c").write_bytes(OLD)


def sparse_am(root: Path, mails: Path, work: Path) -> None:
    """What a careful user does by hand: a sparse checkout that borrows the objects."""
    plain_git(root, "clone", "-q", "--shared", "--no-checkout", str(root), str(work))
    plain_git(work, "sparse-checkout", "set", "--no-cone", "/mm/a.c", "/mm/b.c", "/mm/new.h")
    plain_git(work, "checkout", "-q")
    plain_git(work, "am", "-q", *(str(file) for file in sorted(mails.glob("*[1-9]-mm*"))))


def median(run: Callable[[int], object]) -> float:
    times = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        run(number)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def big_mail(path: Path) -> None:
    """A mail of 50 MB that creates one file."""
    line = b"+" + b"x" * 63 + b"\n"
    count = (MAIL_MB << 20) // len(line)
    head = b"From: A <a@example.org>\nDate: Tue, 14 Nov 2023 10:00:00 +0000\nSubject: [PATCH] x\n"
    diff = b"\nBig.\n---\n\ndiff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n"
    path.write_bytes(head + diff + b"@@ -0,0 +1,%d @@\n" % count + line * count)


_BIG = """
import resource, sys
from pathlib import Path
from patchgen.series.read import read_series
from patchgen.verify.apply import apply_series
assert apply_series(Path(sys.argv[1]), read_series(sys.argv[2])).ok
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def main() -> None:
    """Print the figures; exit 1 when a target is missed."""
    with tempfile.TemporaryDirectory(prefix="patchgen-bench-") as name:
        folder = Path(name)
        root, mails = folder / "linux", folder / "mails"
        make_tree(root)
        cover = Cover("Ten patches", (Section("", "Text."),))
        write_series(committed(root, 10), cover, MailOptions(), mails)
        ours = median(lambda _: apply_series(root, read_series(mails)))
        theirs = median(lambda number: sparse_am(root, mails, folder / f"work{number}"))
        print(f"10 patches on {FILES} files, median of {ROUNDS}, wall seconds")
        print(f"  read and apply in isolation       {ours:7.3f}")
        print(f"  git am in a sparse checkout       {theirs:7.3f}")
        print(f"  ratio                             {ours / theirs:7.3f}   target <= 0.200")
        big_mail(folder / "big.patch")
        begun = time.perf_counter()
        command = [sys.executable, "-c", _BIG, str(root), str(folder / "big.patch")]
        peak = int(subprocess.run(command, capture_output=True, check=True).stdout)
        seconds = time.perf_counter() - begun
        print(f"a mail of {MAIL_MB} MB: peak {peak} MB, {seconds:.1f} s")
    if ours > theirs / 5:
        sys.exit(1)


if __name__ == "__main__":
    main()
