# SPDX-License-Identifier: GPL-2.0-only
"""``make build-test``: gcc builds the touched objects of the series after every patch.

defconfig plus KVM and KSM, out of tree, on a copy of the tree in a git repository of
its own to which `git am` applies the mails.  Takes some minutes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from patchgen.tree.registry import resolve

OBJECTS = ("virt/kvm/kvm_main.o", "mm/ksm.o", "mm/memory.o")
OPTIONS = ("VIRTUALIZATION", "KVM", "KVM_INTEL", "KVM_AMD", "KSM", "TRANSPARENT_HUGEPAGE",
           "MIGRATION", "UPROBES")  # fmt: skip


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command; its last lines and an exit when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-15:]
        sys.exit("\n".join([f"failed: {' '.join(command)}", *said]))
    return done.stdout


def main() -> None:
    """Copy, commit, generate, then build after each `git am`."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tree", default="5.10")
    options = arguments.parse_args()
    tree = resolve(options.tree)
    with tempfile.TemporaryDirectory(prefix="patchgen-build-") as name:
        folder = Path(name)
        source, out, mails = folder / "src", folder / "obj", folder / "mails"
        shutil.copytree(tree.path, source, symlinks=True)
        git = ("git", "-C", str(source), "-c", "user.name=t", "-c", "user.email=t@example.org")
        for command in (("init", "-q"), ("add", "-A", "-f"), ("commit", "-q", "-m", "base")):
            run(*git, *command)
        run(sys.executable, "-m", "patchgen", "generate", "kvm-change-pte", "--tree",
            str(tree.path), "-o", str(mails))  # fmt: skip
        make = ("make", "-C", str(source), f"O={out}", "-s", f"-j{jobs()}")
        run(*make, "x86_64_defconfig")
        enable = [word for option in OPTIONS for word in ("-e", option)]
        run(str(source / "scripts/config"), "--file", str(out / ".config"), *enable)
        run(*make, "olddefconfig")
        run(*make, "prepare", "modules_prepare")
        for number, mail in enumerate([None, *sorted(mails.glob("000[1-9]-*.patch"))]):
            if mail is not None:
                run(*git, "am", "-q", str(mail))
            targets = ["mm/ksm.o", "mm/memory.o", "arch/x86/kvm/"]
            run(*make, *targets)
            built = sorted(
                str(path.relative_to(out))
                for path in out.rglob("*.o")
                if str(path.relative_to(out)).endswith(OBJECTS)
            )
            print(f"{number}: {mail.name if mail else 'the tree as it is'}: {', '.join(built)}")
            if len(built) != len(OBJECTS):
                sys.exit("an object is missing")
    print("every object was built after every patch")


def jobs() -> int:
    """Processors that may be used."""
    import os

    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    main()
