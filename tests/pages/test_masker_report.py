"""Reports of maskers: self-contained pages that show what is taken, from where, with which parameters."""

from __future__ import annotations

import base64
import html
import re
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import small_cifti
import surfaces

from brainsieve.datasets import load_demo_run
from brainsieve.drawing import VolumeCanvas
from brainsieve.maskers import (
    CiftiMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
)
from brainsieve.maskers.reports import template
from brainsieve.pages import HTMLReport
from brainsieve.pages.values import described

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def demo():
    return load_demo_run()


@pytest.fixture(scope="module")
def maps(demo):
    mask = nib.load(demo.mask)
    weights = np.random.default_rng(0).random((*mask.shape, 12)) * mask.get_fdata()[..., None]
    return nib.Nifti1Image(weights.astype(np.float32), mask.affine)


def fitted(masker, image):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return masker.fit(image)


@pytest.fixture(params=["voxels", "labels", "maps", "spheres", "multi"])
def masker(request, demo, maps):
    made = {
        "voxels": lambda: NiftiMasker(demo.mask),
        "labels": lambda: NiftiLabelsMasker(demo.atlas, lut=demo.lut),
        "maps": lambda: NiftiMapsMasker(maps),
        "spheres": lambda: NiftiSpheresMasker([(0, 0, 30), (10, -40, 30)], radius=9, allow_overlap=True),
        "multi": lambda: MultiNiftiMasker(demo.mask),
    }[request.param]()
    return fitted(made, demo.bold)


@pytest.mark.parametrize("engine", ["matplotlib", "brainsprite"])
def test_a_page_stands_alone(masker, engine, tmp_path):
    shown = {masker._displayed_name: 2} if masker._displayed_name and engine == "brainsprite" else {}
    report = masker.generate_report(engine=engine, title="A <title> & more", **shown)
    assert isinstance(report, HTMLReport)
    assert "<h1>A &lt;title&gt; &amp; more</h1>" in report.body
    page = report.html
    assert page.count("data:image/png;base64,") >= 1
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert "smoothing_fwhm" in page and type(masker).__name__ in page
    report.save_as_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert report.resize(300, 200).get_iframe().count('width="300"') == 1
    assert "srcdoc" in report._repr_html_()


def test_regions_are_listed_with_their_sizes_and_coverage(demo):
    masker = fitted(NiftiLabelsMasker(demo.atlas, lut=demo.lut), demo.bold)
    page = masker.generate_report().html
    assert "left-white-matter" in page and "covered (%)" in page
    assert ">424<" in page and ">217,088.0<" in page


def test_maps_and_spheres_have_a_selector(maps, demo, monkeypatch):
    # What is offered, not what is drawn: some sixty figures would take long.
    monkeypatch.setattr(VolumeCanvas, "figures", lambda *_, **__: [])
    masker = fitted(NiftiMapsMasker(maps), demo.bold)
    assert masker.generate_report().html.count("<option") == 10
    assert masker.generate_report(displayed_maps="all").html.count("<option") == 12
    assert masker.generate_report(displayed_maps=3).html.count("<option") == 3
    assert ">map 7<" in masker.generate_report(displayed_maps=[7, 2]).html
    for wrong in ("most", 1.5, [[1]], True):
        with pytest.raises(TypeError, match="displayed_maps must be"):
            masker.generate_report(displayed_maps=wrong)
    with pytest.warns(UserWarning, match="from 0 to 11"):
        report = masker.generate_report(displayed_maps=[3, 5, 12])
    assert report.html.count(">map 3<") == 1 and ">map 12<" not in report.html
    with pytest.raises(ValueError, match="from 0 to 11"):
        masker.generate_report(displayed_maps=[-1])
    spheres = NiftiSpheresMasker([(0, 0, 0), (30, 0, 0)]).fit()
    assert ">sphere 1<" in spheres.generate_report(displayed_spheres="all").html


def test_unknown_engines_and_keywords_are_named(demo):
    masker = fitted(NiftiMasker(demo.mask), demo.bold)
    with pytest.raises(ValueError, match="engine must be one of 'matplotlib', 'brainsprite'"):
        masker.generate_report(engine="plotly")
    with pytest.raises(TypeError, match="displayed_maps; it has none"):
        masker.generate_report(displayed_maps=3)


def test_warnings_of_fit_are_in_the_page(demo):
    assert "mask_img is used" in fitted(NiftiMasker(demo.mask), demo.bold).generate_report().html


@pytest.mark.parametrize("fit", [False, True])
def test_nothing_to_show_is_said(demo, fit):
    masker = NiftiMasker(demo.mask, reports=not fit)
    if fit:
        masker.fit()
    with pytest.warns(UserWarning, match="not fitted, or was made with reports=False"):
        assert "nothing to show" in masker.generate_report().html


def test_without_matplotlib_there_are_no_pictures(demo, monkeypatch):
    import sys

    masker = fitted(NiftiMasker(demo.mask), demo.bold)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = masker.generate_report().html
    assert "matplotlib is not installed" in page and "data:image" not in page


def test_a_browser_is_given_the_file(demo, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    report = NiftiMasker(demo.mask).fit().generate_report()
    report.open_in_browser(tmp_path / "page.html")
    assert opened == [(tmp_path / "page.html").as_uri()]


# -- equal, harmless, complete -----------------------------------------------------------------------------


def arrays_and_images(demo):
    mask = nib.load(demo.mask)
    return nib.Nifti1Image(np.asarray(mask.dataobj), mask.affine)


@pytest.mark.parametrize("kind", ["voxels", "labels", "spheres"])
def test_two_reports_of_equal_maskers_are_equal_byte_for_byte(kind, demo):
    def page():
        mask = arrays_and_images(demo)
        masker = {
            "voxels": lambda: NiftiMasker(mask, clean_args={"filter": "cosine"}),
            "labels": lambda: NiftiLabelsMasker(
                nib.load(demo.atlas), lut=pd.read_csv(demo.lut, sep="\t"), mask_img=mask
            ),
            "spheres": lambda: NiftiSpheresMasker(np.array([[0.0, 0, 30]]), radius=9.0, mask_img=mask),
        }[kind]()
        return fitted(masker, nib.load(demo.bold)).generate_report().html

    first, second = page(), page()
    assert first == second
    assert not re.search(r"0x[0-9a-f]{6}", re.sub(r"base64,[^'\"]*", "", first))


def test_pictures_do_not_tell_the_version_that_drew_them(demo):
    page = NiftiMasker(demo.mask).fit().generate_report().html
    for data in re.findall(r"base64,([^']*)", page):
        assert b"Software" not in base64.b64decode(data)


class Odd:
    """A value whose words have an address."""


@pytest.mark.parametrize(
    "value, words",
    [
        (np.zeros((40, 3)), "ndarray of shape 40 × 3"),
        (np.float64(2.5), "2.5"),
        ({"b", "a"}, "{'a', 'b'}"),
        ((1,), "(1,)"),
        (Path("x/y.nii"), "'x/y.nii'"),
        ({"a": np.ones((9, 9))}, "{'a': ndarray of shape 9 × 9}"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, … (20 in all)]"),
        (np.mean, "numpy.mean"),
    ],
)
def test_values_of_parameters_are_told_in_a_line(value, words):
    assert described(value) == words


def test_values_of_parameters_have_no_address():
    assert described(Odd()) == described(Odd())
    assert described([Odd()] * 2) == described([Odd(), Odd()])
    assert "0x" not in described(lambda: 0)


NASTY = ["<script>alert(1)</script>", "a'b\"c", "two\nlines", "&amp;"]


def test_names_with_html_quotes_and_newlines_stay_harmless(demo):
    labels = [NASTY[i % 4] + str(i) for i in range(10)]
    page = (
        fitted(NiftiLabelsMasker(demo.atlas, labels=labels), demo.bold).generate_report(title=NASTY[0]).html
    )
    assert "<script>alert" not in page
    assert html.escape(labels[1]) in page
    spheres = NiftiSpheresMasker([(0, 0, 0)]).fit().generate_report(title="x' onload='alert(1)").html
    assert "x' onload" not in spheres


def test_regions_have_a_key_of_their_colours(demo):
    page = fitted(NiftiLabelsMasker(demo.atlas, lut=demo.lut), demo.bold).generate_report().html
    key = re.search(r"<ul class='key'>(.*?)</ul>", page).group(1)
    assert re.findall(r"</i>([^<]*)</li>", key)[0] == "left-white-matter"
    colours = re.findall(r"background:(#[0-9a-f]{6})", key)
    assert len(colours) == 10 and len(set(colours)) == 10


def columns(page):
    return re.findall(r"<th[^>]*>([^<]*)</th>", page)


@pytest.mark.parametrize("kind", ["labels", "maps", "spheres"])
def test_tables_have_the_same_columns_with_an_image_and_without(kind, demo, maps, monkeypatch):
    monkeypatch.setattr(VolumeCanvas, "figures", lambda *_, **__: [])
    make = {
        "labels": lambda: NiftiLabelsMasker(demo.atlas, lut=demo.lut),
        "maps": lambda: NiftiMapsMasker(maps),
        "spheres": lambda: NiftiSpheresMasker([(0, 0, 30)], radius=9),
    }[kind]
    with_image = columns(fitted(make(), demo.bold).generate_report().html)
    without = columns(make().fit().generate_report().html)
    assert with_image == without
    assert with_image[-1] == "covered (%)"


def test_spheres_without_an_image_lie_on_the_template():
    page = NiftiSpheresMasker([(0, 0, 0), (30, -20, 10)], radius=8).fit().generate_report().html
    assert "the background is the MNI152 template" in page
    grid, values = template()
    assert values.max() > 0 and grid.voxel_sizes_mm.tolist() == [2, 2, 2]


def test_every_warning_of_fit_is_in_the_page_once(demo):
    masker = NiftiLabelsMasker(demo.atlas, labels=["only one"], smoothing_fwhm=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        masker.fit(demo.bold)
    own = {str(w.message) for w in said if not issubclass(w.category, DeprecationWarning)}
    page = masker.generate_report().html
    assert own and "smoothing_fwhm=0" in " ".join(own)
    for text in own:
        assert page.count(html.escape(text)) == 1


def test_an_image_that_is_gone_leaves_the_report_without_background(demo, tmp_path):
    copy = tmp_path / "run.nii.gz"
    copy.write_bytes(Path(demo.bold).read_bytes())
    masker = fitted(NiftiLabelsMasker(demo.atlas, lut=demo.lut), copy)
    copy.unlink()
    with pytest.warns(UserWarning, match="cannot be read any more"):
        assert "left-white-matter" in masker.generate_report().html


def test_a_report_is_written_whole_or_not_at_all(demo, tmp_path, monkeypatch):
    report = NiftiMasker(demo.mask).fit().generate_report()
    target = tmp_path / "page.html"
    target.write_text("old")
    monkeypatch.setattr(report, "body", "\udc80")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        report.save_as_html(target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_fit_decodes_no_volume_for_a_report_that_nobody_asked_for(demo, monkeypatch):
    read = []
    monkeypatch.setattr("brainsieve.maskers.estimator.read_sample", lambda *a: read.append(a) or 1 / 0)
    NiftiLabelsMasker(demo.atlas).fit(nib.load(demo.bold))
    NiftiLabelsMasker(demo.atlas).fit(demo.bold)
    assert read == []


def test_surface_regions_have_the_colours_of_their_table():
    image = surfaces.on_mesh(surfaces.label_values())
    ids = sorted({int(i) for values in surfaces.label_values().values() for i in np.unique(values)})
    lut = pd.DataFrame(
        {
            "index": ids,
            "name": ["Background" if i == 0 else f"r{i}" for i in ids],
            "color": [f"#{i:02x}80ff" for i in ids],
        }
    )
    masker = SurfaceLabelsMasker(image, lut=lut)
    page = masker.fit().generate_report().html
    assert re.findall(r"background:(#[0-9a-f]{6})", page) == [f"#{i:02x}80ff" for i in ids if i != 0]
    other = SurfaceLabelsMasker(image, lut=lut, cmap="gray").fit().generate_report().html
    assert "#0180ff" not in re.findall(r"background:(#[0-9a-f]{6})", other)


def test_a_masker_of_the_cortex_draws_no_subcortex(tmp_path):
    run = small_cifti.series(tmp_path)
    cortex = CiftiMasker(structures="cortex").fit(run)
    both = CiftiMasker().fit(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both_page, cortex_page = both.generate_report().html, cortex.generate_report().html
    # No meshes are given: slices of voxels are all there is to draw, dark where nothing is taken.
    assert both_page != cortex_page
    assert "Not drawn" in cortex_page
