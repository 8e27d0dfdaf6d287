"""What may be opened, and that errors name the file."""

from __future__ import annotations

import errno
import os
import struct
import zlib

import pytest

from brainsieve.engine.files import reading, regular_file
from brainsieve.exceptions import CorruptImageError, DimensionError, MissingFileError


def test_a_missing_file_is_a_file_not_found_and_a_value_error(tmp_path):
    for kind in (FileNotFoundError, ValueError, MissingFileError):
        with pytest.raises(kind, match=r"File not found: '.*nothing\.nii'"):
            regular_file(tmp_path / "nothing.nii")


@pytest.mark.parametrize(
    "asked, there",
    [("bold.nii", "bold.nii.gz"), ("bold.nii.gz", "bold.nii"), ("sub-01_bold.nii", "sub-01_bolt.nii")],
)
def test_what_is_likely_meant_is_said(asked, there, tmp_path):
    (tmp_path / there).write_bytes(b"x")
    (tmp_path / "unlike").write_bytes(b"x")
    with pytest.raises(MissingFileError, match=f"'{there}' is there"):
        regular_file(tmp_path / asked)


def test_nothing_is_guessed_where_nothing_is_like_it(tmp_path):
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(MissingFileError, match=r"bold\.nii'$"):
        regular_file(tmp_path / "bold.nii")
    with pytest.raises(MissingFileError, match="there is no folder"):
        regular_file(tmp_path / "none" / "bold.nii")
    with pytest.raises(MissingFileError):
        regular_file(tmp_path / "notes.txt" / "bold.nii")


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    for path in (tmp_path / "pipe.nii", "/dev/zero"):
        with pytest.raises(ValueError, match="not a regular file"):
            regular_file(path)
    with pytest.raises(ValueError, match="folder"):
        regular_file(tmp_path)
    with pytest.raises(ValueError, match="null character"):
        regular_file("a\0b")
    (tmp_path / "empty").touch()
    with pytest.raises(CorruptImageError, match="empty is empty"):
        regular_file(tmp_path / "empty")


def test_home_is_expanded_and_bytes_are_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").write_bytes(b"x")
    assert regular_file("~/x") == regular_file(os.fsencode(tmp_path / "x")) == str(tmp_path / "x")


@pytest.mark.parametrize(
    "foreign",
    [
        KeyError(7),
        struct.error("unpack requires 4 bytes"),
        zlib.error("bad"),
        OverflowError("too large"),
        TypeError("an integer is required"),
        ValueError("w2 should be positive"),
        IndexError(),
        RecursionError("deep"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        OSError("no number"),
        OSError(errno.EINVAL, "Invalid argument"),
    ],
    ids=repr,
)
def test_what_a_parser_raises_becomes_an_error_that_names_file_and_format(foreign):
    with pytest.raises(CorruptImageError, match="^/data/run.xyz cannot be read as XYZ: .+"):
        with reading("/data/run.xyz", "XYZ"):
            raise foreign


@pytest.mark.parametrize(
    "ours",
    [CorruptImageError("run.xyz is short"), DimensionError(2, 4, "run.xyz"), TypeError("run.xyz holds RGB")],
    ids=repr,
)
def test_errors_that_name_the_file_pass(ours):
    with pytest.raises(type(ours)) as caught, reading("/data/run.xyz", "XYZ"):
        raise ours
    assert caught.value is ours


def test_what_the_system_refused_keeps_its_class_and_gets_the_name():
    with pytest.raises(PermissionError, match="run.xyz"), reading("/data/run.xyz", "XYZ"):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(MemoryError, match="run.xyz"), reading("/data/run.xyz", "XYZ"):
        raise MemoryError
    with pytest.raises(ImportError, match=r"run\.xyz.*h5py"), reading("/data/run.xyz", "XYZ"):
        raise ModuleNotFoundError("No module named 'h5py'")
    with pytest.raises(MissingFileError, match=r"other\.rec.*run\.xyz"), reading("/data/run.xyz", "XYZ"):
        raise FileNotFoundError(errno.ENOENT, "No such file", "other.rec")
    with pytest.raises(KeyboardInterrupt), reading("/data/run.xyz", "XYZ"):
        raise KeyboardInterrupt
