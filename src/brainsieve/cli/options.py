"""Kinds of options: given once, switched on and off, and what their values must be."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any


class UsageError(Exception):
    """A command line that cannot be meant, whatever the files hold."""


class Once(argparse.Action):
    """An option that may be given once: of two values one would be lost without a word."""

    given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.given:
            parser.error(f"argument {'/'.join(self.option_strings)}: given twice; one value is needed")
        self.given = True
        setattr(namespace, self.dest, self._value(values, option_string))

    def _value(self, values: Any, option_string: str | None) -> Any:
        return True if self.nargs == 0 else values


class Switch(Once):
    """--NAME and --no-NAME, one of them and once."""

    def __init__(self, option_strings: Sequence[str], dest: str, **settings: Any) -> None:
        name = option_strings[0].removeprefix("--")
        super().__init__([f"--{name}", f"--no-{name}"], dest, nargs=0, **settings)

    def _value(self, values: Any, option_string: str | None) -> bool:
        return not str(option_string).startswith("--no-")


def add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        *("-q", "--quiet"), action=Once, nargs=0, default=False, help="say nothing but warnings and errors"
    )
    command.add_argument(
        "--debug", action=Once, nargs=0, default=False, help="show where an error comes from"
    )


def positive(text: str) -> float:
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return value


def not_negative(text: str) -> float:
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    return value


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def positive_count(text: str) -> int:
    value = count(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return value


def share(text: str) -> float:
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not from 0 to 1")
    return value


def label(text: str) -> float | int:
    value = number(text)
    return int(value) if value == int(value) else value


def fwhm(text: str) -> float | str | tuple[float, ...]:
    if text == "fast":
        return text
    widths = tuple(number(part) for part in text.split(","))
    if min(widths) < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is negative")
    if len(widths) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text!r} must be one value of mm, or three as in 6,6,4")
    return widths[0] if len(widths) == 1 else widths


def number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return number
