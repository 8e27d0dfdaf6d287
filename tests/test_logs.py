"""Warnings point to the line of the user's code that called, however deep in the package they arise."""

import ast
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import brainsieve
from brainsieve.datasets import load_demo_run
from brainsieve.maskers import NiftiLabelsMasker
from brainsieve.signal import clean


def warned_by(call):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    return [warning.filename for warning in seen]


def holed_run():
    run = load_demo_run()
    import nibabel as nib

    img = nib.load(run.bold)
    data = img.get_fdata(dtype="float32")[..., :5].copy()
    data[12, 12, 6] = np.nan
    return run.atlas, nib.Nifti1Image(data, img.affine)


@pytest.mark.parametrize("wrap", [lambda masker: masker, make_pipeline], ids=["masker", "pipeline"])
def test_a_warning_of_a_masker_points_to_the_caller(wrap):
    atlas, img = holed_run()
    masker = wrap(NiftiLabelsMasker(atlas, reports=False))
    files = warned_by(lambda: masker.fit_transform(img))
    assert files and set(files) == {__file__}


def test_a_warning_of_a_function_points_to_the_caller():
    signals = np.zeros((20, 2))
    files = warned_by(lambda: clean(signals, standardize="psc", detrend=False))
    assert files and set(files) == {__file__}


def test_there_is_one_way_to_warn():
    folder = Path(brainsieve.__file__).parent
    others = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "warn" and path.name != "logs.py":
                if isinstance(node.value, ast.Name) and node.value.id == "warnings":
                    others.append(f"{path.relative_to(folder)}:{node.lineno}")
    assert not others
