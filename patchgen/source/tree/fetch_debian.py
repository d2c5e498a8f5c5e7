# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree from Debian's source package, without root.

apt-get does the download and the authentication, with a state of its own in the
working folder: nothing on the machine changes, and none of the machine's
settings but those of its transport (proxies, certificates) has a say.  Only
Debian's archive keyring is trusted; an unsigned repository is refused by apt.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import child, look
from patchgen.source.tree import debian_mirror, unpack
from patchgen.source.tree.debian_mirror import Mirror
from patchgen.source.tree.registry import Debian

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
_UPDATE_SECONDS = 300.0
_ASK_SECONDS = 20.0
_ACQUIRE = re.compile(r'Acquire::[\w:.+/@-]+ "[^"]*";')
_NOT_TAKEN = ("AllowInsecure", "AllowWeak", "AllowDowngrade", "IndexTargets", "Languages")
_SETTINGS = """\
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Log "/dev/null";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages { "none"; };
Acquire::Retries "1";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
"""


def fetch(
    debian: Debian,
    into: Path,
    report: child.Report = child.silent,
) -> str:
    """Download Debian's package and unpack it as ``into``; answers with its origin.

    Works in ``into``'s folder, which must be the caller's own.  Raises
    UserError with each suite's reason when the package cannot be had.
    """
    keyring = next((file for file in KEYRINGS if look.is_file(file)), None)
    mirrors = debian_mirror.mirrors()
    if keyring is None:
        raise UserError(
            "no keyring to authenticate Debian with",
            str(KEYRINGS[0]),
            "install debian-archive-keyring",
        )
    reasons: list[str] = []
    for mirror in mirrors[:3]:
        for suite in debian.suites:
            try:
                deb = _download(debian.package, suite, mirror, keyring, into.parent, report)
            except UserError as error:
                reasons.append(f"{suite}: {error}")
                continue
            unpack.unpack_deb(deb, f"{debian.package}.tar.xz", into, report)
            deb.unlink()
            return f"{debian.package} {deb.name.split('_')[1]} of Debian {suite}"
    raise UserError("; ".join(dict.fromkeys(reasons)))


def _download(
    package: str, suite: str, mirror: Mirror, keyring: Path, work: Path, report: child.Report
) -> Path:
    with tempfile.TemporaryDirectory(prefix="apt-", dir=work) as folder:
        settings = _private_state(Path(folder), _source_lines(suite, mirror, keyring))
        env = child.clean_environment(APT_CONFIG=str(settings))
        report(f"asking Debian {suite} for {package}", 0, 0)
        try:
            _, updated = child.run(["apt-get", "update"], seconds=_UPDATE_SECONDS, env=env)
        except TimeoutError as error:
            raise UserError(f"{mirror.main}: {error}") from None
        # A suite whose security part is gone still has the package; whether the
        # lists that were had suffice is seen here.
        status, said = _apt_download(package, work, env, report)
        names = (n for n in look.names(work) if n.startswith(f"{package}_") and n.endswith(".deb"))
        debs = [work / name for name in names]
        if status or len(debs) != 1:
            raise UserError(_reason(updated) or _reason(said) or f"apt-get ended with {status}")
        return debs[0]


def _apt_download(
    package: str, work: Path, env: dict[str, str], report: child.Report
) -> tuple[int, str]:
    """Download into ``work``; apt's percentages go to ``report``."""
    reader, writer = os.pipe()
    with (
        os.fdopen(reader, "rb") as percentages,
        os.fdopen(writer, "wb") as status,
        tempfile.TemporaryFile() as said,
    ):
        command = ["apt-get", f"-oAPT::Status-Fd={writer}", "-qq", "download", package]
        with child.started(
            command, stdout=said, stderr=said, env=env, cwd=work, keep_fd=writer
        ) as apt:
            status.close()
            for line in percentages:
                match = re.match(rb"dlstatus:\d+:([\d.]+):", line)
                if match:
                    report("downloading", int(float(match[1])), 100)
            return apt.wait(), child.tail(said)


def _private_state(folder: Path, lines: Sequence[str]) -> Path:
    """Make apt's folders and lists below ``folder``; the path of its settings."""
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in lines))
    settings = folder / "apt.conf"
    own = {
        "Dir::State": "state",
        "Dir::State::status": "status",
        "Dir::Cache": "cache",
        "Dir::Etc::sourcelist": "sources.list",
    }
    private = "".join(f'{key} "{folder / value}";\n' for key, value in own.items())
    settings.write_text("\n".join(transport()) + "\n" + _SETTINGS + private)
    return settings


def transport() -> list[str]:
    """The machine's own Acquire settings: proxies, certificates, time-outs."""
    _, dump = child.run(["apt-config", "dump"], seconds=_ASK_SECONDS)
    return [
        line
        for line in dump.splitlines()
        if _ACQUIRE.fullmatch(line) and not line.removeprefix("Acquire::").startswith(_NOT_TAKEN)
    ]


def _source_lines(suite: str, mirror: Mirror, keyring: Path) -> list[str]:
    _, said = child.run(["dpkg", "--print-architecture"], seconds=_ASK_SECONDS)
    options = f"[arch={said.strip()} signed-by={keyring}]"
    lines = [f"deb {options} {mirror.main} {suite} main"]
    if mirror.security and suite != "sid":
        lines.append(f"deb {options} {mirror.security} {suite}-security main")
    return lines


def _reason(said: str) -> str:
    """The most telling line of apt's output, without its prefix; "" if none is."""
    for prefix in ("E: ", "W: GPG error", "W: Failed to fetch"):
        for line in said.splitlines():
            if line.startswith(prefix):
                return " ".join(line[3:].split())
    return ""
