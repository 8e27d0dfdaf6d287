"""Files that appear whole or not at all: after errors, interrupts, kills and on full disks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from brainsieve import whole_files
from brainsieve.whole_files import PREFIX, replacing, replacing_together

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions, links and signals are POSIX's")
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def names(folder):
    return sorted(os.listdir(folder))


def write(path, text=""):
    with replacing(path) as unfinished:
        unfinished.write_text(text)


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path, old, error):
    path = tmp_path / "t.tsv"
    if old is not None:
        path.write_text(old)
    with pytest.raises(error), replacing(path) as unfinished:
        unfinished.write_text("half of the n")
        raise error
    assert names(tmp_path) == ([] if old is None else ["t.tsv"])
    assert old is None or path.read_text() == old


def test_what_is_unfinished_has_the_name_of_its_target_and_is_seen_by_no_glob(tmp_path):
    (tmp_path / "bold.nii.gz").write_text("old")
    with replacing(tmp_path / "bold.nii.gz") as unfinished:
        unfinished.write_text("new")
        assert unfinished.name == "bold.nii.gz"
        assert [path.read_text() for path in tmp_path.glob("*.nii*")] == ["old"]
        assert [path.name for path in tmp_path.glob("[!.]*")] == ["bold.nii.gz"]
    assert (tmp_path / "bold.nii.gz").read_text() == "new"
    assert names(tmp_path) == ["bold.nii.gz"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "t.tsv"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["t.tsv"]


def test_several_files_come_together(tmp_path):
    paths = [tmp_path / "t.json", tmp_path / "t.tsv"]
    with replacing_together(paths) as unfinished:
        for file in unfinished:
            file.write_text(f"new {file.name}")
            assert not any(path.exists() for path in paths)
    assert [path.read_text() for path in paths] == ["new t.json", "new t.tsv"]
    assert names(tmp_path) == ["t.json", "t.tsv"]


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("existing", [(True, True, True), (False, True, False), (False, False, False)])
@pytest.mark.parametrize("fails_at", [0, 1, 2])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_rename_that_fails_takes_those_before_it_back(
    tmp_path, monkeypatch, linked, existing, fails_at, error
):
    paths = [tmp_path / name for name in ("a.json", "b.tsv", "c.tsv")]
    for path, there in zip(paths, existing, strict=True):
        if there:
            path.write_text(f"old {path.name}")
    before = {path.name: path.read_text() for path in paths if path.exists()}
    rename, seen = os.replace, []

    def failing(source, target):
        seen.append(target)
        if len(seen) == fails_at + 1:
            raise error
        rename(source, target)

    def refused(*_):
        raise PermissionError

    if not linked:
        monkeypatch.setattr(os, "link", refused)
    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(error), replacing_together(paths) as unfinished:
        for file in unfinished:
            file.write_text("new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_while_several_take_their_places_none_of_the_old_is_missing(tmp_path, monkeypatch):
    paths = [tmp_path / "a.json", tmp_path / "b.tsv"]
    for path in paths:
        path.write_text("old")
    rename = os.replace

    def watching(source, target):
        assert all(path.exists() for path in paths)
        rename(source, target)
        assert all(path.exists() for path in paths)

    monkeypatch.setattr(os, "replace", watching)
    with replacing_together(paths) as unfinished:
        for file in unfinished:
            file.write_text("new")
    assert [path.read_text() for path in paths] == ["new", "new"]


def test_files_of_several_folders_come_together(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(RuntimeError), replacing_together([tmp_path / "a/t", tmp_path / "b/t"]) as unfinished:
        assert [file.parent.parent.name for file in unfinished] == ["a", "b"]
        unfinished[0].write_text("x")
        raise RuntimeError
    assert names(tmp_path / "a") == names(tmp_path / "b") == []


def test_the_same_file_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="written twice"), replacing_together([tmp_path / "a"] * 2):
        pass
    assert names(tmp_path) == []


@POSIX
def test_permissions_are_those_of_the_old_file_or_the_usual_ones(tmp_path):
    (tmp_path / "usual").write_text("")
    (tmp_path / "old").write_text("")
    (tmp_path / "old").chmod(0o640)
    for name in ("new", "old"):
        with replacing(tmp_path / name) as unfinished:
            unfinished.write_text("text")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o640


@POSIX
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/real.tsv").write_text("old")
    (tmp_path / "link.tsv").symlink_to(tmp_path / "far/real.tsv")
    with replacing(tmp_path / "link.tsv") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "link.tsv").is_symlink()
    assert (tmp_path / "far/real.tsv").read_text() == "new"
    assert names(tmp_path / "far") == ["real.tsv"]


@POSIX
def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.tsv")
    for path, error, message in (
        (tmp_path / "pipe.tsv", ValueError, "pipe"),
        ("/dev/null", ValueError, "device"),
        (tmp_path, OSError, "folder"),
        (tmp_path / "no/t.tsv", OSError, "does not exist"),
        ("a\0b", ValueError, "no name"),
        ("~nobody-of-this-name/t.tsv", OSError, "does not exist"),
    ):
        with pytest.raises(error, match=message), replacing(path):
            pass
    assert not Path("/dev/null").is_file()


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="the superuser may write anything")
def test_a_protected_file_is_not_replaced(tmp_path):
    (tmp_path / "t.tsv").write_text("kept")
    (tmp_path / "t.tsv").chmod(0o444)
    with pytest.raises(PermissionError, match=r"t\.tsv"), replacing(tmp_path / "t.tsv"):
        pass


@POSIX
def test_names_that_are_no_unicode_are_written(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.tsv")
    with replacing(path) as unfinished:
        unfinished.write_text("x")
    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.tsv"]


def test_the_longest_name_is_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".tsv")
    with replacing(path) as unfinished:
        unfinished.write_text("x")
    assert path.read_text() == "x"


FULL = """
import resource, sys
from brainsieve.whole_files import replacing
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
with replacing(sys.argv[1]) as unfinished:
    unfinished.write_bytes(b"x" * 100_000)
"""


@LINUX
def test_a_full_disk_leaves_the_old_file_and_the_error_names_it(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"File too large: {str(path)!r}")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["t.tsv"]


KILLED = """
import sys, time
from brainsieve.whole_files import replacing_together
with replacing_together(sys.argv[1:]) as unfinished:
    for file in unfinished:
        file.write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has files of tmp_path unfinished, and would go on for long."""
    paths = [str(tmp_path / name) for name in ("t.json", "t.tsv")]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *paths], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


@LINUX
def test_what_a_killed_process_left_is_removed_by_the_next_writer(tmp_path, writer):
    (tmp_path / "t.tsv").write_text("old")
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(names(tmp_path)) == 2
    with replacing(tmp_path / "other.tsv") as unfinished:
        unfinished.write_text("x")
    assert names(tmp_path) == ["other.tsv", "t.tsv"]
    assert (tmp_path / "t.tsv").read_text() == "old"


@LINUX
def test_what_a_process_that_lives_writes_stays(tmp_path, writer):
    before = names(tmp_path)
    with replacing(tmp_path / "other.tsv") as unfinished:
        unfinished.write_text("x")
    assert names(tmp_path) == [*before, "other.tsv"]


@POSIX
def test_an_interrupt_from_the_keyboard_removes_what_is_unfinished(tmp_path, writer):
    writer.send_signal(signal.SIGINT)
    writer.wait()
    assert names(tmp_path) == []


@LINUX
@pytest.mark.parametrize("owner", ["other host", "before the restart", "this host"])
def test_leftovers_are_removed_only_where_their_process_is_known_to_be_gone(tmp_path, monkeypatch, owner):
    host = "00000000" if owner == "other host" else whole_files._host()
    boot = "00000000" if owner == "before the restart" else whole_files._boot()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f"{PREFIX}{host}-{boot}-{gone.pid}-17-abcdefgh"
    left.mkdir()
    (left / "t.tsv").write_text("half")
    write(tmp_path / "a")
    assert left.exists() is (owner != "this host")
    a_day_ago = time.time() - 2 * whole_files.A_DAY
    if owner != "this host":
        for path in (left / "t.tsv", left):
            os.utime(path, (a_day_ago, a_day_ago))
        whole_files._next_scan.clear()
        write(tmp_path / "b")
        assert left.exists() is (owner == "other host")


@LINUX
def test_a_number_that_is_another_process_by_now_is_no_writer(tmp_path):
    left = tmp_path / f"{PREFIX}{whole_files._host()}-{whole_files._boot()}-{os.getpid()}-17-abcdefgh"
    left.mkdir()
    write(tmp_path / "a")
    assert names(tmp_path) == ["a"]


@POSIX
def test_what_only_looks_like_ours_stays(tmp_path):
    mark = f"{PREFIX}{whole_files._host()}-{whole_files._boot()}-999999999-17-abcdefgh"
    (tmp_path / mark).write_text("a file of a user")
    others = (f"{mark}-copy", f"{PREFIX}mine", ".t.tsv-abcdefgh", "unfinished_t.tsv", ".unfinished_t.tsv")
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / f"{mark[:-8]}bbbbbbbb").symlink_to(tmp_path / "linked")
    before = names(tmp_path)
    write(tmp_path / "t.tsv")
    assert names(tmp_path) == sorted([*before, "t.tsv"])


def test_another_process_writes_under_a_name_of_its_own(tmp_path):
    with replacing(tmp_path / "a") as unfinished:
        unfinished.write_text("parent")
        child = multiprocessing.get_context("spawn").Process(target=write, args=(tmp_path / "b",))
        child.start()
        child.join()
        assert unfinished.read_text() == "parent"
    assert names(tmp_path) == ["a", "b"]


def test_threads_write_the_same_file_whole(tmp_path):
    path = tmp_path / "t"
    texts = [str(n) * 10_000 for n in range(8)]
    threads = [threading.Thread(target=write, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert names(tmp_path) == ["t"]


def test_a_folder_is_looked_through_seldom_where_that_takes_long(tmp_path, monkeypatch):
    looked, now = [], [0.0]

    def slow(folder):
        looked.append(now[0])
        now[0] += 1.0
        return real(folder)

    real = os.scandir
    monkeypatch.setattr(whole_files.os, "scandir", slow)
    monkeypatch.setattr(whole_files.time, "monotonic", lambda: now[0])
    for _ in range(50):
        whole_files._remove_leftovers(tmp_path)
        now[0] += 1.0
    assert len(looked) == 3
