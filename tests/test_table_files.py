"""Tables and records are written whole, and read back as what they were."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from brainsieve.provenance import file_record, plain, versions, write_json
from brainsieve.table_files import checked_table_path, distinct, frame_of, write_table


@pytest.mark.parametrize(("suffix", "read"), [("tsv", "\t"), ("csv", ",")])
def test_text_keeps_ten_digits_and_says_where_nothing_is(tmp_path, rng, suffix, read):
    values = rng.normal(1e4, 1, (5, 3))
    values[2, 1] = np.nan
    write_table(frame_of(values, ["a", "b", "c"]), tmp_path / f"t.{suffix}")
    assert "n/a" in (tmp_path / f"t.{suffix}").read_text()
    assert_allclose(pd.read_csv(tmp_path / f"t.{suffix}", sep=read), values, rtol=1e-9)


def test_parquet_keeps_every_bit(tmp_path, rng):
    values = rng.normal(size=(4, 2)).astype(np.float32)
    write_table(frame_of(values, ["a", "b"]), tmp_path / "t.parquet")
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert (table.dtypes == np.float32).all()
    assert (table.to_numpy() == values).all()


def test_one_sample_is_one_row():
    assert frame_of(np.arange(3.0), list("abc")).shape == (1, 3)


def test_parquet_without_pyarrow_is_an_error_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"brainsieve\[cohort\]"):
        checked_table_path(tmp_path / "t.parquet")


def test_a_folder_is_no_table(tmp_path):
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        checked_table_path(tmp_path / "folder.tsv")


@pytest.mark.skipif(os.name != "posix", reason="permissions of files are POSIX's")
def test_a_new_file_has_the_permissions_that_others_have(tmp_path):
    (tmp_path / "usual").write_text("")
    write_json({}, tmp_path / "ours.json")
    assert (tmp_path / "ours.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3"]), max_size=8))
def test_names_become_distinct_and_the_first_of_each_stays(names):
    made = distinct(names)
    assert len(set(made)) == len(names) == len(made)
    assert all(new.startswith(old) for new, old in zip(made, names, strict=True))
    first = {name: names.index(name) for name in names}
    assert all(made[position] == name for name, position in first.items())


def test_records_hold_what_json_holds(tmp_path):
    record = {
        "path": Path("a") / "b",
        "array": np.array([[1, 2]]),
        "number": np.float32(0.5),
        "nothing": float("nan"),
        "range": range(3),
        "tuple": (True, None),
        3: np.dtype(np.int16),
    }
    write_json(record, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "path": os.path.join("a", "b"),
        "array": [[1, 2]],
        "number": 0.5,
        "nothing": None,
        "range": [0, 1, 2],
        "tuple": [True, None],
        "3": "int16",
    }
    assert plain(record) == json.loads((tmp_path / "r.json").read_text())


def test_what_is_no_local_file_is_recorded_by_name_only():
    assert file_record("s3://bucket/run.nii.gz") == {
        "path": "s3://bucket/run.nii.gz",
        "bytes": None,
        "sha256": None,
    }


def test_versions_are_those_of_what_is_installed():
    assert versions()["numpy"] == np.__version__
    assert versions()["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
