"""What nilearn refuses is refused, by an error that the same ``except`` catches."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from brainsieve.image import index_img
from brainsieve.signal import clean, high_variance_confounds

AFFINE = np.diag([3.0, 3, 4, 1])
SHAPE = (6, 7, 8)
SERIES = np.random.default_rng(0).normal(size=(40, 5))


def image(*shape, dtype=np.float32):
    return nib.Nifti1Image(np.random.default_rng(1).normal(10, 3, shape).astype(dtype), AFFINE)


def mask():
    inside = np.zeros(SHAPE, np.uint8)
    inside[1:5, 1:6, 2:7] = 1
    return nib.Nifti1Image(inside, AFFINE)


RUN, VOLUME, FLAT, DEEP = image(*SHAPE, 20), image(*SHAPE), image(4, 5), image(3, 3, 3, 2, 2)
EYE = np.diag([4.0, 4, 4])
HEADER = {"copy_header": True}
RESAMPLED = HEADER | {"force_resample": True}
FINE = {"target_affine": EYE, **RESAMPLED}
# What each is given: function, arguments, keywords.
CASES = {
    **{
        f"{function} of {what}": (f"image.{function}", [given, *more], keywords)
        for function, more, keywords in (
            ("load_img", [], {}),
            ("mean_img", [], HEADER),
            ("smooth_img", [4], {}),
            ("index_img", [0], {}),
            ("clean_img", [], {}),
            ("resample_img", [], FINE),
            ("threshold_img", [1.0], HEADER),
            ("crop_img", [], HEADER),
            ("high_variance_confounds", [], {}),
        )
        for what, given in (
            ("None", None),
            ("a number", 3),
            ("a missing file", "nothere.nii"),
            ("a missing path", Path("nothere.nii.gz")),
            ("no images", []),
            ("nothing in a list", [None]),
            ("an array", np.zeros((3, 3, 3))),
            ("an object", object()),
        )
        # Smoothing no images gives none there.
        if (function, what) != ("smooth_img", "no images")
    },
    **{
        f"{function} of {what}": (f"masking.{function}", [given], {})
        for function in ("compute_epi_mask", "compute_background_mask", "compute_brain_mask")
        for what, given in (("None", None), ("a missing file", "nothere.nii"), ("a plane", FLAT), ("no images", []))
    },
    "mean of 5-D": ("image.mean_img", [DEEP], HEADER),
    "mean of a plane": ("image.mean_img", [FLAT], HEADER),
    "mask of 5-D": ("masking.compute_epi_mask", [DEEP], {}),
    "voxels of 5-D": ("masking.apply_mask", [DEEP, mask()], {}),
    "voxels of a plane": ("masking.apply_mask", [FLAT, mask()], {}),
    "voxels in no mask": ("masking.apply_mask", [RUN, "nothere.nii"], {}),
    "voxels in an empty mask": ("masking.apply_mask", [RUN, nib.Nifti1Image(np.zeros(SHAPE, "u1"), AFFINE)], {}),
    "width that is a word": ("masking.apply_mask", [RUN, mask()], {"smoothing_fwhm": "abc"}),
    "width of smooth_img that is a word": ("image.smooth_img", [VOLUME, "abc"], {}),
    "too few columns": ("masking.unmask", [np.zeros((2, 3)), mask()], {}),
    "one axis too many": ("masking.unmask", [np.zeros((2, 3, 4)), mask()], {}),
    "affine that is a number": ("image.resample_img", [VOLUME], {"target_affine": 4, **RESAMPLED}),
    "affine of 2 by 2": ("image.resample_img", [VOLUME], {"target_affine": np.eye(2), **RESAMPLED}),
    "affine that is a word": ("image.resample_img", [VOLUME], {"target_affine": "x", **RESAMPLED}),
    "shape without affine": ("image.resample_img", [VOLUME], {"target_shape": (5, 5, 5), **RESAMPLED}),
    "shape that is a word": ("image.resample_img", [VOLUME], {"target_shape": "x", **FINE}),
    "unknown interpolation": ("image.resample_img", [VOLUME], {"interpolation": "cubic", **FINE}),
    "sample beyond the last": ("image.index_img", [RUN, 99], {}),
    "flags of another length": ("image.index_img", [RUN, np.array([True] * 3)], {}),
    "flag that is a word": ("image.clean_img", [RUN], {"ensure_finite": "x"}),
    "percentile beyond 100": ("image.threshold_img", [VOLUME, "120%"], HEADER),
    "threshold that is a word": ("image.threshold_img", [VOLUME, "abc"], HEADER),
    "threshold that is None": ("image.threshold_img", [VOLUME, None], HEADER),
    "negative threshold of both signs": ("image.threshold_img", [VOLUME, -1], HEADER),
    "series that are None": ("signal.clean", [None], {}),
    "confounds of another length": ("signal.clean", [SERIES], {"confounds": SERIES[:10]}),
    "confounds in a missing file": ("signal.clean", [SERIES], {"confounds": "missing.tsv"}),
    "confounds that are a number": ("signal.clean", [SERIES], {"confounds": 3}),
    "unknown filter": ("signal.clean", [SERIES], {"filter": "abc"}),
    "unknown standardization": ("signal.clean", [SERIES], {"standardize": "abc"}),
    "cut-off without a repetition time": ("signal.clean", [SERIES], {"low_pass": 0.1, "t_r": None}),
    "volumes that are a word": ("signal.clean", [SERIES], {"sample_mask": "a"}),
    "volumes beyond the last": ("signal.clean", [SERIES], {"sample_mask": np.arange(50)}),
    "no volumes": ("signal.clean", [SERIES], {"sample_mask": np.array([], dtype=int)}),
    "runs of another length": ("signal.clean", [SERIES], {"runs": np.zeros(3)}),
}  # fmt: skip


def raised(package, function, arguments, keywords):
    module, name = function.split(".")
    called = getattr(importlib.import_module(f"{package}.{module}"), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as caught:
            called(*arguments, **keywords)
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_the_same_except_catches_what_is_refused(case):
    theirs, ours = (raised(package, *CASES[case]) for package in ("nilearn", "brainsieve"))
    # The builtin that a script would name; an index or key that fails inside is none that anyone asked for.
    (named, *_) = [each for each in type(theirs).__mro__ if each.__module__ == "builtins"]
    if named not in (AttributeError, IndexError, KeyError) or case == "sample beyond the last":
        assert isinstance(ours, named), (theirs, ours)
    assert type(ours).__module__.startswith(("builtins", "brainsieve"))


def test_an_index_has_one_axis():
    with pytest.raises(IndexError, match=r"index must be one number.*\(1, 2\)"):
        index_img(RUN, [[0, 1]])


def test_no_confounds_are_none():
    assert high_variance_confounds(SERIES, n_confounds=0, percentile=100).shape == (40, 0)


def test_numbers_in_frames_of_types_that_may_be_missing_are_numbers():
    frame = pd.DataFrame(SERIES).convert_dtypes()
    frame["flag"] = pd.array([True, False] * 20, dtype="boolean")
    expected = clean(np.column_stack([SERIES, [1.0, 0.0] * 20]))
    assert_allclose(clean(frame.to_numpy(dtype=object)), expected)
    with pytest.raises(TypeError, match="must be real numbers"):
        clean(np.array([["a"], ["b"]], dtype=object))
