# SPDX-License-Identifier: GPL-2.0-only
"""The command line as a whole: every command is there, loads, and explains itself."""

import json

import pytest

from patchgen.cli import COMMANDS
from patchgen.recipes.base import load, names
from patchgen.rules.base import modules
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(patchgen, name):
    done = patchgen(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: patchgen" in done.stdout
    assert not done.stderr


def test_an_unknown_command_or_option_is_one_line(patchgen):
    for arguments in (("frobnicate",), ("lint", "--frobnicate"), ("plan",)):
        done = patchgen(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_rules_recipes_and_explanations(patchgen):
    rules = json.loads(patchgen("rules", "--json").stdout)
    assert [rule["id"] for rule in rules] == list(modules())
    recipes = json.loads(patchgen("recipes", "--json").stdout)
    assert [recipe["name"] for recipe in recipes] == list(names())
    said = patchgen("explain", "MN020").stdout
    assert "MN020" in said
    assert "Bad" in said
    assert "Before:" in patchgen("explain", "kvm-change-pte").stdout
    unknown = patchgen("explain", "MN999")
    assert unknown.returncode == 2
    assert "no rule or recipe" in unknown.stderr


@pytest.mark.parametrize("name", names())
def test_a_recipe_has_templates_documentation_and_tests(name):
    recipe = load(name)
    assert recipe.name == name
    assert recipe.summary
    assert (REPOSITORY / "templates" / name).is_dir()
    stem = name.replace("-", "_")
    tests = list((REPOSITORY / "tests").rglob("*.py"))
    assert any(name in test.read_text() for test in tests if test.stem != "test_commands"), stem
    readme = (REPOSITORY / "README.md").read_text()
    assert f"`{name}`" in readme


def test_every_command_stands_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    for name in COMMANDS:
        assert f"`{name}" in readme or f"{name} " in readme, name


@pytest.mark.parametrize(
    "command",
    [
        ("rules",), ("recipes",), ("explain", "MN020"), ("explain", "kvm-change-pte"),
        ("api", "list"), ("tree", "list"), ("api", "check", "--tree", "mini", "--api", "5.0"),
        ("inspect", "--tree", "mini"), ("plan", "kvm-change-pte", "--tree", "mini"),
        ("lint", "--tree", "mini", "drivers"), ("prove", "--tree", "mini", "--case", "rw-ro-same"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_quiet_is_less_and_no_part_of_it_is_new(patchgen, command):
    loud, quiet = patchgen(*command), patchgen(*command, "-q")
    assert quiet.returncode == loud.returncode, quiet.stderr
    assert len(quiet.stdout) < len(loud.stdout)
    words = set(loud.stdout.split())
    assert set(quiet.stdout.split()) <= words


def test_every_command_takes_quiet():
    from tests.cli.test_named_options import taken

    assert [name for name in COMMANDS if "--quiet" not in taken()[name]] == []
    assert [name for name in COMMANDS if "--json" not in taken()[name]] == []
