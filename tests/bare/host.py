# SPDX-License-Identifier: GPL-2.0-only
"""How this machine reaches its package registries, to be taken over into a root.

Mirrors, proxies, certificates and pip's settings are read at run time; none is
written down in the repository.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from patchgen.source.tree import debian_mirror
from patchgen.source.tree.fetch_debian import transport

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: What is taken over from this machine's environment: transport, not tools or folders.
_VARIABLE = re.compile(
    r"(https?|ftp|all|no)_proxy|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|GIT_SSL_CAINFO|CURL_CA_BUNDLE"
    r"|PIP_(?!CACHE_DIR|TARGET|PREFIX|USER|CONFIG_FILE)\w+",
    re.I,
)
_PATH = re.compile(r"(?<![\w.:/])(?:file://)?(/[^\s'\",]+)")


def sources(suite: str) -> list[str]:
    """apt's lines for a Debian suite, from the mirror that this machine uses.

    Raises UserError when the machine's apt sources name no Debian mirror.
    """
    mirror = debian_mirror.mirrors()[0]
    lines = [f"deb {mirror.main} {suite} main"]
    if mirror.security:
        lines.append(f"deb {mirror.security} {suite}-security main")
    return lines


def environment() -> dict[str, str]:
    """The variables of this machine that a command in a root gets."""
    return {name: text for name, text in os.environ.items() if _VARIABLE.fullmatch(name)}


def take_over(root: Path) -> None:
    """Put this machine's settings of apt's, pip's and TLS's transport into ``root``."""
    (root / "etc/apt/apt.conf.d/90transport").write_text("\n".join(transport()) + "\n")
    settings = configparser.RawConfigParser()
    for (section, key), value in _pip().items():
        if not settings.has_section(section):
            settings.add_section(section)
        settings[section][key] = "\n".join(value.split())
    with (root / "etc/pip.conf").open("w") as file:
        settings.write(file)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if _CERTIFICATES.is_file():
        place = root / str(_CERTIFICATES).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copy(_CERTIFICATES.resolve(), place)


def shown() -> list[Path]:
    """Files and folders on this disk that pip's settings name: to be seen in a root, too."""
    named = [*environment().values(), *_pip().values()]
    paths = {Path(path) for text in named for path in _PATH.findall(text)} - {_CERTIFICATES}
    # A folder in the form of an index has its files beside it.
    return sorted({p.parent if p.name == "simple" else p for p in paths if p.exists()})


def _pip() -> dict[tuple[str, str], str]:
    """pip's settings in files: (section, key) to the value."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if not section.startswith(":"):
            found[section, key] = str(ast.literal_eval(value))
    return found
