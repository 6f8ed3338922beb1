"""``python -m app``: the same as ``constantes``."""

import sys


def main() -> None:
    """Load the command line and run it; Ctrl-C while it is being loaded ends like any other."""
    try:
        from app import cli
    except KeyboardInterrupt:
        sys.exit(130)
    cli.main()


if __name__ == "__main__":
    main()
