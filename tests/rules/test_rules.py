# SPDX-License-Identifier: GPL-2.0-only
"""Every rule on its fixture, under every API generation that the fixture names."""

from __future__ import annotations

import re

import pytest

from patchgen.model.findings import Undecided
from patchgen.rules.base import modules
from tests.rules.harness import FOLDER, context, features, fixture

FIXTURES = {path.stem: fixture(path) for path in sorted(FOLDER.glob("*.c"))}
CASES = [(name, generation) for name, f in FIXTURES.items() for generation in f.generations]


def _stem(module: object) -> str:
    return module.__name__.rpartition(".")[2]


@pytest.mark.parametrize(("name", "generation"), CASES)
def test_findings_stand_where_expected(name: str, generation: str) -> None:
    case = FIXTURES[name]
    module = next(m for m in modules().values() if _stem(m) == name)
    tree = context(case.source, case.path, generation, case.idiom)
    assert module.RULE.applies(tree.api), f"{module.RULE.id} does not apply to {generation}"
    found, open_ = set(), set()
    for result in module.check(tree):
        place = (result.rule, result.place.line)
        (open_ if isinstance(result, Undecided) else found).add(place)
        if not isinstance(result, Undecided):
            assert result.path_steps and result.message
            assert result.path_steps[-1].place.path
    assert found == case.wanted(generation, "EXPECT")
    assert open_ == case.wanted(generation, "UNDECIDED")


@pytest.mark.parametrize("identifier", list(modules()))
def test_rule_docs_and_fixture_are_in_step(identifier: str) -> None:
    module = modules()[identifier]
    rule, doc = module.RULE, module.__doc__ or ""
    assert re.fullmatch(r"MN0\d\d", rule.id)
    assert rule.name == _stem(module).replace("_", "-")
    assert rule.severity in ("error", "warning", "note")
    assert rule.summary and not rule.summary.endswith(".")
    assert re.search(r"^Bad(?: \([^)]*\))?:", doc, re.M), "the docstring shows bad C"
    assert re.search(r"^Good(?: \([^)]*\))?:", doc, re.M), "the docstring shows good C"
    case = FIXTURES.get(_stem(module))
    assert case is not None, f"tests/rules/{_stem(module)}.c is missing"
    assert {r for _, r, _, _ in case.expected} == {rule.id}
    for generation in ("5.0", "v05", "5.2", "5.10", "5.15", "6.6", "6.12", "7.2"):
        known = case.generations + tuple({"5.15": "6.1"}.get(g, g) for g in case.generations)
        if rule.applies(features(generation)) and generation not in known:
            pytest.fail(f"{rule.id} applies to {generation}, its fixture does not run there")


def test_every_fixture_belongs_to_a_rule() -> None:
    assert set(FIXTURES) <= {_stem(module) for module in modules().values()}
