# SPDX-License-Identifier: GPL-2.0-only
"""Where files are read and programs started: in ``sandbox/``, and where this file says why not.

Trees, mails, configurations and caches come from strangers; one reader bounds them all.
What opens a file, looks at one, lists a folder or starts a program elsewhere is found here
in the syntax trees.  ``python -m tests.reads`` names each; exit status 1 where one is neither
in ``sandbox/`` nor in :data:`EXCEPTIONS`, or where an exception has nothing left to except.
Resolving a path (``realpath()``, ``resolve()``) reads nothing of what it leads to.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1] / "patchgen"
HOME = "sandbox/"

#: Called on anything: methods of Path, of files in a package, of folder entries.
METHODS = frozenset(
    "open read_text read_bytes exists is_file is_dir is_symlink is_fifo is_socket is_mount"
    " is_block_device is_char_device is_junction iterdir glob rglob stat lstat readlink samefile"
    " link_to hardlink_to".split()
)
#: Of modules.  A name with nothing behind the dot: all of the module.
FUNCTIONS = {
    "builtins": frozenset({"open"}),
    "io": frozenset({"open", "open_code", "FileIO"}),
    "os": frozenset(
        "open stat lstat listdir scandir walk fwalk readlink access system popen"
        " posix_spawn posix_spawnp execv execve execvp execvpe execl execle execlp"
        " spawnv spawnve spawnvp spawnl spawnlp startfile mkfifo".split()
    ),
    "os.path": frozenset(
        "exists lexists isfile isdir islink ismount getsize getmtime getatime getctime"
        " samefile".split()
    ),
    "subprocess": frozenset(
        "Popen run call check_call check_output getoutput getstatusoutput".split()
    ),
    "tarfile": frozenset({"open", "TarFile"}),
    "zipfile": frozenset({"ZipFile"}),
    "shutil": frozenset("copy copy2 copyfile copytree move unpack_archive".split()),
    "asyncio": frozenset({"create_subprocess_exec", "create_subprocess_shell"}),
}
#: Modules that open files themselves: whatever is called of them.
MODULES = frozenset(
    "codecs fileinput linecache glob mailbox mmap gzip bz2 shelve dbm sqlite3"
    " ctypes.util pty runpy".split()
)

Exceptions = Mapping[tuple[str, str], str]

_OWN = "this package's own data, found by walking it"
_LOG = "written: what a program says, into a folder that this run holds"
#: (module, what it calls) → why that is no read of what strangers wrote.
EXCEPTIONS: Exceptions = {
    ("boot/build.py", ".open"): _LOG,
    ("boot/initramfs.py", ".open"): _LOG,
    ("boot/initramfs.py", ".read_bytes"): _OWN,
    ("boot/machine.py", ".open"): _LOG,
    ("cli/streams.py", "os.open"): "the null device, in place of a closed stream",
    ("cli/streams.py", "open"): "standard input, by its descriptor",
    ("kbuild/folder.py", ".open"): "a lock in the cache; nothing is read",
    ("kbuild/objects.py", ".open"): _LOG,
    ("kernel/api/descriptor.py", ".glob"): _OWN,
    ("kernel/api/descriptor.py", ".read_text"): _OWN,
    ("kernel/knowledge.py", ".open"): _OWN,
    ("kernel/locks.py", ".read_bytes"): _OWN,
    ("memo.py", ".stat"): "whose the cache folder is: before anything in it is read",
    ("recipes/base.py", ".rglob"): _OWN,
    ("recipes/base.py", ".read_text"): _OWN,
    ("recipes/mmu_notifier/v05_sites.py", ".read_text"): _OWN,
    ("source/config/overlay.py", ".glob"): _OWN,
    ("source/config/overlay.py", ".stat"): _OWN,
    ("source/facts/store.py", "os.walk"): _OWN,
    ("source/facts/store.py", ".read_bytes"): _OWN,
    ("source/tree/fetch.py", ".open"): "a lock beside the fetched trees; nothing is read",
    ("source/tree/unpack.py", "tarfile.open"): "a stream of a package that Debian signed",
}


class Read(ast.NodeVisitor):
    """Collects the calls of one module: ``(line, what)``."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self._modules: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._modules[name.asname or name.name.partition(".")[0]] = (
                name.name if name.asname else name.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            self._names[name.asname or name.name] = f"{node.module}.{name.name}"

    def visit_Name(self, node: ast.Name) -> None:
        full = self._names.get(node.id, "builtins.open" if node.id == "open" else "")
        if isinstance(node.ctx, ast.Load) and _forbidden(full):
            self.found.append((node.lineno, full.removeprefix("builtins.")))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        full = self._full(node)
        if _forbidden(full):
            self.found.append((node.lineno, full))
        elif full.startswith("pathlib.") and node.attr in METHODS:  # handed on, not called
            self.found.append((node.lineno, f".{node.attr}"))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self._full(node.value) != "subprocess.Popen":  # a type, not a start
            self.visit(node.value)
        self.visit(node.slice)

    def visit_Call(self, node: ast.Call) -> None:
        method = node.func
        if isinstance(method, ast.Attribute) and method.attr in METHODS:
            full = self._full(method)
            if not _forbidden(full) and not full.startswith(("pathlib.", "patchgen.")):
                self.found.append((node.lineno, f".{method.attr}"))
        self.generic_visit(node)

    def _full(self, node: ast.expr) -> str:
        """The dotted name from the top, as far as imports tell; "" for what is no name."""
        if isinstance(node, ast.Attribute):
            before = self._full(node.value)
            return f"{before}.{node.attr}" if before else ""
        if isinstance(node, ast.Name):
            return self._modules.get(node.id) or self._names.get(node.id, "")
        return ""


def _forbidden(full: str) -> bool:
    module, _, name = full.rpartition(".")
    return name in FUNCTIONS.get(module, ()) or module in MODULES


def reads_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of everything in a module that reads, looks or starts a program."""
    visitor = Read()
    tree = ast.parse(source)
    for node in ast.walk(tree):  # imports within functions count in all of the module
        if isinstance(node, ast.Import):
            visitor.visit_Import(node)
        elif isinstance(node, ast.ImportFrom):
            visitor.visit_ImportFrom(node)
    visitor.visit(tree)
    yield from sorted(set(visitor.found))


def wrong(root: Path = ROOT, exceptions: Exceptions = EXCEPTIONS) -> list[str]:
    """A line for each read that is not where it belongs, and for each idle exception."""
    said: list[str] = []
    used: set[tuple[str, str]] = set()
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if path.startswith(HOME):
            continue
        for line, what in reads_of(file.read_text("utf-8")):
            if (path, what) in exceptions:
                used.add((path, what))
            else:
                said.append(f"{root.name}/{path}:{line}: {what}: belongs into sandbox/")
    idle = [one for one in exceptions if one not in used]
    return said + [f"tests/reads.py: {path}: {what}: nobody needs it" for path, what in idle]


def main() -> None:
    """Print what is wrong; exit status 1 where something is."""
    found = wrong()
    for line in found:
        print(line)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
