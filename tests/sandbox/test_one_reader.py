# SPDX-License-Identifier: GPL-2.0-only
"""One reader for what strangers wrote: the package's syntax trees are held to it."""

import pytest

from tests.reads import EXCEPTIONS, reads_of, wrong


def test_nothing_is_read_elsewhere():
    assert wrong() == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("open('x')", "open"),
        ("reader = open", "open"),
        ("with path.open() as f: pass", ".open"),
        ("(root / 'a').read_text()", ".read_text"),
        ("root.joinpath('a').read_bytes()", ".read_bytes"),
        ("if (a / b).exists(): pass", ".exists"),
        ("x = [p for p in q.glob('*') if p]", ".glob"),
        ("from pathlib import Path\nx = filter(Path.is_file, y)", ".is_file"),
        ("import pathlib\nx = map(pathlib.Path.read_text, y)", ".read_text"),
        ("import os\nos.stat('x')", "os.stat"),
        ("import os as system\nsystem.listdir('x')", "os.listdir"),
        ("from os import scandir as look\nlook('x')", "os.scandir"),
        ("import os.path\nos.path.isfile('x')", "os.path.isfile"),
        ("from os import path\npath.exists('x')", "os.path.exists"),
        ("from os.path import exists\nexists('x')", "os.path.exists"),
        ("def f():\n    import subprocess\n    subprocess.run(['x'])", "subprocess.run"),
        ("import subprocess\nstart = subprocess.Popen", "subprocess.Popen"),
        ("import os\nos.system('x')", "os.system"),
        ("import tarfile\ntarfile.open('x')", "tarfile.open"),
        ("import glob\nglob.glob('x')", "glob.glob"),
        ("import shutil\nshutil.copyfile(a, b)", "shutil.copyfile"),
    ],
)
def test_each_way_to_read_is_seen(source, what):
    assert what in [found for _, found in reads_of(source)]


@pytest.mark.parametrize(
    "source",
    [
        "from patchgen.sandbox import look\nlook.is_file(x)",
        "from patchgen.sandbox.reader import read_inside\nread_inside(a, b)",
        "import os\nos.path.realpath(x), os.getpid()",
        "import subprocess\ndef f(p: subprocess.Popen[bytes]) -> None: ...",
        "call.open.text, section.open, x.opened()",
        "path.unlink(), path.write_bytes(b''), path.name",
    ],
)
def test_what_reads_nothing_is_not(source):
    assert list(reads_of(source)) == []


def test_a_module_outside_and_an_idle_exception_are_told(tmp_path):
    package = tmp_path / "patchgen"
    (package / "sandbox").mkdir(parents=True)
    (package / "sandbox/reader.py").write_text("open('x')\n")
    (package / "other.py").write_text("\nopen('x')\nimport os\nos.stat('x')\n")
    excepted = {("other.py", "open"): "why", ("other.py", ".stat"): "why"}
    assert wrong(package, excepted) == [
        "patchgen/other.py:4: os.stat: belongs into sandbox/",
        "tests/reads.py: other.py: .stat: nobody needs it",
    ]
    assert all(EXCEPTIONS.values())
