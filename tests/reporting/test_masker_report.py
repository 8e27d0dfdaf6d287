"""Reports of maskers: self-contained pages that show what is taken, from where, with which parameters."""

from __future__ import annotations

import re
import warnings

import nibabel as nib
import numpy as np
import pytest

from brainsieve.datasets import load_demo_run
from brainsieve.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
)
from brainsieve.reporting import HTMLReport

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
    report = masker.generate_report(engine=engine, title="A <title> & more")
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


def test_maps_and_spheres_have_a_selector(maps, demo):
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
