"""Threads: how many there may be, and keeping those of BLAS out of the way of ours."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


def available_cpus() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


_lock = threading.Lock()
_n_inside = 0
_limiter: Any = None


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Products of matrices on the calling thread alone, in the whole process.

    Two of our threads with a product each are faster than one product on two threads, and the sums do not
    depend on how many threads there are. Counted: the last of several users restores what was before.
    """
    global _n_inside, _limiter
    with _lock:
        if _n_inside == 0:
            _limiter = _controller().limit(limits=1)
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0:
                _limiter.restore_original_limits()
                _limiter = None
