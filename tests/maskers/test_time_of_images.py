"""Images that come back carry the time between samples where it is known, and no unit where it is not."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from brainsieve.engine.source import open_source
from brainsieve.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiMasker, NiftiSpheresMasker

SHAPE = (6, 5, 4)


def run(tr: float | None) -> nib.Nifti1Image:
    img = nib.Nifti1Image(
        np.random.default_rng(0).normal(100, 5, (*SHAPE, 9)).astype(np.float32), np.eye(4) * 3
    )
    img.affine[3, 3] = 1
    if tr is not None:
        img.header.set_xyzt_units("mm", "sec")
        img.header.set_zooms((3, 3, 3, tr))
    return img


def volume(values: np.ndarray) -> nib.Nifti1Image:
    return nib.Nifti1Image(values, run(None).affine)


MASK = volume(np.ones(SHAPE, np.uint8))
LABELS = volume(np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(np.int32) % 3)
MAPS = volume(np.random.default_rng(1).random((*SHAPE, 2)).astype(np.float32))
MASKERS = {
    "voxels": lambda **given: NiftiMasker(MASK, **given),
    "computed mask": lambda **given: NiftiMasker(**given),
    "labels": lambda **given: NiftiLabelsMasker(LABELS, **given),
    "labels at home": lambda **given: NiftiLabelsMasker(LABELS, resampling_target="labels", **given),
    "maps": lambda **given: NiftiMapsMasker(MAPS, **given),
    "spheres": lambda **given: NiftiSpheresMasker([(3, 3, 3)], radius=4, mask_img=MASK, **given),
}


@pytest.mark.parametrize("name", MASKERS)
@pytest.mark.parametrize(
    "header, given, expected", [(2.2, None, 2.2), (2.2, 0.8, 0.8), (None, 0.8, 0.8), (None, None, None)]
)
@pytest.mark.filterwarnings("ignore")
def test_what_inverse_transform_makes_carries_the_time(name, header, given, expected):
    masker = MASKERS[name](t_r=given)
    signals = masker.fit(run(header)).transform(run(header))
    back = masker.inverse_transform(signals)
    assert back.header.get_xyzt_units() == ("mm", "unknown" if expected is None else "sec")
    assert open_source(back).tr == expected
    if expected is not None:
        assert back.header.get_zooms()[3] == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore")
def test_a_time_that_is_set_after_fit_is_that_of_the_image():
    masker = NiftiMasker(MASK).fit(run(2.2))
    signals = masker.transform(run(2.2))
    masker.set_params(t_r=1.5)
    assert open_source(masker.inverse_transform(signals)).tr == 1.5


def test_images_of_maps_and_labels_have_no_time():
    assert open_source(NiftiMapsMasker(MAPS, t_r=2.0).fit().maps_img_).tr is None
    assert NiftiLabelsMasker(LABELS, t_r=2.0).fit().labels_img_.header.get_zooms() == (3, 3, 3)
