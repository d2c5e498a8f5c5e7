# SPDX-License-Identifier: GPL-2.0-only
"""Whether a folder is still what it was."""

import hashlib
from pathlib import Path


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder with the digest of its bytes, and its mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(folder))] = f"{data} {path.stat().st_mode:o}"
    return found
