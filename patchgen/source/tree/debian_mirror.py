# SPDX-License-Identifier: GPL-2.0-only
"""Which Debian mirror this machine uses, read from its own apt sources.

Both formats of sources.list(5) are read: one line an entry (``*.list``) and
deb822 (``*.sources``).  Third-party repositories are passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_own

_SUITES = frozenset(
    "buster bullseye bookworm trixie forky duke sid "
    "oldoldstable oldstable stable testing unstable".split()
)
_SUFFIX = re.compile(r"(-security|/updates|-updates|-proposed-updates|-backports(-sloppy)?)/?$")
_ONE_LINE = re.compile(r"(?P<type>\S+)\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<rest>\S.*)")
_URI = re.compile(r"[a-z0-9+.-]+:[^\s\[\]\"']+")


class Source(Value, frozen=True):
    """One binary repository of the machine: one URI, one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str


class Mirror(Value, frozen=True):
    """A Debian mirror and where its security updates lie ("" when not known)."""

    main: str
    security: str


def mirrors(etc: Path = Path("/etc/apt")) -> list[Mirror]:
    """The machine's Debian mirrors, likeliest first.

    ``$PATCHGEN_DEBIAN_MIRROR`` ("URI" or "URI SECURITY-URI") comes before what
    the apt configuration folder ``etc`` says.  Raises UserError when there is none.
    """
    own = os.environ.get("PATCHGEN_DEBIAN_MIRROR", "").split()
    if own:
        return [Mirror(own[0], own[1] if len(own) > 1 else "")]
    debian = [source for source in sources(etc) if _is_debian(source)]
    security = [source.uri for source in debian if _is_security(source.suite)]
    main = [source for source in debian if not _is_security(source.suite)]
    main.sort(key=lambda source: (not source.signed_by, "debian" not in source.uri))
    if not main:
        raise UserError(
            "this machine's apt sources name no Debian mirror",
            str(etc),
            "set PATCHGEN_DEBIAN_MIRROR to one, and have debian-archive-keyring installed",
        )
    uris = dict.fromkeys(source.uri for source in main)
    return [Mirror(uri, next(iter(security), "")) for uri in uris]


def sources(etc: Path) -> list[Source]:
    """All enabled binary repositories below ``etc``, in apt's order."""
    more = etc / "sources.list.d"
    parts = [more / name for name in look.names(more)] if look.is_folder(more) else []
    found: list[Source] = []
    for file in (etc / "sources.list", *parts):
        text = (read_own(file) or b"").decode("utf-8", "replace")
        if file.suffix == ".list":
            found += _one_line_entries(text)
        elif file.suffix == ".sources":
            found += _deb822_entries(text)
    return found


def _one_line_entries(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None or match["type"] != "deb":
            continue
        words = match["rest"].split()
        if len(words) < 2 or not _URI.fullmatch(words[0]):
            continue
        words_of_options = (word.partition("=") for word in (match["options"] or "").split())
        options = {key.lower(): value for key, _, value in words_of_options}
        yield Source(words[0], words[1], tuple(words[2:]), options.get("signed-by", ""))


def _deb822_entries(text: str) -> Iterator[Source]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n[ \t]*(?=\n)", "\n".join(lines)):
        fields = _fields(stanza)
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false", "off", "0", "without")
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                if _URI.fullmatch(uri):
                    yield Source(uri, suite, components, fields.get("signed-by", "").strip())


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _is_debian(source: Source) -> bool:
    """Debian's suite names, its main component, and no other vendor's key."""
    suite = _SUFFIX.sub("", source.suite)
    foreign = source.signed_by.startswith("/") and "debian-archive" not in source.signed_by
    return (
        suite in _SUITES
        and "main" in source.components
        and not foreign
        and not source.uri.startswith("cdrom:")
    )


def _is_security(suite: str) -> bool:
    return suite.rstrip("/").endswith(("-security", "/updates"))
