"""Tables and records are written whole, and read back as what they were."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from brainsieve.provenance import file_record, our_record, plain, versions, without_secrets, write_json
from brainsieve.table_files import _text as table_text
from brainsieve.table_files import checked_table_path, distinct, frame_of, write_table
from brainsieve.tables import read_table


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


ODD_NAMES = [
    "a\rb",
    "c\nd",
    "m\r\nn",
    'e"f',
    '"',
    '""',
    "g\th",
    "i,j",
    " k ",
    "'l'",
    "\\",
    '\\"',
    "NA",
    "001",
    "é",
    "#x",
]


@pytest.mark.parametrize(("suffix", "separator"), [("tsv", "\t"), ("csv", ",")])
def test_names_of_any_characters_are_read_back_by_pandas_as_they_are(tmp_path, rng, suffix, separator):
    values = rng.normal(size=(len(ODD_NAMES), len(ODD_NAMES)))
    table = frame_of(values, ODD_NAMES)
    table.index = ODD_NAMES
    write_table(table, tmp_path / f"t.{suffix}", index_label="region")
    again = pd.read_csv(tmp_path / f"t.{suffix}", sep=separator, index_col="region", keep_default_na=False)
    assert again.columns.tolist() == again.index.tolist() == ODD_NAMES
    assert_allclose(again, values, rtol=1e-9)


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1, unique=True
    )
)
def test_any_names_go_through_tables(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "t.tsv"
    write_table(frame_of(np.arange(float(len(names))), names), path)
    assert pd.read_csv(path, sep="\t").columns.tolist() == names
    assert b"\r\n" not in path.read_bytes() or any("\r\n" in name for name in names)


def test_an_empty_name_is_told_as_such():
    assert frame_of(np.zeros((1, 3)), ["", "a", ""]).columns.tolist() == ["unnamed", "a", "unnamed_2"]


def test_lines_of_text_end_as_unix_has_them(tmp_path):
    write_table(frame_of(np.zeros((2, 2)), ["a", "b"]), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_bytes() == b"a\tb\n0\t0\n0\t0\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://me:pass@host/run.nii?token=abc", "https://***@host/run.nii?token=***"),
        (
            "see https://h/r?sig=abc&version=3, and s3://k:v@b/x",
            "see https://h/r?sig=***&version=3, and s3://***@b/x",
        ),
        ("no URL at all", "no URL at all"),
    ],
)
def test_secrets_of_urls_are_struck_out_of_records(tmp_path, text, told):
    assert without_secrets(text) == told.replace(", and", without_secrets(", and"))
    write_json({"command": ["x", text], "of": {"file": Path("a")}}, tmp_path / "r.json")
    written = (tmp_path / "r.json").read_text()
    for secret in ("pass", "abc", "k:v"):
        assert secret not in written
    assert file_record("https://me:pass@host/run.nii")["path"] == "https://***@host/run.nii"


def test_names_that_are_no_unicode_come_back_from_json(tmp_path):
    name = os.fsdecode(b"caf\xe9.nii")
    write_json({"path": name}, tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_bytes().decode("utf-8"))["path"] == name


def test_only_records_of_ours_are_ours(tmp_path):
    write_json({"versions": versions(), "x": 1}, tmp_path / "ours.json")
    assert our_record(tmp_path / "ours.json")["x"] == 1
    for content in ("[]", "{}", '{"versions": 3}', '{"versions": {"numpy": "2"}}', "[" * 99_999, "nothing"):
        (tmp_path / "other.json").write_text(content)
        assert our_record(tmp_path / "other.json") is None
    (tmp_path / "other.json").write_bytes(b"\xff\xfe")
    assert our_record(tmp_path / "other.json") is None
    assert our_record(tmp_path / "none.json") is None
    assert our_record(tmp_path) is None


def test_images_and_tables_are_told_shortly():
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    assert plain(image) == "<Nifti1Image of shape (2, 3, 4)>"
    assert plain(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})) == {"a": [1, 2], "b": ["x", "y"]}


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


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_names_of_any_letters_come_back_as_they_were(tmp_path, suffix):
    names = ["a\rb", "a\nb", "a\tb", 'a"b', '"q"', "x,y", " lead", "NA", "c\r\nd", "#x", "it's", "plain"]
    separator = "\t" if suffix == ".tsv" else ","
    signals = pd.DataFrame([[0.5] * len(names), [1.5] * len(names)], columns=names)
    write_table(signals, tmp_path / f"signals{suffix}")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / f"signals{suffix}", sep=separator), signals)
    table = pd.DataFrame({"index": range(len(names)), "name": names})
    write_table(table, tmp_path / f"lut{suffix}")
    read = pd.read_csv(tmp_path / f"lut{suffix}", sep=separator, keep_default_na=False)
    pd.testing.assert_frame_equal(read, table)
    assert list(read_table(tmp_path / f"signals{suffix}").columns) == [name.strip() for name in names]


def test_very_many_equal_names_are_told_apart_one_by_one():
    """Counted from the start for each, these would take hours."""
    n = 60_000
    assert distinct(["V1"] * n + ["V1_3"]) == [
        "V1", "V1_2", *(f"V1_{i}" for i in range(4, n + 2)), "V1_3"
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_names_are_told_apart_as_when_each_is_counted_anew(seed):
    def counted_anew(names):
        taken, result = set(names), []
        for name in names:
            unique, number = name, 1
            while unique in result or (number > 1 and unique in taken):
                number += 1
                unique = f"{name}_{number}"
            result.append(unique)
        return result

    rng = np.random.default_rng(seed)
    names = rng.choice(["a", "b", "a_2", "a_3", "a_2_2", "b_2"], 40).tolist()
    assert distinct(names) == counted_anew(names)
    assert len(set(distinct(names))) == len(names)


@pytest.mark.parametrize("index_label", [None, "Node"])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_numbers_are_written_as_pandas_writes_them(separator, index_label):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5)) * 10.0 ** rng.integers(-12, 12, size=(40, 5))
    values[3, 1], values[4], values[5, 2], values[6, 0] = np.nan, np.nan, -np.inf, -0.0
    names = ["a", "b,\tc", 'd "e"', "f\ng", ""]
    frame = pd.DataFrame(values, columns=names, index=[names[i % 4] + str(i) for i in range(40)])
    text = frame.to_csv(
        sep=separator,
        index=index_label is not None,
        index_label=index_label,
        float_format="%.10g",
        na_rep="n/a",
        lineterminator="\n",
    )
    assert table_text(frame, separator, index_label) == text
