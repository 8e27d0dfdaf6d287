"""``python -m brainsieve``: the command line."""

import sys

from brainsieve.cli import main

sys.exit(main())
