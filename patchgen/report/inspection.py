# SPDX-License-Identifier: GPL-2.0-only
"""What inspection found: text for people, plain data for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from patchgen.model.facts import FileFacts, Mention, OpsTable
from patchgen.model.outcome import located
from patchgen.source.c.walk import text_of
from patchgen.source.facts.inspection import Inspection
from patchgen.source.facts.kvm import KvmFacts
from patchgen.source.facts.ops import WALK_OPS
from patchgen.terminal import printable

STATES = ("analysed", "macro", "inactive", "unparsed", "declaration")


def ledger_totals(mentions: Sequence[Mention]) -> dict[str, int]:
    """Mentions by state; every state is there, also with 0."""
    counted = Counter(mention.state for mention in mentions)
    return {state: counted[state] for state in STATES}


def inspection_lines(
    headline: str,
    kvm: KvmFacts | None,
    found: Inspection,
    sources: dict[str, bytes],
    verbose: bool,
) -> Iterator[str]:
    """The picture of a tree, densest first; names of any bytes stay on their lines."""
    return map(printable, _lines(headline, kvm, found, sources, verbose))


def _lines(
    headline: str,
    kvm: KvmFacts | None,
    found: Inspection,
    sources: dict[str, bytes],
    verbose: bool,
) -> Iterator[str]:
    yield headline
    files, only = found.files, _only(found.files)
    if kvm is not None:
        yield f"KVM  {kvm.path}:{kvm.table.line}"
        named = {
            "count": kvm.count, "sequence": kvm.sequence, "active": kvm.active, "lock": kvm.lock,
            "struct": kvm.range_struct, "handler": kvm.handler, "on_lock": kvm.on_lock,
            "pfn caches": kvm.pfn_cache,
        }  # fmt: skip
        yield "  " + ", ".join(f"{key} {value}" for key, value in named.items() if value)
        if verbose:
            yield from (f"  {evidence}" for evidence in kvm.evidence)
    tables = _notifier_tables(files)
    if tables:
        yield "callbacks"
        for table in tables:
            members = " ".join(entry.member for entry in table.entries)
            filled = " (filled at run time)" if table.filled else ""
            where = only.get((table.path, table.line), "")
            title = f"{table.struct} {table.name}{filled}{where and f' ({where})'}"
            yield f"  {table.path}:{table.line}  {title}: {members}"
    sites = [site for facts in files for site in facts.sites]
    if sites:
        yield f"call sites ({len(sites)})"
        for site in sites:
            source = sources.get(site.path, b"")
            shown = ", ".join(text_of(argument, source) for argument in site.args[1:3])
            where = only.get((site.path, site.line), "")
            called = f"{site.variant}({shown}, ...){where and f' ({where})'}"
            yield f"  {site.path}:{site.line}  {site.function}(): {called}"
    yield totals_line(found)
    for mention in found.mentions:
        if mention.state in ("inactive", "unparsed"):
            detail = f" ({mention.detail})" if mention.detail else ""
            yield f"  {mention.state}  {mention.path}:{mention.line}  {mention.name}{detail}"
    for path, error in found.failed:
        yield f"  not read  {located(path, error)}"
    for path, error in found.partly:
        yield f"  partly read  {located(path, error)}"


def totals_line(found: Inspection) -> str:
    """The ledger in a line: how many mentions, and what became of them."""
    mentions = found.mentions
    shown = ", ".join(f"{count} {state}" for state, count in ledger_totals(mentions).items())
    return f"ledger  {len(mentions)} mentions in {len(found.files)} files: {shown}"


def _only(files: Sequence[FileFacts]) -> dict[tuple[str, int], str]:
    """``only on arm64`` for the lines whose mentions are inactive elsewhere."""
    return {
        (mention.path, mention.line): mention.detail
        for facts in files for mention in facts.mentions
        if mention.state == "analysed" and mention.detail
    }  # fmt: skip


def _notifier_tables(files: Sequence[FileFacts]) -> list[OpsTable]:
    """The tables of notifiers' callbacks; those of page table walks call nobody back here."""
    return [table for facts in files for table in facts.ops if table.struct != WALK_OPS]


def as_unicode(text: str) -> str:
    """Text as JSON can hold it: bytes of a name that are no UTF-8 as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def inspection_data(
    version: str,
    generation: str,
    kvm: KvmFacts | None,
    found: Inspection,
) -> dict[str, Any]:
    """The same as plain data."""
    files, mentions = found.files, found.mentions
    return {
        "version": version,
        "api": generation,
        "kvm": None if kvm is None else {
            "idiom": kvm.idiom, "file": kvm.path, "line": kvm.table.line,
            "start": kvm.start, "end": kvm.end, "change_pte": kvm.change_pte,
            "count": kvm.count, "sequence": kvm.sequence, "active": kvm.active,
            "lock": kvm.lock, "range_struct": kvm.range_struct, "handler": kvm.handler,
            "on_lock": kvm.on_lock, "pfn_cache": kvm.pfn_cache,
            "evidence": [
                {"file": e.place.path, "line": e.place.line, "text": e.text} for e in kvm.evidence
            ],
        },
        "tables": [
            {
                "file": table.path, "line": table.line, "struct": table.struct,
                "name": table.name, "filled_at_run_time": table.filled,
                "callbacks": {entry.member: entry.function for entry in table.entries},
            }
            for table in _notifier_tables(files)
        ],
        "sites": [
            {"file": site.path, "line": site.line, "function": site.function,
             "variant": site.variant}
            for facts in files for site in facts.sites
        ],
        "ledger": {
            "totals": ledger_totals(mentions),
            "mentions": [
                {"file": m.path, "line": m.line, "offset": m.offset, "name": m.name,
                 "state": m.state, "detail": m.detail}
                for m in mentions
            ],
        },
        "diagnostics": [str(d) for facts in files for d in facts.diagnostics],
        "failed": [
            {"file": as_unicode(path), "error": as_unicode(error)} for path, error in found.failed
        ],
        "partly": [
            {"file": as_unicode(path), "error": as_unicode(error)} for path, error in found.partly
        ],
    }  # fmt: skip
