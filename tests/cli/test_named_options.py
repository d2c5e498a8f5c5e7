# SPDX-License-Identifier: GPL-2.0-only
"""No message, help, template or document names an option that is not there.

A message can be printed by every command whose modules lead to it: an option that it
names must be one of each of them, unless the message names the commands that take it, or
comes only where the option was given.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from patchgen.cli import COMMANDS, group
from tests.conftest import REPOSITORY

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*|(?<![\w.@%/-])-[a-zA-Z]\b")
#: Programs of others, whose options are theirs; their words end with the sentence.
_OTHERS = re.compile(
    r"\b(git|diff|time|clang|checkpatch\.pl|gcc|ld|qemu-system-\w+|ssh|quilt|make|pip|python3?|apt)\b[^;()]*$"
)
#: Said only where the option itself was given.
_GIVEN = (
    r"^{0} (needs|does not know|goes with|signs|names one|takes a single)",
    r"leave {0} out", r"neither {0} nor", r" nor {0}$",
)  # fmt: skip
#: (module, option): reached by commands without it, but not with this message.
_NOT_THERE = {
    ("series.write.recipients", "--to"): "asked for by generate --maintainers",
    ("series.write.recipients", "--cc"): "asked for by generate --maintainers",
    ("series.reroll.prepare", "--previous"): "said by generate --resend",
    ("commits.target", "--branch"): "WorkTree and find_target are am's",
    ("kbuild.objects", "--build-dir"): "said by verify --build",
    ("source.config.flags_build", "--build-dir"): "said where --build-dir was given",
    ("source.tree.fetch", "--from"): "said by tree add",
    ("source.tree.fetch_path", "--as"): "said by tree add --from",
    ("source.tree.link", "--as"): "said by tree add",
    **{("source.module.functions", f"-{letter}"): "uname's and pwd's" for letter in "rmsipP"},
    ("source.module.kernel", "-C"): "make's, in a Makefile",
    ("source.module.folder", "-y"): "kbuild's obj-y",
    ("source.module.folder", "-m"): "kbuild's obj-m",
    ("source.tree.registry", "--tree"): "said where --tree has its default",
    ("pipeline.prove", "--allow-undecided"): "said by generate, verify and am",
}


def options(command: click.Command) -> frozenset[str]:
    """All that a command takes, its subcommands' too."""
    found = {"-h", "--help", "--version"}
    for one in command.params:
        if isinstance(one, click.Option):
            found |= {*one.opts, *one.secondary_opts}
    if isinstance(command, click.Group) and command is not group:
        for below in command.commands.values():
            found |= options(below)
    return frozenset(found)


@functools.cache
def taken() -> dict[str, frozenset[str]]:
    return {
        name: options(importlib.import_module(f"patchgen.cli.{name}").command) for name in COMMANDS
    }


@functools.cache
def sources() -> dict[str, ast.Module]:
    """Module without ``patchgen.`` → its syntax."""
    root = REPOSITORY / "patchgen"
    return {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            file.read_text()
        )
        for file in root.rglob("*.py")
    }


@functools.cache
def imported(module: str) -> frozenset[str]:
    """Modules of ours that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(sources()[module]):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.removeprefix("patchgen.") for name in names if name.startswith("patchgen")}
    return frozenset(found & set(sources()))


@functools.cache
def reached(command: str) -> frozenset[str]:
    """The modules that a command leads to."""
    todo, found = [f"cli.{command}"], set()
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += imported(module)
    return frozenset(found)


def docstrings(tree: ast.Module) -> Iterator[int]:
    """What no run prints (those of rules and recipes, which explain shows, name none)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield id(first.value)


def texts(module: str) -> Iterator[str]:
    """The strings of a module that people may read; ``{}`` for what is filled in."""
    inner = set(docstrings(sources()[module]))
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in inner:
            yield node.value if isinstance(node.value, str) else ""


def faults(module: str, text: str, by: list[str]) -> Iterator[str]:
    """The options that ``text`` names, and that a command in ``by`` does not have."""
    for match in _OPTION.finditer(text):
        option, before = match[0], text[: match.start()]
        if _OTHERS.search(before) or (module, option) in _NOT_THERE:
            continue
        if any(re.search(form.format(option), text) for form in _GIVEN):
            continue
        named = re.search(r"patchgen (\w+)[^`]*$", before) or re.search(
            r"(\w+) and (\w+) take (?:--\w+ and )?$", before
        )
        commands = [one for one in named.groups() if one in COMMANDS] if named else []
        lack = [one for one in commands or by if option not in taken()[one]]
        if lack:
            yield f"{module}: {option} is no option of {', '.join(lack)}: {text!r}"


def argument_list(module: str, text: str) -> bool:
    """Whether a string is an argument for a program or a declaration of click's."""
    return text.startswith("-") and (" " not in text.strip() or "=%" in text)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_names_options_of_the_command(command):
    root = importlib.import_module(f"patchgen.cli.{command}").command
    todo = [root]
    while todo:
        one = todo.pop()
        todo += list(one.commands.values()) if isinstance(one, click.Group) else []
        said = [one.help or "", *(getattr(p, "help", None) or "" for p in one.params)]
        assert [f for text in said for f in faults(f"cli.{command}", text, [command])] == []


def test_messages_name_options_of_every_command_that_can_print_them():
    found = []
    for module in sources():
        if module.startswith("cli"):
            continue
        by = [command for command in COMMANDS if module in reached(command)]
        for text in texts(module):
            if not argument_list(module, text):
                found += faults(module, text, by)
    assert not found, "\n".join(found)


def test_a_message_with_an_option_that_its_command_lacks_is_seen():
    assert list(faults("x", "choose another with -o", ["lint"]))
    assert list(faults("x", "--force replaces it", ["inspect"]))
    assert list(faults("x", "--nonsense helps", ["lint"]))
    assert list(faults("x", "patchgen boot --nonsense", ["lint"]))
    assert list(faults("x", "verify and am take --signoff", ["lint"]))
    assert not list(faults("x", "git am --quoted-cr=strip takes it", ["lint"]))
    assert not list(faults("x", "verify and am take --allow x", ["prove"]))


def documents() -> list[Path]:
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


@pytest.mark.parametrize("file", documents(), ids=lambda file: file.name)
def test_documents_name_options_that_are_there(file):
    everything = frozenset().union(*taken().values())
    bad = []
    for line in file.read_text().splitlines():
        row = re.match(r"\| (`[^|]*) \|", line)
        here = [name for name in COMMANDS if row and re.search(rf"`{name}\b", row[1])]
        for match in _OPTION.finditer(line):
            option, before = match[0], line[: match.start()]
            if len(option) == 2 or _OTHERS.search(before):
                continue
            called = re.search(r"patchgen (\w+)[^`|]*$", before)
            asked = [called[1]] if called and called[1] in COMMANDS else here
            pool = frozenset().union(*(taken()[one] for one in asked)) if asked else everything
            if option not in pool and option not in ("--strict", "--update"):
                bad.append(f"{option} of {asked or 'no command'}: {line}")
    assert bad == []


def test_templates_name_options_that_are_there():
    everything = frozenset().union(*taken().values())
    for file in (REPOSITORY / "templates").rglob("*"):
        if file.is_file() and not file.name.endswith((".c.j2", ".h.j2", ".pml.j2", ".html.j2")):
            for option in _OPTION.findall(file.read_text()):
                assert len(option) == 2 or option in everything, (file.name, option)
