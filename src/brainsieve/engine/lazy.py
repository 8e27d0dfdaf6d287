"""Properties that are computed when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy_property(Generic[T]):  # noqa: N801 (a decorator, as `property` is)
    """A property computed once for each object, without a lock.

    `functools.cached_property` of Python 3.11 holds a lock of the whole class while it computes: a process that
    is forked meanwhile waits for it for ever. Here two threads may compute the same value, and one of them is kept.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> lazy_property[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> lazy_property[T] | T:
        if instance is None:
            return self
        # Next time Python finds the value in the object's own dictionary, and does not come here.
        return instance.__dict__.setdefault(self._name, self._compute(instance))
