"""What the package says while it works: the logger "brainsieve", the `verbose` parameters on top, and warnings."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

logger = logging.getLogger("brainsieve")
logger.addHandler(logging.NullHandler())

# Packages whose frames stand between a user's line and ours: what calls us on the user's behalf.
_GO_BETWEENS = ("sklearn", "joblib", "concurrent", "contextlib", "threading")
_OUR_FOLDER = str(Path(__file__).parent)

# A message and its category.
Said = tuple[str, type[Warning]]
# Who listens to warnings of this thread (or task), beside Python's own filters: see `collected_warnings`.
_listeners: ContextVar[tuple[list[Said], ...]] = ContextVar("listeners", default=())


def log(verbose: int | bool, level: int, message: str) -> None:
    """Log a line; also show it on the console if `verbose` is at least `level`.

    Whoever configures the logger "brainsieve" gets every line: what `verbose` does not ask for is of level DEBUG.
    """
    logger.log(logging.INFO if int(verbose) >= level else logging.DEBUG, message)
    if int(verbose) >= level and not _shown_by_a_handler():
        print(f"[brainsieve] {message}", file=sys.stdout, flush=True)


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn, and point to the line of the caller's own code from which the package was reached."""
    for heard in _listeners.get():
        heard.append((str(message), type(message) if isinstance(message, Warning) else category))
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_between(frame.f_code.co_filename, frame.f_globals):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def collected_warnings() -> Iterator[list[Said]]:
    """The warnings of the package given inside, which are shown as ever; for reports and for caches.

    Python's `warnings.catch_warnings` changes the process, hence other threads; this does not.
    """
    heard: list[Said] = []
    token = _listeners.set((*_listeners.get(), heard))
    try:
        yield heard
    finally:
        _listeners.reset(token)


def _is_between(file: str, names: dict[str, object]) -> bool:
    return file.startswith(_OUR_FOLDER) or str(names.get("__name__", "")).split(".")[0] in _GO_BETWEENS


def _shown_by_a_handler() -> bool:
    handlers = [h for h in logger.handlers if not isinstance(h, logging.NullHandler)]
    return bool(handlers) and logger.isEnabledFor(logging.INFO)
