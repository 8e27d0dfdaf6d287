"""Look-up tables as programs and people write them."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brainsieve.atlas.region_table import region_table
from brainsieve.maskers import NiftiLabelsMasker
from brainsieve.tables import names_in_order, read_lut

FREESURFER = """#$Id: FreeSurferColorLUT.txt $
#No. Label Name:                            R   G   B   A

0   Unknown                                 0   0   0   0
1   Left-Cerebral-Exterior                  70  130 180 0

1001    ctx-lh-bankssts                     25  100 40  0
"""
ITK = """################################################
# ITK-SnAP Label Description File
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "Left V1"
   17    0   255    0        1  1  1    "NA"
"""
WORKBENCH = """V1
1 255 0 0 255
left hippocampus
17 0 255 10 255
"""


def written(tmp_path, text: str | bytes, name: str = "lut.tsv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


HEADERS = ["index\tname", "id\tlabel", "Index\tName", "ROI\tRegion Name", "label\tname", "#id\tlabel"]
WALL = "Background+FreeSurfer_Defined_Medial_Wall"
NAMES = ["NA", "None", "null", "001", "1.10", "nan", "n/a", "true", "V1"]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_names_are_text_whatever_they_look_like(tmp_path, header, separator, end, bom):
    rows = [header, *(f"{i}\t{name}" for i, name in enumerate(NAMES, start=1))]
    text = bom + end.join(row.replace("\t", separator) for row in rows) + end
    table = read_lut(written(tmp_path, text, "lut.csv" if separator == "," else "lut.tsv"))
    assert table["name"].tolist() == NAMES
    assert table["index"].tolist() == list(range(1, 10)) and table["index"].dtype == np.int64


def test_the_other_column_may_come_first_and_more_may_follow(tmp_path):
    text = "name\tabbreviation\tindex\tcolor\tmapping\nleft V1\tV1\t3\t#00ff00\t7\nNA\tN\t4\t#0000ff\t8\n"
    table = read_lut(written(tmp_path, text, "x_dseg.tsv"))
    assert table["index"].tolist() == [3, 4] and table["name"].tolist() == ["left V1", "NA"]
    assert table["color"].tolist() == ["#00ff00", "#0000ff"] and table["mapping"].tolist() == ["7", "8"]


@pytest.mark.parametrize(
    "text, expected",
    [
        (
            FREESURFER,
            {
                0: ("Unknown", "000000"),
                1: ("Left-Cerebral-Exterior", "4682B4"),
                1001: ("ctx-lh-bankssts", "196428"),
            },
        ),
        (ITK, {0: ("Clear Label", "000000"), 1: ("Left V1", "FF0000"), 17: ("NA", "00FF00")}),
        (WORKBENCH, {1: ("V1", "FF0000"), 17: ("left hippocampus", "00FF0A")}),
        ("index,name,R,G,B\n1,a,255,0,10\n", {1: ("a", "FF000A")}),
    ],
)
def test_colour_tables_of_programs(tmp_path, text, expected):
    table = read_lut(written(tmp_path, text, "LUT.txt"))
    rows = zip(table["index"], table["name"], table["color"], strict=True)
    assert {index: (name, colour) for index, name, colour in rows} == expected


@pytest.mark.parametrize(
    "text",
    [
        "1 V1\n2 left V2\n3 NA\n",
        "1\tV1\n2\tleft V2\n3\tNA\n",
        "1,V1\n2,left V2\n3,NA\n",
        "V1,1\nleft V2,2\nNA,3\n",
        "1;V1;x\n2;left V2;y\n3;NA;z\n",
        "index name\n1 V1\n2 left V2\n3 NA\n",
        "V1\nleft V2\nNA\n",
        "name\nV1\nleft V2\nNA\n",
    ],
)
def test_tables_without_a_header_and_lists_of_names(tmp_path, text):
    table = read_lut(written(tmp_path, text, "names.txt"))
    assert table["index"].tolist() == [1, 2, 3] and table["name"].tolist() == ["V1", "left V2", "NA"]


def test_latin_1(tmp_path):
    table = read_lut(written(tmp_path, "index\tname\n1\tPôle\n".encode("latin-1")))
    assert table["name"].tolist() == ["Pôle"]


def test_ids_as_large_as_64_bits_and_no_larger(tmp_path):
    text = "index\tname\n3000000000\ta\n1099511627777\tb\n"
    assert read_lut(written(tmp_path, text))["index"].tolist() == [3_000_000_000, 2**40 + 1]
    for number in ("9" * 20, "1e30"):
        with pytest.raises(ValueError, match=f"lut.tsv.*64 bits: {number}"):
            read_lut(written(tmp_path, f"index\tname\n1\ta\n{number}\tb\n"))


def test_ids_that_are_almost_whole_are_rounded_aloud(tmp_path):
    with pytest.warns(UserWarning, match=r"1 ids are not quite whole numbers \(7002.9999\)"):
        table = read_lut(written(tmp_path, "index\tname\n7002.9999\ta\n5.5\tb\n"))
    assert table["index"].tolist() == [7003, 5.5]


@pytest.mark.parametrize(
    "text, message",
    [
        ("index\tcolour\n1\tx\n", "no column 'name'"),
        ("number\tvalue\n1\t2\n", "no column"),
        ("index\tname\nx\ta\n", "index in row 0 is no number: 'x'"),
        ("index\tname\n\ta\n", "index in row 0 is no number: ''"),
        ("1\t2\n3\t4\n", "neither a header"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"lut.tsv.*{message}"):
        read_lut(written(tmp_path, text))


def test_data_frames_are_not_changed_and_their_names_are_text():
    frame = pd.DataFrame({"ID": [2, 1], "Label": [1.5, None]})
    before = frame.copy(deep=True)
    table = read_lut(frame)
    assert table["name"].tolist() == ["1.5", ""] and table["index"].tolist() == [2, 1]
    pd.testing.assert_frame_equal(frame, before)


# -- joined with the ids of an image -----------------------------------------------------------------------


def test_a_list_of_names_goes_by_the_order_of_the_ids(tmp_path):
    path = written(tmp_path, "V1\nNA\n", "names.txt")
    assert names_in_order(path) == ["V1", "NA"]
    table = region_table(np.array([2001, 2002]), 0, True, lut=path)
    assert table["index"].tolist() == [0, 2001, 2002] and table["name"].tolist() == ["Background", "V1", "NA"]


def test_a_table_that_counts_from_0_is_suspected_aloud():
    lut = pd.DataFrame({"index": [0, 1, 2], "name": ["V1", "V2", "V3"]})
    with pytest.warns(UserWarning, match="lut") as caught:
        region_table(np.array([1, 2, 3]), 0, True, lut=lut)
    said = [str(warning.message) for warning in caught]
    assert any("no name for the ids 3" in text for text in said)
    assert any("lut calls 0 'V1', but 0 is the background" in text and "from 1 to 3" in text for text in said)


@pytest.mark.parametrize(
    "name",
    ["Background", "???", "Unknown", "unknown", "Medial_Wall", WALL],
)
def test_a_row_of_the_background_is_not_suspected(name, recwarn):
    region_table(np.array([1, 2]), 0, True, lut=pd.DataFrame({"index": [0, 1, 2], "name": [name, "a", "b"]}))
    assert not len(recwarn)


def test_an_empty_name_is_unknown_aloud():
    with pytest.warns(UserWarning, match="no name for the ids 2, 3"):
        table = region_table(
            np.array([1, 2, 3]), 0, False, lut=pd.DataFrame({"index": [1, 2], "name": ["a", ""]})
        )
    assert table["name"].tolist() == ["a", "unknown", "unknown"]


def test_names_of_a_hundred_thousand_regions_cost_no_more_than_twice_fifty_thousand():
    """Counted, not timed: comparisons of names grow with their number, not with its square."""

    class Counted(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

    counts = []
    for n in (1_000, 2_000):
        Counted.compared = 0
        names = [Counted(f"region {i // 2}") for i in range(n)]
        with pytest.warns(UserWarning, match="Several regions have the same name"):
            region_table(np.arange(1, n + 1), 0, False, labels=names)
        counts.append(Counted.compared)
    assert counts[1] < 4 * counts[0] + 100


def test_a_background_called_by_its_number_is_no_table_that_counts_from_zero():
    values = np.zeros((4, 4, 4))
    values[0], values[1] = 1, 2
    img = nib.Nifti1Image(values.astype("u1"), np.eye(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NiftiLabelsMasker(img, lut=pd.DataFrame({"index": [0, 1, 2], "name": ["0", "V1", "V2"]})).fit()
    with pytest.warns(UserWarning, match="Does the table count from 0"):
        NiftiLabelsMasker(img, lut=pd.DataFrame({"index": [0, 1, 2], "name": ["V1", "V2", "V3"]})).fit()


@pytest.mark.parametrize(
    "header",
    [
        "index\tname\tcolor\tcolor",
        "index\tname\tname",
        "index\tindex\tname",
        "id\tname\tindex",
        "name\tindex\tname_",
    ],
)
def test_columns_that_repeat_are_kept_apart(tmp_path, header):
    columns = header.split("\t")
    rows = {"index": "7", "id": "7", "name": "V1", "name_": "V1", "color": "#ff0000"}
    (tmp_path / "t.tsv").write_text(header + "\n" + "\t".join(rows[column] for column in columns) + "\n")
    frame = pd.DataFrame([[rows[column] for column in columns]], columns=columns)
    for table in (read_lut(tmp_path / "t.tsv"), read_lut(frame)):
        assert len(set(table.columns)) == len(columns)
        assert table["index"].tolist() == [7] and table["name"].tolist() == ["V1"]
    assert list(frame.columns) == columns
