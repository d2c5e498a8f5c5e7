# SPDX-License-Identifier: GPL-2.0-only
"""``python -m patchgen``, and the ``patchgen`` program."""

import signal

# Until the command line can say "interrupted", Ctrl-C ends the program quietly.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command line."""
    from patchgen.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
