"""What the package says while it works: the logger "brainsieve", the `verbose` parameters on top, and warnings."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path

logger = logging.getLogger("brainsieve")
logger.addHandler(logging.NullHandler())

# Packages whose frames stand between a user's line and ours: what calls us on the user's behalf.
_GO_BETWEENS = ("sklearn", "joblib", "concurrent", "contextlib", "threading")
_OUR_FOLDER = str(Path(__file__).parent)


def log(verbose: int | bool, level: int, message: str) -> None:
    """Log a line; also show it on the console if `verbose` is at least `level`.

    Whoever configures the logger "brainsieve" gets every line, whatever `verbose` is.
    """
    logger.log(logging.INFO if level <= 1 else logging.DEBUG, message)
    if int(verbose) >= level and not _shown_by_a_handler():
        print(f"[brainsieve] {message}", file=sys.stdout, flush=True)


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn, and point to the line of the caller's own code from which the package was reached."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_between(frame.f_code.co_filename, frame.f_globals):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_between(file: str, names: dict[str, object]) -> bool:
    return file.startswith(_OUR_FOLDER) or str(names.get("__name__", "")).split(".")[0] in _GO_BETWEENS


def _shown_by_a_handler() -> bool:
    handlers = [h for h in logger.handlers if not isinstance(h, logging.NullHandler)]
    return bool(handlers) and logger.isEnabledFor(logging.INFO)
