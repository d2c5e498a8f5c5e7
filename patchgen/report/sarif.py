# SPDX-License-Identifier: GPL-2.0-only
"""Findings as SARIF 2.1.0: code flows, stable fingerprints, suppressions, notifications."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from patchgen import __version__
from patchgen.model.base import Place
from patchgen.model.facts import Diagnostic
from patchgen.model.findings import Finding
from patchgen.report.findings import fingerprints
from patchgen.rules.base import RuleModule, modules
from patchgen.rules.run import LintResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVEL = {"error": "error", "warning": "warning", "note": "note"}


def sarif(result: LintResult) -> dict[str, Any]:
    """A SARIF log with one run; URIs are relative to the tree (``%SRCROOT%``)."""
    rules = list(modules().values())
    index = {module.RULE.id: number for number, module in enumerate(rules)}
    results = [
        _result(finding, name, index, None)
        for finding, name in zip(result.findings, fingerprints(result.findings), strict=True)
    ]
    gone = [suppressed.finding for suppressed in result.suppressed]
    for suppressed, name in zip(result.suppressed, fingerprints(gone), strict=True):
        results.append(_result(suppressed.finding, name, index, suppressed.reason))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "patchgen",
                        "version": __version__,
                        "rules": [_rule(module) for module in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the kernel tree"}}},
                "invocations": [
                    {
                        "executionSuccessful": not (result.unparsed or result.failed),
                        "toolExecutionNotifications": _notifications(
                            result.unparsed, result.failed
                        ),
                    }
                ],
                "artifacts": [{"location": _artifact(path)} for path in result.files],
                "results": results,
            }
        ],
    }


def _rule(module: RuleModule) -> dict[str, Any]:
    rule = module.RULE
    text = inspect.cleandoc(module.__doc__ or rule.summary)
    name = "".join(word.capitalize() for word in rule.name.split("-"))
    return {
        "id": rule.id,
        "name": name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": text.split("\n\n")[0]},
        "help": {"text": text},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(
    finding: Finding, name: str, index: dict[str, int], reason: str | None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVEL[finding.severity],
        "message": {"text": finding.message},
        "locations": [_location(finding.place, finding.column)],
        "partialFingerprints": {"patchgen/v1": name},
    }
    if finding.path_steps:
        flow = [
            {"location": {**_location(step.place), "message": {"text": step.text}}}
            for step in finding.path_steps
        ]
        found["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    if reason is not None:
        found["suppressions"] = [{"kind": "inSource", "justification": reason}]
    return found


def _location(place: Place, column: int = 0) -> dict[str, Any]:
    region = {"startLine": place.line}
    if column:
        region["startColumn"] = column
    return {"physicalLocation": {"artifactLocation": _artifact(place.path), "region": region}}


def _artifact(path: str) -> dict[str, str]:
    return {"uri": quote(path.encode("utf-8", "surrogateescape")), "uriBaseId": "SRCROOT"}


def _notifications(
    unparsed: Sequence[Diagnostic], failed: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    found = [
        {
            "level": "error",
            "message": {"text": f"not parsed: {diagnostic.text}"},
            "locations": [_location(diagnostic.place, diagnostic.column)],
        }
        for diagnostic in unparsed
    ]
    for path, error in failed:
        found.append(
            {
                "level": "error",
                "message": {"text": error},
                "locations": [{"physicalLocation": {"artifactLocation": _artifact(path)}}],
            }
        )
    return found
