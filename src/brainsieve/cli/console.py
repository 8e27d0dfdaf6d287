"""What a person sees while a command runs: steps, warnings, and a bar where there is a terminal.

All of it goes to standard error; standard output is for data.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

BAR_WIDTH = 24
# Where no terminal shows a bar, a line tells how far it is this often, in seconds.
LINE_EVERY_S = 10.0
# Parameters of the Python interface, in whose words the maskers speak, and the options that set them. Names that
# are words of English too, as "radius", stay.
OPTIONS = {
    "high_pass": "--high-pass",
    "low_pass": "--low-pass",
    "t_r": "--t-r",
    "sample_mask": "--sample-mask",
    "smoothing_fwhm": "--smoothing-fwhm",
    "labels_img": "--atlas",
    "maps_img": "--atlas",
    "mask_img": "--mask",
    "lut": "--labels",
    "resampling_target": "--resampling-target",
    "min_coverage": "--min-coverage",
    "background_label": "--background-label",
    "allow_overlap": "--allow-overlap",
    "high_variance_confounds": "--high-variance-confounds",
    "standardize": "--standardize",
}
# Of a command whose options have other names; what is None there is set by no option.
OF_COMMANDS: dict[str, dict[str, str | None]] = {
    "cohort": {
        "t_r": None,
        "sample_mask": None,
        "smoothing_fwhm": "--smoothing",
        "mask_img": None,
        "lut": None,
        "resampling_target": None,
        "background_label": None,
        "allow_overlap": None,
        "high_variance_confounds": None,
    }
}
# Not within a path or a quotation: those are names of the user's.
PARAMETER = re.compile(rf"(?<![\w/.'\"-])({'|'.join(OPTIONS)})(?![\w/'\"-]|\.\w)(=(True\b)?| is False)?")


def in_options(text: str, command: str = "extract") -> str:
    """A message about parameters of Python, about options of the command line instead: ``t_r=2`` is ``--t-r 2``."""
    followed = {"=": " ", " is False": " is not given"}
    options = {**OPTIONS, **OF_COMMANDS.get(command, {})}

    def told(match: re.Match[str]) -> str:
        option = options[match[1]]
        return match[0] if option is None else option + followed.get(match[2], "")

    return PARAMETER.sub(told, text)


class Console:
    """Lines and bars on standard error.

    Parameters
    ----------
    quiet : bool
        Only warnings (and errors, which are not this class's) are shown.
    command : str
        Whose options messages name.
    """

    def __init__(self, quiet: bool = False, command: str = "extract") -> None:
        self.quiet = quiet
        self._command = command
        self.warnings: list[str] = []
        self._open_bar = False

    def say(self, step: str, text: str) -> None:
        """A step and what there is to say of it."""
        if not self.quiet:
            self._line(f"{step:<10}{text}")

    def warn(self, text: str) -> None:
        """A warning, on one line, kept for the record too."""
        from brainsieve.provenance import without_secrets

        text = in_options(without_secrets(" ".join(text.split())), self._command)
        self.warnings.append(text)
        self._line(f"warning:  {text}")

    def progress(self, what: str) -> Progress | None:
        """A function to call with how many are done, and of how many."""
        return None if self.quiet else Progress(self, what)

    @contextmanager
    def showing_warnings(self) -> Iterator[None]:
        """Show Python's warnings for users as lines, each once, and leave out those for programmers.

        `warnings` then has those of this block.
        """

        def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if issubclass(category, UserWarning | RuntimeWarning) and str(message) not in seen:
                seen.add(str(message))
                self.warn(str(message))

        seen: set[str] = set()
        self.warnings = []
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield

    def bar(self, text: str) -> None:
        """Draw over the current line."""
        width = shutil.get_terminal_size().columns
        tell(f"\r{text[: width - 1]}\x1b[K", end="")
        self._open_bar = True

    def _line(self, text: str) -> None:
        if self._open_bar:
            tell("\r\x1b[K", end="")
            self._open_bar = False
        tell(text)

    def close_bar(self) -> None:
        if self._open_bar:
            tell("\r\x1b[K", end="")
            self._open_bar = False


def tell(text: str, end: str = "\n") -> None:
    """Write to the terminal what it can show; names that are no text in its encoding are escaped."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    print(shown, end=end, file=sys.stderr, flush=True)


class Progress:
    """How far a pass over a run is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._start = self._last = time.monotonic()
        self._on_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __call__(self, n_done: int, n_total: int, more: str = "") -> None:
        now = time.monotonic()
        if self._on_terminal:
            if n_done >= n_total:
                self._console.close_bar()
            elif now - self._last > 0.05:
                self._last = now
                self._console.bar(self._drawn(n_done, n_total, now) + more)
        elif now - self._last > LINE_EVERY_S and n_done < n_total:
            self._last = now
            self._console.say("", f"{n_done} of {n_total} {self._what}{more}")

    def _drawn(self, n_done: int, n_total: int, now: float) -> str:
        filled = int(BAR_WIDTH * n_done / n_total)
        left = (now - self._start) * (n_total - n_done) / max(n_done, 1)
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        return f"{'reading':<10}{bar} {n_done}/{n_total} {self._what}, {left:.0f} s left"
