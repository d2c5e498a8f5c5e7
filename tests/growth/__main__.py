# SPDX-License-Identifier: GPL-2.0-only
"""A table of what lints of growing files cost.  Usage: ``make growth [GROWTH="2000"]``.

For each kind of code a file with n, 2n and 4n of it is linted: processor seconds and
MiB of memory of the whole run, the parsers' included, an empty cache each.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.growth.measure import FILE, run
from tests.growth.shapes import SHAPES

MINI = Path(__file__).parents[2] / "kernel-tree/mini"
SECONDS = 600.0


def main() -> None:
    """Print the table; exit status 1 where one did not end."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    sizes = (number, 2 * number, 4 * number)
    print(f"{'':<32}" + "".join(f"{size:>10}    MiB" for size in sizes))
    lost = False
    with tempfile.TemporaryDirectory(prefix="patchgen-growth-") as folder:
        root = Path(folder, "tree")
        shutil.copytree(MINI, root)
        for name, shape in SHAPES.items():
            cells, said = "", ""
            for size in sizes:
                (root / FILE).write_text(shape(size))
                cost = run(root, Path(folder, f"cache-{len(name)}-{size}"), SECONDS)
                shutil.rmtree(Path(folder, f"cache-{len(name)}-{size}"), ignore_errors=True)
                cells += f"{cost.cpu:>10.2f} {cost.memory:>6.0f}"
                said = said or (cost.said if cost.status not in (0, 1) or cost.lost else "")
                lost |= cost.status not in (0, 1)
            print(f"{name:<32}{cells}  {said}", flush=True)
    sys.exit(lost)


if __name__ == "__main__":
    main()
