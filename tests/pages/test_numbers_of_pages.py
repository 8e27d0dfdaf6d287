"""The words and numbers of a masker's page, each beside its definition."""

from __future__ import annotations

import re
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import surfaces

from brainsieve.drawing import VolumeCanvas
from brainsieve.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from brainsieve.pages.masker_report import facts_list, parameters_table, table_of

pytest.importorskip("matplotlib")

AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
SHAPE = (12, 11, 10)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    monkeypatch.setattr(VolumeCanvas, "figures", lambda *_, **__: [])


def cells(html: str) -> list[list[str]]:
    """The rows of a page's table of regions."""
    body = re.search(r"<table class='regions'>.*?<tbody>(.*?)</tbody>", html, re.DOTALL).group(1)
    return [
        re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    ]


def columns(html: str) -> list[str]:
    head = re.search(r"<table class='regions'><thead>(.*?)</thead>", html, re.DOTALL).group(1)
    return re.findall(r"<th[^>]*>(.*?)</th>", head, re.DOTALL)


def facts(html: str) -> dict[str, str]:
    listed = re.search(r"<ul class='facts'>(.*?)</ul>", html, re.DOTALL).group(1)
    return {what: number for number, what in re.findall(r"<li><b>(.*?)</b>(.*?)</li>", listed)}


def body_of(masker, **options) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return masker.generate_report(**options).body


def image(values) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.asarray(values), AFFINE)


# -- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567.25, "1,234,567.2"),
        (1234.56, "1,234.6"),
        (10.0, "10.0"),
        (-15.26, "-15.3"),
        (9.996, "10.0"),
        (9.5, "9.50"),
        (1.2345, "1.23"),
        (-1.2345, "-1.23"),
        (0.0, "0.0"),
        (0.0012345, "0.00123"),
        (2.0, "2.00"),
        (np.nan, "–"),
        (np.float32(0.5), "0.500"),
    ],
)
def test_fractions_have_one_digit_or_three_significant_ones(value, shown):
    html = table_of(pd.DataFrame({"x": [value]}), "Table")
    assert cells(html) == [[shown]]
    assert "<td class='number'>" in html and "<th class=number>x</th>" in html


@pytest.mark.parametrize(
    ("value", "shown"), [(7, "7"), (1234567, "1,234,567"), (-1000, "-1,000"), (np.uint8(200), "200")]
)
def test_whole_numbers_have_thousands_apart(value, shown):
    html = table_of(pd.DataFrame({"n": [value]}), "Table")
    assert cells(html) == [[shown]] and "<td class='number'>" in html


def test_words_are_no_numbers():
    html = table_of(pd.DataFrame({"name": ["a<b", "007"]}), "Regions")
    assert cells(html) == [["a&lt;b"], ["007"]] and columns(html) == ["name"]
    assert "class=number" not in html and "class='number'" not in html
    assert html.startswith("<h2>Regions</h2>")


@pytest.mark.parametrize(("n", "more"), [(1000, None), (1001, "and 1 more"), (2501, "and 1,501 more")])
def test_a_thousand_rows_are_shown_and_the_others_counted(n, more):
    html = table_of(pd.DataFrame({"n": np.arange(n)}), "Table")
    rows = cells(html)
    assert len(rows) == 1000 and rows[0] == ["0"] and rows[-1] == ["999"]
    assert re.findall(r"<p class='quiet'>(.*?)</p>", html) == ([] if more is None else [more])


def test_facts_and_parameters_are_listed_in_order_and_escaped():
    assert facts(facts_list({"a<b": "1 & 2", "c": "3"})) == {"a&lt;b": "1 &amp; 2", "c": "3"}
    html = parameters_table({"t_r": 2.0, "name": "<x>"})
    assert html.startswith("<h2>Parameters</h2>")
    assert re.findall(r"<td>(.*?)</td><td><code>(.*?)</code>", html) == [
        ("t_r", "2.0"),
        ("name", "&#x27;&lt;x&gt;&#x27;"),
    ]


# -- what is told of each kind of atlas --------------------------------------------------------------------


def test_a_mask_tells_voxels_share_and_volume():
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:11, 1:11, 1:10] = 1
    n = int(mask.sum())
    html = body_of(NiftiMasker(image(mask)).fit())
    assert facts(html) == {
        "voxels in the mask": f"{n:,}",
        "of the grid": f"{100 * n / mask.size:.1f}%",
        "volume": f"{n * 24 / 1000:.1f} cm³",
    }
    assert f"NiftiMasker: {n} columns" in html and "class='regions'" not in html
    large = np.ones((60, 50, 40), np.uint8)
    assert facts(body_of(NiftiMasker(nib.Nifti1Image(large, AFFINE * [5, 5, 5, 1])).fit())) == {
        "voxels in the mask": "120,000",
        "of the grid": "100.0%",
        "volume": "360,000.0 cm³",
    }


def test_a_mask_of_a_surface_tells_vertices_and_their_share():
    values = surfaces.label_values()
    inside = {part: each > 0 for part, each in values.items()}
    n, n_all = sum(int(each.sum()) for each in inside.values()), sum(map(len, inside.values()))
    html = body_of(SurfaceMasker(surfaces.on_mesh({k: v.astype(np.uint8) for k, v in inside.items()})).fit())
    assert facts(html) == {"vertices in the mask": f"{n:,}", "of all": f"{100 * n / n_all:.1f}%"}


def test_regions_tell_id_name_size_share_and_coverage():
    labels = np.zeros(SHAPE, np.int16)
    labels[:, :, :5], labels[:3, :, 5:], labels[3, 0, 5:7] = 4, 9, 1200
    run = np.random.default_rng(0).normal(100, 1, (*SHAPE, 3)).astype(np.float32)
    run[:6] = 0
    lut = pd.DataFrame({"index": [0, 4, 9, 1200], "name": ["Background", "below", "a<b", "tiny"]})
    masker = NiftiLabelsMasker(image(labels), lut=lut)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masker.fit(image(run))
    html = body_of(masker)
    sizes = [int((labels == i).sum()) for i in (4, 9, 1200)]
    total = sum(sizes)
    assert columns(html) == ["id", "name", "voxels", "size (mm³)", "share (%)", "covered (%)"]
    shown = cells(html)
    assert [row[:4] for row in shown] == [
        ["4", "below", f"{sizes[0]}", f"{sizes[0] * 24:,.1f}"],
        ["9", "a&lt;b", f"{sizes[1]}", f"{sizes[1] * 24:,.1f}"],
        ["1,200", "tiny", "2", "48.0"],
    ]
    np.testing.assert_allclose([float(row[4]) for row in shown], 100 * np.array(sizes) / total, atol=0.06)
    # Half of the first is in voxels that are 0, all of the others.
    assert [row[5] for row in shown] == ["50.0", "0.0", "0.0"]
    assert facts(html) == {"regions": "3", "voxels in regions": f"{total:,}", "smallest region": "2 voxels"}
    assert {row[5] for row in cells(body_of(NiftiLabelsMasker(image(labels)).fit()))} == {"–"}


@pytest.fixture
def maps():
    values = np.zeros((*SHAPE, 13), np.float32)
    for i in range(13):
        values[i % 12, :, : 1 + i % 10, i] = (i + 1) * (-1) ** i
    return image(values)


def test_maps_tell_points_and_largest_weight(maps):
    html = body_of(NiftiMapsMasker(maps).fit())
    values = np.asarray(maps.dataobj)
    assert columns(html) == ["map", "voxels", "largest weight", "covered (%)"]
    largest = [f"{i + 1:.1f}" if i >= 9 else f"{i + 1:#.3g}" for i in range(13)]
    assert cells(html) == [
        [str(i), str(int((values[..., i] != 0).sum())), largest[i], "–"] for i in range(13)
    ]
    assert facts(html) == {"maps": "13", "shown": "10"}
    assert re.findall(r"<option value='(\d+)'>(.*?)</option>", html) == [
        (str(i), f"map {i}") for i in range(10)
    ]


@pytest.mark.parametrize(
    ("displayed", "shown"), [(1, [0]), (13, range(13)), ("all", range(13)), ([12, 0], [12, 0]), ([5], [5])]
)
def test_maps_that_are_asked_for_are_shown(maps, displayed, shown):
    html = body_of(NiftiMapsMasker(maps).fit(), displayed_maps=displayed)
    assert facts(html)["shown"] == str(len(shown))
    # One needs no choice.
    listed = [f"map {i}" for i in shown] if len(shown) > 1 else []
    assert re.findall(r"<option value='\d+'>(.*?)</option>", html) == listed


def test_more_maps_than_there_are_is_told_and_all_are_shown(maps):
    masker = NiftiMapsMasker(maps).fit()
    with pytest.warns(UserWarning, match="displayed_maps=14, but there are 13"):
        assert facts(masker.generate_report(displayed_maps=14).body)["shown"] == "13"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert facts(masker.generate_report(displayed_maps=13).body)["shown"] == "13"


def test_seeds_tell_centres_radii_and_coverage():
    mask = image(np.ones(SHAPE, np.uint8))
    run = np.ones((*SHAPE, 2), np.float32)
    run[:, 5:] = np.nan
    seeds = [(4.0, 6.0, 8.0), (18.0, 24.0, 28.5)]
    masker = NiftiSpheresMasker(seeds, radius=3.5, mask_img=mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masker.fit(image(run))
    html = body_of(masker)
    assert columns(html) == ["seed", "x (mm)", "y (mm)", "z (mm)", "radius (mm)", "covered (%)"]
    assert [row[:5] for row in cells(html)] == [
        ["0", "4.00", "6.00", "8.00", "3.50"],
        ["1", "18.0", "24.0", "28.5", "3.50"],
    ]
    assert [row[5] for row in cells(html)] == ["100.0", "0.0"]
    assert facts(html) == {"seeds": "2", "shown": "2"}
    assert "MNI152 template" not in html
    assert re.findall(r"<option value='\d+'>(.*?)</option>", html) == ["sphere 0", "sphere 1"]


def test_the_key_of_colours_has_each_region_with_its_own():
    labels = np.zeros(SHAPE, np.int16)
    labels[:6], labels[6:] = 1, 2
    lut = pd.DataFrame(
        {"index": [0, 1, 2], "name": ["Background", "a", "b"], "color": ["#000000", "#ff0000", "#00ff0080"]}
    )
    html = body_of(NiftiLabelsMasker(image(labels), lut=lut).fit())
    assert re.findall(r"<li><i style='background:(.*?)'></i>(.*?)</li>", html) == [
        ("#ff0000", "a"),
        ("#00ff00", "b"),
    ]
    partly = lut.assign(color=["#000000", "#ff0000", "#0f0"])
    found = re.findall(r"background:(.*?)'", body_of(NiftiLabelsMasker(image(labels), lut=partly).fit()))
    assert len(found) == 2 and "#ff0000" not in found


def test_only_pages_that_have_a_choice_have_a_script(maps):
    masker = NiftiMapsMasker(maps).fit()
    assert "<script>" in body_of(masker, displayed_maps=2)
    assert "<script>" not in body_of(masker, displayed_maps=1)
    scrolled = body_of(masker, displayed_maps=1, engine="brainsprite")
    assert "<script>" in scrolled and "id='slice'" in scrolled and "id='layer'" not in scrolled
    assert "id='slice'" not in body_of(masker, displayed_maps=2)
