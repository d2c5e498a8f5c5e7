# SPDX-License-Identifier: GPL-2.0-only
"""The real flags of a built tree: compile_commands.json or Kbuild's .cmd files."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

from patchgen.outcome import UserError

_DROPPED = re.compile(
    r"-f(?:no-)?(?:conserve-stack|allow-store-data-races|stack-clash-protection|ipa-.*|"
    r"partial-inlining|reorder-.*|tree-.*|plugin.*|code-hoisting|var-tracking.*|gcse.*|merge-.*|"
    r"delete-null.*|patchable-function.*|min-function-alignment.*|diagnostics.*|macro-prefix-map.*|"
    r"file-prefix-map.*|sanitize.*|profile.*|cf-protection.*|zero-call-used-regs.*|strict-flex.*)"
    r"|-m(?:indirect-branch.*|function-return.*|preferred-stack-boundary.*|record-mcount|nop-mcount|"
    r"no-fp-ret-in-387|skip-rax-setup|fentry|harden-sls.*|abi=altivec|no-string|call-aixdesc|"
    r"packed-stack|warn-.*|stack-protector.*|no-fdpic|branch-protection.*)"
    r"|-W.*|-g.*|-O.*|-c|-S|--param=?.*|-p?g?pg|-M[MDPTF]*|-Wp,.*|-Wa,.*|-pipe|-quiet"
)
_WITH_ARGUMENT = frozenset(("-o", "-MF", "-MT", "-MQ", "--param", "-x", "-Xassembler"))


def build_flags(root: Path, path: str, build_dir: Path | None) -> list[str] | None:
    """libclang arguments for ``path`` from ``build_dir`` or the tree itself, or None.

    None: nothing there was built, or it knows no such file.  UserError: ``build_dir``
    was given and has no flags at all, or compile_commands.json is not readable.
    """
    place = build_dir or root
    database = place / "compile_commands.json"
    if database.is_file():
        found = _from_database(database, root, path)
        if found is not None:
            return found
    command = _saved_command(place, path)
    if command is not None:
        return _cleaned(shlex.split(command), place)
    if build_dir is None:
        return None
    if not build_dir.is_dir():
        raise UserError("no such build folder", str(build_dir), "give --build-dir a kernel build")
    if not database.is_file() and not (build_dir / "include/generated/autoconf.h").is_file():
        raise UserError(
            "neither compile_commands.json nor a configured kernel build is here", str(build_dir)
        )
    return None


def _from_database(database: Path, root: Path, path: str) -> list[str] | None:
    try:
        entries = json.loads(database.read_text(encoding="utf-8", errors="replace"))
        wanted = os.path.realpath(root / path)
        for entry in entries:
            folder = entry["directory"]
            if os.path.realpath(Path(folder, entry["file"])) == wanted:
                words = entry.get("arguments") or shlex.split(entry["command"])
                return _cleaned([str(word) for word in words], Path(folder))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"not a compilation database: {error}", str(database)) from None
    return None


def _saved_command(place: Path, path: str) -> str | None:
    """The command that Kbuild left beside the object file."""
    source = Path(path)
    candidates = [place / source.parent / f".{source.stem}.o.cmd"]
    if path.startswith("virt/kvm/"):
        candidates += place.glob(f"arch/*/kvm/../../../virt/kvm/.{source.stem}.o.cmd")
    for file in candidates:
        if file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            match = re.search(r"^(?:saved)?cmd_\S+ := (.*)$", text, re.M)
            if match:
                return match[1].replace("$(pound)", "#").partition(" ; ")[0]
    return None


def _cleaned(words: list[str], folder: Path) -> list[str]:
    """The command without compiler, files and what clang does not know; paths absolute."""
    base = os.path.realpath(folder)
    out: list[str] = []
    index = 1
    while index < len(words):
        word = words[index]
        index += 1
        if word in _WITH_ARGUMENT:
            index += 1
        elif word in ("-I", "-include", "-isystem", "-idirafter", "-D", "-U") and index < len(
            words
        ):
            value = words[index]
            index += 1
            out += [word, value if word in ("-D", "-U") else str(Path(base, value))]
        elif word.startswith("-I"):
            out.append("-I" + str(Path(base, word[2:])))
        elif word.startswith("-") and not _DROPPED.fullmatch(word):
            out.append(word)
    return out
