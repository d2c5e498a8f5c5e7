# SPDX-License-Identifier: GPL-2.0-only
"""What lint prints, for people and for machines; suppressions, baseline, revisions."""

import json
import subprocess

import jsonschema
import pytest

KVM_MAIN = "virt/kvm/kvm_main.c"

#: The parts of SARIF 2.1.0's schema that consumers rely on, written from the standard
#: (OASIS, sections 3.13 to 3.58): required properties and the values they may have.
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription", "help"],
                                            "properties": {"help": {"required": ["text"]}},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "invocations": {
                        "items": {
                            "required": ["executionSuccessful"],
                            "properties": {"executionSuccessful": {"type": "boolean"}},
                        }
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "locations", "partialFingerprints"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "message": {"required": ["text"]},
                                "locations": {"$ref": "#/$defs/locations"},
                                "codeFlows": {
                                    "items": {
                                        "required": ["threadFlows"],
                                        "properties": {
                                            "threadFlows": {
                                                "minItems": 1,
                                                "items": {"required": ["locations"]},
                                            }
                                        },
                                    }
                                },
                                "suppressions": {
                                    "items": {
                                        "required": ["kind"],
                                        "properties": {"kind": {"enum": ["inSource", "external"]}},
                                    }
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "locations": {
            "type": "array",
            "items": {
                "required": ["physicalLocation"],
                "properties": {
                    "physicalLocation": {
                        "required": ["artifactLocation"],
                        "properties": {
                            "artifactLocation": {"required": ["uri"]},
                            "region": {
                                "properties": {"startLine": {"type": "integer", "minimum": 1}}
                            },
                        },
                    }
                },
            },
        }
    },
}


@pytest.fixture
def faulty(tree):
    """mini with a lock that is kept on one path of range_start()."""
    file = tree / KVM_MAIN
    text = file.read_text()
    at = text.index("static int kvm_mmu_notifier_invalidate_range_start(")
    unlock = text.index("\tspin_unlock(&kvm->mmu_lock);\n", at)
    end = text.index("\n", unlock) + 1
    file.write_text(text[:unlock] + text[end:])
    return tree


def test_the_finding_has_its_line_a_caret_and_the_path(patchgen, faulty):
    done = patchgen("lint", KVM_MAIN, "--tree", faulty)
    assert done.returncode == 1
    assert "[MN024]" in done.stdout
    assert "^" in done.stdout
    assert f"1. {KVM_MAIN}:" in done.stdout
    clean = patchgen("lint", "mm/ksm.c", "--tree", faulty)
    assert clean.returncode == 0, clean.stdout


def test_gcc_and_github_lines(patchgen, faulty):
    gcc = patchgen("lint", KVM_MAIN, "--tree", faulty, "--format", "gcc").stdout
    assert any(
        line.startswith(f"{KVM_MAIN}:") and line.endswith("[MN024]") for line in gcc.splitlines()
    )
    github = patchgen("lint", KVM_MAIN, "--tree", faulty, "--format", "github").stdout
    assert f"::error file={KVM_MAIN},line=" in github
    assert "title=MN024" in github


def test_sarif_is_valid_and_declares_what_it_reports(patchgen, faulty):
    log = json.loads(patchgen("lint", "--tree", faulty, "--format", "sarif").stdout)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert run["results"]


def test_files_that_do_not_parse_are_tool_notifications(patchgen, faulty):
    file = faulty / "mm/ksm.c"
    file.write_text(file.read_text() + "\nint broken(\n")
    done = patchgen("lint", "--tree", faulty, "--format", "sarif")
    assert done.returncode == 1
    (invocation,) = json.loads(done.stdout)["runs"][0]["invocations"]
    assert not invocation["executionSuccessful"]
    assert "mm/ksm.c" in json.dumps(invocation["toolExecutionNotifications"])


def test_fingerprints_survive_moved_lines(patchgen, faulty):
    def names():
        data = json.loads(patchgen("lint", KVM_MAIN, "--tree", faulty, "--json").stdout)
        return [finding["fingerprint"] for finding in data["findings"]]

    before = names()
    file = faulty / KVM_MAIN
    file.write_text("\n\n\n" + file.read_text())
    assert before == names()
    assert before


def test_a_suppression_needs_a_reason(patchgen, faulty):
    data = json.loads(patchgen("lint", KVM_MAIN, "--tree", faulty, "--json").stdout)
    line = next(f["line"] for f in data["findings"] if f["rule"] == "MN024")
    file = faulty / KVM_MAIN
    lines = file.read_text().split("\n")
    lines.insert(line - 1, "\t/* patchgen: ignore MN024 */")
    file.write_text("\n".join(lines))
    done = patchgen("lint", KVM_MAIN, "--tree", faulty)
    assert done.returncode == 1
    assert "gives no reason" in done.stdout
    lines[line - 1] = "\t/* patchgen: ignore MN024 -- dropped by the caller */"
    file.write_text("\n".join(lines))
    data = json.loads(patchgen("lint", KVM_MAIN, "--tree", faulty, "--json").stdout)
    assert not [f for f in data["findings"] if f["rule"] == "MN024"]
    assert data["suppressed"][0]["reason"] == "dropped by the caller"


def test_a_baseline_leaves_out_what_it_knows(patchgen, faulty, tmp_path):
    known = tmp_path / "known.json"
    assert patchgen("lint", "--tree", faulty, "--write-baseline", known).returncode == 0
    done = patchgen("lint", "--tree", faulty, "--baseline", known)
    assert done.returncode == 0, done.stdout
    known.write_text("{}")
    done = patchgen("lint", "--tree", faulty, "--baseline", known)
    assert done.returncode == 2
    assert "is no baseline" in done.stderr


def test_select_and_ignore(patchgen, faulty):
    assert patchgen("lint", "--tree", faulty, "--ignore", "MN024").stdout.count("[MN024]") == 0
    only = patchgen("lint", "--tree", faulty, "--select", "MN02").stdout
    assert "[MN024]" in only
    none = patchgen("lint", "--tree", faulty, "--select", "MN999")
    assert none.returncode == 2
    assert "no rule" in none.stderr


def test_only_what_changed_since_a_revision(patchgen, mini, tree):
    git = ["git", "-C", str(tree), "-c", "user.name=t", "-c", "user.email=t@e.org"]
    file = tree / KVM_MAIN
    clean = file.read_text()
    at = clean.index("static void kvm_mmu_notifier_change_pte(")
    unlock = clean.index("\tspin_unlock(&kvm->mmu_lock);\n", at)
    old_fault = clean[:unlock] + clean[clean.index("\n", unlock) + 1 :]
    file.write_text(old_fault)
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], check=True)
    same = patchgen("lint", "--tree", tree, "--diff", "HEAD")
    assert same.returncode == 0, same.stdout
    at = old_fault.index("static int kvm_mmu_notifier_invalidate_range_start(")
    unlock = old_fault.index("\tspin_unlock(&kvm->mmu_lock);\n", at)
    file.write_text(old_fault[:unlock] + old_fault[old_fault.index("\n", unlock) + 1 :])
    done = patchgen("lint", "--tree", tree, "--diff", "HEAD", "--json")
    found = {f["function"] for f in json.loads(done.stdout)["findings"]}
    assert found == {"kvm_mmu_notifier_invalidate_range_start"}
    lost = patchgen("lint", "--tree", tree, "--diff", "no-such-revision")
    assert lost.returncode == 2
    assert "no revision" in lost.stderr


def test_fix_writes_a_verified_series_for_what_is_mechanical(patchgen, tree, tmp_path):
    ksm, engine = tree / "mm/ksm.c", tree / "drivers/misc/scratch_engine.c"
    ksm.write_text(ksm.read_text().replace("MMU_NOTIFY_CLEAR, 0,", "0, MMU_NOTIFY_CLEAR,"))
    text = engine.read_text()
    assert "mmu_notifier_range_blockable(range)" in text
    engine.write_text(
        text.replace(
            "mmu_notifier_range_blockable(range)", "(range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE)"
        )
    )
    out = tmp_path / "mends"
    done = patchgen("lint", "--tree", tree, "--fix", out)
    assert done.returncode == 0, done.stdout + done.stderr
    for mail in sorted(out.glob("000[1-9]-*")):
        subprocess.run(["git", "apply", str(mail)], cwd=tree, check=True)
    assert "MMU_NOTIFY_CLEAR, 0," in ksm.read_text()
    assert "mmu_notifier_range_blockable(range)" in engine.read_text()
    clean = patchgen("lint", "--tree", tree)
    assert clean.returncode == 0, clean.stdout


def test_fix_completes_a_guard_that_is_in_one_callback_only(patchgen, tree, tmp_path):
    whole = tmp_path / "whole"
    done = patchgen("generate", "kvm-change-pte", "--tree", tree, "-o", whole, "--no-proof")
    assert done.returncode == 0, done.stderr
    for mail in sorted(whole.glob("000[1-4]-*")):
        subprocess.run(["git", "apply", str(mail)], cwd=tree, check=True)
    file = tree / KVM_MAIN
    good = file.read_text()
    guard = "\tif (mmu_notifier_range_use_change_pte(range))\n\t\treturn;\n\n"
    at = good.rindex(guard)
    comment = good.rindex("\t/*", 0, at)
    file.write_text(good[:comment] + good[at + len(guard) :])
    done = patchgen("lint", "--tree", tree, "--fix", tmp_path / "mends")
    for mail in sorted((tmp_path / "mends").glob("000[1-9]-*")):
        subprocess.run(["git", "apply", str(mail)], cwd=tree, check=True)
    assert file.read_text() == good, done.stdout + done.stderr
