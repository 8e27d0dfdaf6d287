"""Claims that tests make beyond those of `numpy.testing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def assert_refused(call: Callable[[], Any], error: type[Exception], *words: str) -> None:
    """Assert that a call raises an error of a type, whose message has all of some words."""
    try:
        result = call()
    except error as raised:
        message = str(raised)
        missing = [word for word in words if word not in message]
        assert not missing, f"the error does not say {missing}: {message}"
    else:
        raise AssertionError(f"{error.__name__} was to be raised; {type(result).__name__} came instead")
