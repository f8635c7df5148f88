"""`python -m tokenbooks` and the console script: run a command, turn known errors into words."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; see `tokenbooks --help`."""
    from tokenbooks.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
