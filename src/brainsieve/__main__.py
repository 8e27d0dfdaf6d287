"""``python -m brainsieve``: the command line."""

import sys

from brainsieve.cli import main

if __name__ == "__main__":
    sys.exit(main())
