"""Tables as people and programs write them, read cell by cell; pandas is the oracle where it reads them right."""

from __future__ import annotations

import io
import os

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from brainsieve.signal import clean
from brainsieve.tables import read_confounds, read_sample_mask, read_table

VALUES = np.array([[0.5, 1, -2], [1.5, 3, 4e-3], [2.5, 5, 6]])


def written(tmp_path, text: str | bytes, name: str = "table.tsv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("separator", ["\t", ",", ";", "  "])
@pytest.mark.parametrize("header", [["a", "b", "c"], ["global signal", "b", "c"], None])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_separators_headers_and_line_ends_are_found_out(tmp_path, separator, header, end, bom):
    if separator == "  " and header and " " in header[0]:
        pytest.skip("nobody could tell these names apart")
    lines = [separator.join(map(repr, row.tolist())) for row in VALUES]
    text = end.join(([separator.join(header)] if header else []) + lines) + end
    table = read_table(written(tmp_path, bom + text.encode(), "t.txt"))
    assert list(table.columns) == (header or [0, 1, 2])
    assert_array_equal(table.to_numpy(float), VALUES)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("names", [None, ["a", "b", "c"]])
@pytest.mark.parametrize("separator", ["\t", ","])
def test_what_pandas_writes_is_read_as_it_was(tmp_path, index, names, separator):
    frame = pd.DataFrame(VALUES, columns=names)
    frame.to_csv(tmp_path / "t.csv", index=index, sep=separator)
    assert_array_equal(read_confounds(tmp_path / "t.csv", 3), VALUES)
    if names or index:
        assert [str(c) for c in read_table(tmp_path / "t.csv").columns] == (names or ["0", "1", "2"])
    pd.read_csv(tmp_path / "t.csv", sep=separator).to_csv(tmp_path / "again.csv", index=index)
    assert_array_equal(read_confounds(tmp_path / "again.csv", 3), VALUES)


def test_times_as_an_index_are_left_out_too(tmp_path):
    pd.DataFrame(VALUES, index=[0.0, 2.2, 4.4]).to_csv(tmp_path / "t.csv")
    assert_array_equal(read_confounds(tmp_path / "t.csv", 3), VALUES)


@pytest.mark.parametrize("n_rows", [3, 2])
def test_a_first_row_0_1_2_is_a_header_only_where_the_rows_say_so(tmp_path, n_rows):
    path = written(tmp_path, "0\t1\n5\t6\n7\t8\n")
    assert len(read_confounds(path, n_rows)) == n_rows


def test_a_first_value_that_is_missing_is_no_header(tmp_path):
    path = written(tmp_path, "\t1.5\n0.5\t2.5\n", "t.txt")
    table = read_table(path)
    assert len(table) == 2 and np.isnan(table.iloc[0, 0])


def test_afni_files_with_comments(tmp_path):
    text = "# <matrix\n#  ni_type = 2*double\n# >\n 0.1 0.2\n-0.3   4\n# </matrix>\n 5 6\n"
    read = read_confounds(written(tmp_path, text, "motion.1D"), 3)
    assert_array_equal(read, [[0.1, 0.2], [-0.3, 4], [5, 6]])


@pytest.mark.parametrize("name", ["global signal", "white matter, eroded", 'a "b" c'])
@pytest.mark.parametrize("suffix", ["tsv", "csv", "txt"])
def test_one_column_is_one_whatever_its_name(tmp_path, name, suffix):
    path = tmp_path / f"t.{suffix}"
    pd.DataFrame({name: [0.5, 1.5]}).to_csv(path, sep="\t" if suffix != "csv" else ",", index=False)
    table = read_table(path)
    assert list(table.columns) == [name] and list(table[name]) == [0.5, 1.5]


def test_quoted_names_and_rows_with_one_separator_more(tmp_path):
    table = read_table(written(tmp_path, '"a, b","c ""d"""\n1,2\n', "t.csv"))
    assert list(table.columns) == ["a, b", 'c "d"']
    assert_array_equal(read_table(written(tmp_path, "a\tb\n1\t2\t\n3\t4\t\n")), [[1, 2], [3, 4]])
    assert_array_equal(read_table(written(tmp_path, "a\tb\nr1\t1\t2\nr2\t3\t4\n")), [[1, 2], [3, 4]])


@pytest.mark.parametrize("mark", ["n/a", "", "NaN", "NA", "nan", "null"])
def test_missing_values_of_all_programs_are_nan(tmp_path, mark):
    table = read_table(written(tmp_path, f"a\tb\n{mark}\t2\n3\t4\n"))
    assert_array_equal(table.to_numpy(float), [[np.nan, 2], [3, 4]])


def test_a_missing_value_names_column_file_and_row(tmp_path):
    path = written(tmp_path, "a\tfd power\tc\n1\tn/a\t2\n2\t0.5\tinf\n3\t1\t1\n")
    signals = np.random.default_rng(0).normal(size=(3, 2))
    with pytest.raises(ValueError, match=r"table.tsv.*'fd power', 'c', rows 0, 1 .*first row of derivatives"):
        clean(signals, confounds=path)
    with pytest.raises(ValueError, match=r"table.tsv.*'c', rows 1 \(from 0\)\.$"):
        clean(signals, confounds=path, sample_mask=np.array([1, 2]))
    # What is left out may lack values, also where runs stand in one array.
    with pytest.warns(UserWarning, match="explain everything"):
        clean(signals, confounds=path, sample_mask=[2], detrend=False, standardize=None)
    many = np.tile(signals, (4, 1))
    frame = pd.DataFrame({"x": [1.0, np.nan, 3, 4, 5, 7, 7, 8, 9, 9, 1, 2]})
    runs = [0] * 6 + [1] * 6
    clean(many, confounds=frame, runs=runs, sample_mask=[[0, 2, 3, 4], [0, 1, 2, 3, 4]])
    with pytest.raises(ValueError, match=r"confounds: .*'x', rows 1 "):
        clean(many, confounds=frame, runs=runs, sample_mask=[[0, 1, 3, 4], [0, 1, 2, 3, 4]])


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\x93NUMPY\x01\x00", "NumPy array: numpy.load"),
        (b"MATLAB 5.0 MAT-file" + bytes(20), "MATLAB file"),
        (b'{"a": {"Mask": "CSF"}}', "holds JSON"),
        (b"[[1, 2]]", "holds JSON"),
        (b"PK\x03\x04\0\0", "Excel"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"a\tb\n1\x002\n", "no text file"),
        (b"# only\n", "is empty: it has no row"),
        (b"a\tb\n1\t2\n3\n", r"row 2 .* has 1 cells, the first 2"),
        (b'a\tb\n1\t"2\n3\t4\n', "cannot be read as a table"),
    ],
)
def test_what_is_no_table_says_what_it_is(tmp_path, content, message):
    path = written(tmp_path, content, "given.tsv")
    with pytest.raises(ValueError, match=f"given.tsv.*{message}"):
        read_confounds(path, 2)


def test_text_where_numbers_should_be_names_column_row_and_cell(tmp_path):
    with pytest.raises(TypeError, match=r"t.tsv.*column 'b' holds no number in row 1: 'x'"):
        read_confounds(written(tmp_path, "a\tb\n1\t2\n3\tx\n", "t.tsv"), 2)
    with pytest.raises(TypeError, match="'0,5'.*A comma is no decimal point"):
        read_confounds(written(tmp_path, "a;b\n0,5;1\n0,7;2\n", "t.csv"), 2)


def test_missing_files_folders_and_pipes(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.tsv"):
        read_confounds(tmp_path / "none.tsv", 2)
    with pytest.raises(ValueError, match="folder"):
        read_table(tmp_path)
    os.mkfifo(tmp_path / "pipe.tsv")
    with pytest.raises(ValueError, match="pipe"):
        read_table(tmp_path / "pipe.tsv")


def test_utf16_of_spreadsheets(tmp_path):
    path = written(tmp_path, "a\tb\r\n1\t2\r\n".encode("utf-16"))
    assert_array_equal(read_table(path), [[1, 2]])


# -- sample masks ---------------------------------------------------------------------------------------

KEPT = [0, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "0\n2\n3\n",
        "0 2 3\n",
        "0,2,3",
        "keep\n0\n2\n3\n",
        "0\n0\n2\n3\n",
        ",keep\n0,0\n1,2\n2,3\n",
        ",0\n0,0\n1,2\n2,3\n",
        "1\n0\n1\n1\n0\n",
        "0\n1\n0\n1\n1\n0\n",
        "True\nFalse\nTrue\ntrue\nFalse\n",
        "keep\nTRUE\n0\n1\n1\nFALSE\n",
        ",keep\n0,True\n1,False\n2,True\n3,True\n4,False\n",
        "\ufeff0\r\n2\r\n3\r\n",
        "# volumes\n0\n2\n3\n",
    ],
)
def test_lists_of_volumes_as_programs_write_them(tmp_path, text):
    assert_array_equal(read_sample_mask(written(tmp_path, text, "keep.tsv"), 5), KEPT)


@pytest.mark.parametrize(
    "values", [np.array(KEPT), np.array([True, False, True, True, False]), np.array([KEPT])]
)
def test_arrays_of_volumes(tmp_path, values):
    np.save(tmp_path / "keep.npy", values)
    assert_array_equal(read_sample_mask(tmp_path / "keep.npy", 5), KEPT)


@pytest.mark.parametrize("integers", ["int64", "uint8"])
def test_series_of_pandas_with_and_without_index_and_header(tmp_path, integers):
    series = pd.Series(KEPT, dtype=integers)
    for options in ({}, {"header": False}, {"index": False}, {"index": False, "header": False}):
        series.to_csv(tmp_path / "keep.csv", **options)
        assert_array_equal(read_sample_mask(tmp_path / "keep.csv", 5), KEPT)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1\n0\n1\n", "3 flags; the run has 5 volumes"),
        ("0\n1\n", "2 flags; the run has 5"),
        ("1\n1\n1\n1\n1\n1\n", "6 flags"),
        ("True\nFalse\n", "2 flags"),
        ("0\n2\n2\n", "more than once"),
        ("3\n2\n", "not sorted"),
        ("0\n5\n", "index 5"),
        ("-1\n3\n", "'-1'"),
        ("0.0\n3.0\n", "'0.0'"),
        ("True\n3\n", "mixes True and False with '3'"),
        ("a\tb\n1\t2\n", "2 columns"),
        ("keep\n", "keeps no sample"),
        ("99999999999999999999\n", "'99999999999999999999'"),
        ("0\n0\n0\n0\n0\n", "keeps no sample"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path, text, message):
    with pytest.raises((ValueError, IndexError), match=f"keep.txt.*{message}"):
        read_sample_mask(written(tmp_path, text, "keep.txt"), 5)


def test_arrays_that_are_no_lists_of_volumes(tmp_path):
    for values in (np.array([0.5, 1]), np.array(["a"]), np.zeros((2, 2), int)):
        np.save(tmp_path / "keep.npy", values)
        with pytest.raises(ValueError, match="keep.npy"):
            read_sample_mask(tmp_path / "keep.npy", 5)
    (tmp_path / "keep.npy").write_bytes(b"\x93NUMPY\x01\x00v")
    with pytest.raises(ValueError, match="keep.npy"):
        read_sample_mask(tmp_path / "keep.npy", 5)


def test_polars_frames_are_read_too():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1.0, 2.0], "b": [3, 4]})
    assert_array_equal(read_confounds(frame, 2), [[1, 3], [2, 4]])


def test_numbers_are_those_that_pandas_reads(tmp_path):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        rng.normal(size=(20, 5)) * 10.0 ** rng.integers(-9, 9, (20, 5)), columns=list("abcde")
    )
    text = frame.to_csv(sep="\t", index=False)
    expected = pd.read_csv(io.StringIO(text), sep="\t")
    assert_allclose(read_table(written(tmp_path, text)), expected, rtol=1e-15)
    assert_array_equal(read_table(written(tmp_path, text)), frame)


def test_whole_numbers_are_integers_as_long_as_they_are_exact(tmp_path):
    """Beyond 2**53 a float is not the number that is written: it stays a float, which promises less."""
    (tmp_path / "t.tsv").write_text("exact\tlong\n999999999999999\t9007199254740993\n-7\t1\n")
    table = read_table(tmp_path / "t.tsv")
    assert table["exact"].tolist() == [999999999999999, -7]
    assert [table[name].dtype.kind for name in table] == ["i", "f"]


@pytest.mark.parametrize("name", [None, "keep", 0])
@pytest.mark.parametrize("kept", [[1, 3, 4], [0, 2], [2], [True, False, False, True, True]])
@pytest.mark.parametrize("index", [None, "n", 0])
def test_what_pandas_writes_of_a_series_keeps_what_is_in_it(tmp_path, name, kept, index):
    """With its index, whose first cell is empty or a name, above a column that may be called 0."""
    pd.Series(kept, name=name).rename_axis(index).to_csv(tmp_path / "keep.csv")
    expected = np.flatnonzero(kept) if isinstance(kept[0], bool) else kept
    assert_array_equal(read_sample_mask(tmp_path / "keep.csv", 5), expected)


def test_a_first_line_0_is_volume_0_aloud_as_pandas_may_mean_a_header(tmp_path):
    path = tmp_path / "keep.txt"
    pd.Series([5, 6, 7]).to_csv(path, index=False)
    with pytest.warns(UserWarning, match=r"keep.txt' begins with a line 0, which is taken as volume 0"):
        assert_array_equal(read_sample_mask(path, 20), [0, 5, 6, 7])
    path.write_text("0\n1\n2\n")
    with pytest.warns(UserWarning, match="begins with a line 0"):
        assert_array_equal(read_sample_mask(path, 20), [0, 1, 2])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("keep\n0\n5\n", [0, 5]),
        ('"keep"\n"0"\n"5"\n', [0, 5]),
        (",0\n0,0\n1,5\n", [0, 5]),
        ("0\n0\n5\n", [0, 5]),
        ("0 5 6\n", [0, 5, 6]),
        ("1\n5\n", [1, 5]),
        ("0\n" + "1\n" * 20, list(range(20))),
        ("0\n" + "1\n" * 19, list(range(1, 20))),
    ],
)
def test_a_0_that_can_be_told_from_a_header_is_silent(tmp_path, recwarn, text, kept):
    path = tmp_path / "keep.txt"
    path.write_text(text)
    assert_array_equal(read_sample_mask(path, 20), kept)
    assert not len(recwarn)
