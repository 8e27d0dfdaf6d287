"""Compiled plans, kept in this process: each is built once, however many maskers and threads ask for it."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

# Plans that are kept for reuse in this process.
CACHE_BYTES = 2**29


class PlanCache:
    """Plans, of which the least recently used are dropped; one is built at a time for each key.

    Parameters
    ----------
    max_bytes : int
        What the plans may hold together. The last one is kept whatever its size.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._plans: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self.renew_locks()

    def renew_locks(self) -> None:
        """Forget who holds a lock: in the child of a fork its holder, a thread of the parent, does not exist."""
        self._lock = threading.Lock()
        self._building: dict[Hashable, threading.Lock] = {}

    def __len__(self) -> int:
        return len(self._plans)

    @property
    def nbytes(self) -> int:
        """What the plans hold together."""
        with self._lock:
            return sum(size for _, size in self._plans.values())

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """The plan of a key, built if need be. What `build` raises is raised, and nothing kept."""
        with self._lock:
            if key in self._plans:
                return self._used(key)
            building = self._building.setdefault(key, threading.Lock())
        with building:
            with self._lock:
                if key in self._plans:
                    return self._used(key)
            try:
                plan = build()
                with self._lock:
                    self._plans[key] = (plan, held_bytes(plan))
                    self._drop_oldest()
                return plan
            finally:
                with self._lock:
                    self._building.pop(key, None)

    def clear(self) -> None:
        """Drop all plans; those in use stay with their users."""
        with self._lock:
            self._plans.clear()

    def _used(self, key: Hashable) -> Any:
        self._plans.move_to_end(key)
        return self._plans[key][0]

    def _drop_oldest(self) -> None:
        total = sum(size for _, size in self._plans.values())
        while len(self._plans) > 1 and total > self._max_bytes:
            _, (_, size) = self._plans.popitem(last=False)
            total -= size


def held_bytes(plan: Any) -> int:
    """Memory of a plan: what it says itself, or the sum over the fields of a dataclass or sequence."""
    if isinstance(getattr(plan, "nbytes", None), int | np.integer):
        return int(plan.nbytes)
    if dataclasses.is_dataclass(plan):
        return sum(held_bytes(getattr(plan, field.name)) for field in dataclasses.fields(plan))
    if isinstance(plan, list | tuple):
        return sum(map(held_bytes, plan))
    return 0


_cache = PlanCache(CACHE_BYTES)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_cache.renew_locks)


def cached_plan(key: Hashable, build: Callable[[], Any]) -> Any:
    """What `build` gives, built once in this process for each key.

    Plans are operators, or dataclasses and sequences that hold some. Up to `CACHE_BYTES` of them are kept.
    """
    return _cache.get(key, build)


def clear_plans() -> None:
    """Drop the compiled plans (operators from images to regions) that this process keeps for reuse.

    They hold 512 MiB at the most; what is asked for again is compiled again. Fitted maskers stay as they are.
    """
    _cache.clear()
