# SPDX-License-Identifier: GPL-2.0-only
"""``python -m patchgen``."""

from patchgen.cli import main

if __name__ == "__main__":
    main()
