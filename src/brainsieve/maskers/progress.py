"""How far a pass is, on a terminal."""

from __future__ import annotations

import sys

from brainsieve.engine.extract import Progress


def progress_bar(verbose: int, name: str) -> Progress | None:
    """A line on the terminal that counts samples, where someone asked for it and can see it."""
    if verbose < 1 or not sys.stderr.isatty():
        return None

    def show(n_done: int, n_total: int) -> None:
        end = "\n" if n_done >= n_total else ""
        print(f"\r{name}: {n_done}/{n_total}", end=end, file=sys.stderr, flush=True)

    return show
