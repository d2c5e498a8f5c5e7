# SPDX-License-Identifier: GPL-2.0-only
"""Parsing in the program's own process."""

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from patchgen.source.clang.unit import parse
from patchgen.source.config.flags import parse_config
root = Path(sys.argv[1])
print(len(parse(root, "mm/ksm.c", parse_config(root, "mm/ksm.c")).errors))
"""


def test_it_ends_in_silence(mini):
    """libclang's index goes before the interpreter takes clang's module apart."""
    command = [sys.executable, "-c", PROGRAM, str(mini)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
