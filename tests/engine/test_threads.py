"""BLAS has one thread while we work, and its own number again afterwards: in threads, and in children of a fork."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from brainsieve.engine.extract import Request, extract
from brainsieve.engine.source import open_source
from brainsieve.engine.source.streams import Ahead
from brainsieve.engine.spatial.average import Average
from brainsieve.engine.threads import single_threaded_blas


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_blas_threads():
    with threadpool_limits(2, "blas"):
        yield


def in_child(call):
    """What a function gives in a forked child, as text; fails where the child hangs or dies."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(call()).encode())
        finally:
            os._exit(0)
    os.close(write)
    watchdog = threading.Timer(30, os.kill, (pid, 9))
    watchdog.start()
    with os.fdopen(read) as stream:
        said = stream.read()
    os.waitpid(pid, 0)
    watchdog.cancel()
    return said


def test_one_thread_inside_and_two_again_outside():
    with single_threaded_blas():
        assert blas_threads() == {1}
        with single_threaded_blas():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_an_error_inside_restores():
    with pytest.raises(KeyError), single_threaded_blas():
        raise KeyError
    assert blas_threads() == {2}


def test_users_that_overlap_in_threads_leave_what_they_found():
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def second():
        first_is_in.wait()
        with single_threaded_blas():
            second_is_in.set()
            first_is_out.wait()

    thread = threading.Thread(target=second)
    thread.start()
    with single_threaded_blas():
        first_is_in.set()
        second_is_in.wait()
    assert blas_threads() == {1}
    first_is_out.set()
    thread.join()
    assert blas_threads() == {2}


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@needs_fork
def test_the_child_of_a_fork_inside_has_its_threads_and_may_leave():
    def child():
        found = blas_threads()
        with single_threaded_blas():
            found |= blas_threads()
        return sorted(found | blas_threads())

    with single_threaded_blas():
        # The child also leaves the parent's `with`: that must not count.
        said = in_child(child)
    assert said == "[1, 2]"
    assert blas_threads() == {2}


@needs_fork
def test_a_child_that_leaves_its_parents_with_keeps_its_threads():
    def child():
        limit.__exit__(None, None, None)
        with single_threaded_blas():
            inside = blas_threads()
        return inside, blas_threads()

    limit = single_threaded_blas()
    limit.__enter__()
    try:
        assert in_child(child) == "({1}, {2})"
    finally:
        limit.__exit__(None, None, None)
    assert blas_threads() == {2}


@needs_fork
def test_a_fork_while_another_thread_holds_the_lock_does_not_hang_the_child():
    from brainsieve.engine import threads

    held, release = threading.Event(), threading.Event()

    def hold():
        with threads._limit._lock:
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()

    def child():
        with single_threaded_blas():
            return float((np.ones((50, 50)) @ np.ones((50, 50))).sum())

    assert in_child(child) == "125000.0"
    release.set()
    holder.join()


@needs_fork
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_child_forked_in_the_middle_of_a_pass_may_leave_it_and_work_on(tmp_path, suffix):
    import nibabel as nib

    data = np.random.default_rng(0).integers(0, 99, (6, 5, 4, 40)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / f"run{suffix}")
    source = open_source(tmp_path / f"run{suffix}")
    request = Request(Average.from_codes(np.arange(120) % 3, 3))
    expected = extract(source, [request])[0].values

    class LeaveError(Exception):
        pass

    def fork(n_done, n_total):
        def child():
            # All that the parent's frames would do on their way out, then a pass of its own.
            blocks.close()
            limit.__exit__(None, None, None)
            outside = blas_threads()
            same = np.array_equal(extract(source, [request])[0].values, expected)
            with pytest.raises(RuntimeError, match="forked"):
                next(others)
            return outside, same

        said.append(in_child(child))
        raise LeaveError

    said = []
    for _ in range(5):
        blocks, others = source.blocks(4), iter(Ahead(lambda free, left: ((None, b) for b in free), 8))
        next(blocks), next(others)
        limit = single_threaded_blas()
        limit.__enter__()
        with pytest.raises(LeaveError):
            extract(source, [request], progress=fork)
        limit.__exit__(None, None, None)
        blocks.close(), others.close()
    assert said == ["({2}, True)"] * 5
