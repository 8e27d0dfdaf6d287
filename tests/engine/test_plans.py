"""Compiled plans are kept as the cache says, shared by threads, and survive a fork."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass

import numpy as np
import pytest

import brainsieve
from brainsieve.engine.lazy import lazy_property
from brainsieve.engine.plans import PlanCache, cached_plan, held_bytes
from brainsieve.engine.spatial.average import Average


@dataclass
class Sized:
    nbytes: int


def test_the_least_recently_used_plans_are_dropped():
    cache = PlanCache(max_bytes=100)
    built = []

    def get(key, size=40):
        return cache.get(key, lambda: built.append(key) or Sized(size))

    for key in ("a", "b", "a", "c", "a", "b"):
        get(key)
    assert built == ["a", "b", "c", "b"]
    # A plan that is larger than the cache is kept until the next one comes.
    assert get("large", 1000) is get("large", 1000)
    get("a")
    assert built == ["a", "b", "c", "b", "large", "a"]


def test_plans_are_dropped_until_the_others_fit_and_no_more():
    cache = PlanCache(max_bytes=100)
    for key, size in (("a", 30), ("b", 30), ("c", 40)):
        cache.get(key, lambda size=size: Sized(size))
    assert (len(cache), cache.nbytes) == (3, 100)  # what fits exactly, fits
    cache.get("d", lambda: Sized(10))
    assert (len(cache), cache.nbytes) == (3, 80)
    cache.get("e", lambda: Sized(70))
    assert (len(cache), cache.nbytes) == (2, 80)  # "b" and "c" are gone


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_kept_of_a_key_once_its_plan_is_gone(fails):
    class Key:
        pass

    def build():
        if fails:
            raise ValueError
        return Sized(1)

    cache, key = PlanCache(100), Key()
    held = weakref.ref(key)
    with contextlib.suppress(ValueError):
        cache.get(key, build)
    cache.clear()
    del key
    gc.collect()
    assert held() is None


def test_a_plan_is_built_once_by_many_threads():
    cache, built, got = PlanCache(100), [], []

    def build():
        time.sleep(0.02)
        built.append(1)
        return Sized(1)

    threads = [threading.Thread(target=lambda: got.append(cache.get("key", build))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert all(one is got[0] for one in got)


def test_a_plan_that_cannot_be_built_is_tried_again():
    cache = PlanCache(100)

    def fail():
        raise ValueError("no voxel left")

    for _ in range(2):
        with pytest.raises(ValueError, match="no voxel left"):
            cache.get("key", fail)
    assert cache.get("key", lambda: Sized(1)).nbytes == 1


def test_plans_are_measured_through_dataclasses_and_lists():
    @dataclass
    class Recipe:
        space: object
        beside: object
        name: str = "x"

    mean = Average.from_codes(np.zeros(9, dtype=int), 1)
    assert held_bytes(Recipe(mean, [mean, None])) == 2 * mean.nbytes
    assert held_bytes("neither") == 0


def test_a_plan_is_built_once_for_each_key_until_plans_are_cleared():
    built = []

    def get():
        return cached_plan(("test", 1), lambda: built.append(1) or Sized(3))

    assert get() is get()
    assert built == [1]
    brainsieve.clear_plans()
    get()
    assert built == [1, 1]


def test_clearing_frees_what_is_held():
    cache = PlanCache(100)
    cache.get("a", lambda: Sized(40))
    cache.get("b", lambda: Sized(50))
    assert (len(cache), cache.nbytes) == (2, 90)
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")

FORK_WHILE_A_PLAN_IS_COMPILED = """
import os, threading
from brainsieve.engine.plans import _cache, cached_plan
compiling, done = threading.Event(), threading.Event()

def slow():
    compiling.set()
    done.wait()
    return "of the parent"

other = threading.Thread(target=cached_plan, args=("key", slow))
other.start()
compiling.wait()
{hold}
child = os.fork()
if child == 0:
    os._exit(0 if cached_plan("key", lambda: "of the child") == "of the child" else 3)
_, status = os.waitpid(child, 0)
done.set()
{release}
other.join()
assert cached_plan("key", None) == "of the parent"
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@needs_fork
@pytest.mark.parametrize("lock", ["of the plan", "of the cache"])
def test_a_child_forked_while_a_plan_is_compiled_compiles_its_own(lock):
    hold, release = (
        ("_cache._lock.acquire()", "_cache._lock.release()") if lock == "of the cache" else ("", "")
    )
    code = FORK_WHILE_A_PLAN_IS_COMPILED.format(hold=hold, release=release)
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_lazy_property_is_computed_once_for_each_object():
    class Thing:
        n = 0

        @lazy_property
        def value(self):
            """What it is."""
            self.n += 1
            return [self.n]

    one, other = Thing(), Thing()
    assert one.value is one.value
    assert one.value is not other.value
    assert (one.n, other.n) == (1, 1)
    assert Thing.value.__doc__ == "What it is."


@needs_fork
def test_a_lazy_property_that_another_thread_computes_does_not_block_the_child_of_a_fork():
    code = """
import os, threading
from brainsieve.engine.lazy import lazy_property
computing, done = threading.Event(), threading.Event()

class Thing:
    slow = False

    @lazy_property
    def value(self):
        if self.slow:
            computing.set()
            done.wait()
        return 1

other = Thing()
other.slow = True
thread = threading.Thread(target=lambda: other.value)
thread.start()
computing.wait()
child = os.fork()
if child == 0:
    os._exit(0 if Thing().value == 1 else 3)
_, status = os.waitpid(child, 0)
done.set()
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
