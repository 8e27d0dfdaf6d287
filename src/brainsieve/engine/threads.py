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


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def _in_control() -> Iterator[None]:
    """Let the calling thread set the number of threads.

    threadpoolctl 3.8 heeds one thread of the process only, the first that set a number, and
    silently no other: the last user of ours would not restore what the first had found.
    """

    def reset() -> None:
        for library in _controller().lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)

    reset()
    yield
    reset()


class BlasLimit:
    """One thread for BLAS while anybody asks for it, in the whole process.

    Counted, since the number of threads belongs to the process: users that each restored what they had found
    would, overlapping in threads, leave one thread for good.
    """

    def __init__(self) -> None:
        self._limiter: Any = None
        self._forget_users()

    def _forget_users(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        # Users that entered in the parent of a fork and leave in its child are none of the child's.
        self._generation = object()

    def after_fork(self) -> None:
        """In a child the other threads of its parent do not exist: neither who holds the lock nor its users."""
        self._forget_users()
        self._restore()

    def enter(self) -> object:
        with self._lock:
            if self._n_users == 0:
                with _in_control():
                    self._limiter = _controller().limit(limits=1)
            self._n_users += 1
            return self._generation

    def leave(self, generation: object) -> None:
        with self._lock:
            if generation is not self._generation:
                return
            self._n_users -= 1
            if self._n_users == 0:
                self._restore()

    def _restore(self) -> None:
        if self._limiter is not None:
            with _in_control():
                self._limiter.restore_original_limits()
            self._limiter = None


_limit = BlasLimit()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_limit.after_fork)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Products of matrices on the calling thread alone, in the whole process.

    Two of our threads with a product each are faster than one product on two threads, the sums do not depend
    on how many threads there are, and idle threads of BLAS do not spin on the processors that others need.
    """
    generation = _limit.enter()
    try:
        yield
    finally:
        _limit.leave(generation)
