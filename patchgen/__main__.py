# SPDX-License-Identifier: GPL-2.0-only
"""``python -m patchgen``, and the ``patchgen`` program."""

import gc
import signal

# What a run makes are frozen values that live to its end: looking for cycles among them
# again and again took 7 % of a generate run, measured.
gc.set_threshold(200_000, 20, 20)
# Until the command line can say "interrupted", Ctrl-C ends the program quietly.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command line."""
    from patchgen.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
