"""What the package says while it works: the logger "brainsieve", and the `verbose` parameters on top of it."""

from __future__ import annotations

import logging
import sys

logger = logging.getLogger("brainsieve")
logger.addHandler(logging.NullHandler())


def log(verbose: int | bool, level: int, message: str) -> None:
    """Log a line; also show it on the console if `verbose` is at least `level`.

    Whoever configures the logger "brainsieve" gets every line, whatever `verbose` is.
    """
    logger.log(logging.INFO if level <= 1 else logging.DEBUG, message)
    if int(verbose) >= level and not _shown_by_a_handler():
        print(f"[brainsieve] {message}", file=sys.stdout, flush=True)


def _shown_by_a_handler() -> bool:
    handlers = [h for h in logger.handlers if not isinstance(h, logging.NullHandler)]
    return bool(handlers) and logger.isEnabledFor(logging.INFO)
