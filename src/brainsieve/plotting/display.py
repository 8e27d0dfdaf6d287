"""Displays: figures of cuts that more can be drawn on."""

from __future__ import annotations

from brainsieve.logs import warn


def show() -> None:
    """Show all figures that are open, in windows or in a notebook.

    Under a backend that draws into files only there is nothing to show: a warning says so.
    """
    from matplotlib import get_backend, pyplot

    if get_backend().lower() in ("agg", "pdf", "svg", "ps", "cairo", "template"):
        warn(f"The matplotlib backend {get_backend()!r} cannot show figures; save them.", UserWarning)
        return
    pyplot.show()
