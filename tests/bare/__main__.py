# SPDX-License-Identifier: GPL-2.0-only
"""``make bare-test``: `make run` and `make test` on bare machines.

Minimal Debian 12 and 13 roots with git, make, python3 and python3-venv, and the same
with gcc; in each an ordinary user clones HEAD and runs both commands, on a terminal of
a usual kind and on a dumb one.  The roots and pip's downloads are kept; `make run`
fetches its kernel anew in every root, the other kernels are this machine's where it has
them, seen read-only.  ``BARE=debian-13`` (or more words) tries those roots only,
``BARE="debian-13 --only run"`` one command, ``--term dumb`` one terminal, and
``BARE="debian-13 --ci"`` what CI does, as root with Debian's packages.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.source.tree import registry
from tests.bare import host
from tests.bare.roots import KINDS, ROOT, USER, Kind, Mount, Person, folder, root_of, run

REPOSITORY = Path(__file__).resolve().parents[2]
#: The tree that `make run` works on, which is fetched in the root itself.
RUN_TREE = "5.10"
TERMS = ("xterm-256color", "dumb")
_TREES = ".cache/patchgen/trees"
#: What begins a line anew on a terminal, and what only colours it or moves the cursor.
_ANEW = re.compile(rb"\r|\x1b\[[0-9]*K")
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def main() -> int:
    """Try what the arguments name; 0 when every command passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="ROOT", help=", ".join(k.name for k in KINDS))
    parser.add_argument("--only", choices=("run", "test"))
    parser.add_argument("--term", choices=TERMS)
    parser.add_argument("--fetch", action="store_true", help="fetch every kernel in the root")
    parser.add_argument("--ci", action="store_true", help=".ci/run instead of both, as root")
    parser.add_argument("--command", help="another command, in the clone, instead of both")
    chosen = parser.parse_args()
    unknown = set(chosen.kinds) - {kind.name for kind in KINDS}
    if unknown:
        parser.error(f"no such root: {', '.join(sorted(unknown))}")
    if chosen.ci or chosen.command:
        commands = [chosen.command or "bash .ci/run"]
    else:
        commands = [f"make {goal}" for goal in ("run", "test") if chosen.only in (None, goal)]
    terms = [term for term in TERMS if chosen.term in (None, term)]
    failed = 0
    for kind in KINDS:
        if not chosen.kinds or kind.name in chosen.kinds:
            failed += tried(kind, ROOT if chosen.ci else USER, commands, terms, chosen.fetch)
    return 1 if failed else 0


def tried(kind: Kind, person: Person, commands: list[str], terms: list[str], fetch: bool) -> int:
    """Run the commands in a clean clone in a root, and print how each ended; the failures."""
    root = root_of(kind)
    print(f"{kind.name}: {release(root)}; {', '.join(kind.packages)}", flush=True)
    logs = folder() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    failed = 0
    with home(person, fetch) as mounts:
        for term in terms:
            environment = {**host.environment(), "TERM": term, "PIP_CACHE_DIR": "/var/cache/pip"}
            for command in commands:
                log = logs / f"{kind.name}-{term}-{re.sub(r'[^a-z]+', '-', command)[:40]}.log"
                began = time.monotonic()
                with log.open("wb") as file:
                    status = run(
                        root, person, mounts, environment, f"cd patchgen && {command}", file
                    )
                seconds = time.monotonic() - began
                said = plain(log)
                how = "passes" if status == 0 else f"FAILS (status {status})"
                print(f"  TERM={term}  {command}  {how}, {seconds:.0f} s: {said[-1]}", flush=True)
                for line in said[-30:] if status else skips(said):
                    print(f"    {line}", flush=True)
                failed += status != 0
    print(f"  all that they said: {logs}/{kind.name}-*.log", flush=True)
    return failed


def skips(said: list[str]) -> list[str]:
    """How many tests were skipped for each reason, by pytest's own lines."""
    count: Counter[str] = Counter()
    for line in said:
        if match := re.fullmatch(r"SKIPPED \[(\d+)\] \S+: (.*)", line):
            count[match[2]] += int(match[1])
    return [f"{number} skipped: {reason}" for reason, number in count.most_common()]


@contextmanager
def home(person: Person, fetch: bool) -> Iterator[list[Mount]]:
    """A home with a clean clone of HEAD, and what else a root is to see of this machine."""
    work = Path(tempfile.mkdtemp(prefix="run-", dir=folder()))
    user, temporary, downloads = work / "home", work / "tmp", folder() / "pip"
    try:
        trees = user / _TREES
        for place in (trees, temporary, downloads):
            place.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o1777)
        clone = ["git", "clone", "-q", "--no-local", str(REPOSITORY), str(user / "patchgen")]
        subprocess.run(clone, check=True)
        names = [] if fetch else [name for name in registry.load().tree if name != RUN_TREE]
        places = [registry.fetched(name, source) for name in names for source in registry.SOURCES]
        shared = [place.parent for place in places if place.is_dir()]
        for place in shared:
            (trees / place.name).mkdir()
        owned = ["chown", "-R", f"{person.uid}:{person.uid}", str(user), str(temporary)]
        subprocess.run([*owned, str(downloads)], check=True)
        yield [
            Mount(user, person.home, True),
            Mount(temporary, "/tmp", True),
            Mount(downloads, "/var/cache/pip", True),
            *(Mount(place, str(place)) for place in host.shown()),
            *(Mount(place, f"{person.home}/{_TREES}/{place.name}") for place in shared),
        ]
    finally:
        # A kernel among it: 80,000 files.
        subprocess.run(["rm", "-rf", str(work)], check=True)


def plain(log: Path) -> list[str]:
    """The lines of a log without a terminal's codes; at least one."""
    said = _CONTROL.sub(b"", _ANEW.sub(b"\n", log.read_bytes()))
    lines = said.decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()] or ["(it said nothing)"]


def release(root: Path) -> str:
    """Debian's own number, and the Python that is there."""
    version = (root / "etc/debian_version").read_text().strip()
    (python,) = (root / "usr/bin").glob("python3.[0-9]*[0-9]")
    return f"Debian {version}, {python.name}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
